// A file on its way: fetched here, decoded in a worker, its pictures told as they come.
import { whyNot } from "./decoder.js";

const PIECES_PER_SECOND = 50;
const LOST = "the connection was lost";
// By the address of the model: it is loaded once for all its files.
const decoders = new Map();

class Decoder {
  #worker;
  #plays = new Map();
  #last = 0;

  constructor(model) {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.ready = new Promise((resolve, reject) => {
      const fail = (reason) => {
        // The next file may find the model there.
        decoders.delete(model);
        this.#worker.terminate();
        reject(new Error(reason));
        for (const play of this.#plays.values()) play.finish(reason);
      };
      this.#worker.onerror = (event) => fail(`the decoder failed: ${event.message ?? "it cannot be loaded"}`);
      this.#worker.onmessage = ({ data }) => {
        if (data.ready) return resolve();
        if (data.failed) return fail(data.failed);
        const play = this.#plays.get(data.number);
        if (data.picture) play?.onpicture(data.picture);
        else if (data.draft) play?.ondraft?.(data.draft);
        else play?.finish(data.done);
      };
    });
    // Whoever waits for it is told.
    this.ready.catch(() => {});
    this.#worker.postMessage({ model });
  }

  open(every, onpicture, ondraft) {
    const number = ++this.#last, send = (message, moved) => this.#worker.postMessage({ number, ...message }, moved);
    send({ open: true, every });
    const finished = new Promise((resolve) => {
      const finish = (reason) => {
        this.#plays.delete(number);
        resolve(reason);
      };
      this.#plays.set(number, { onpicture, ondraft, finish });
    });
    const close = () => {
      this.#plays.get(number)?.finish("");
      send({ closed: true });
    };
    return { finished, send, close };
  }
}

/** Loads a model, if it is not there, so that it is when a file comes. Throws if it cannot be used. */
export function prepared(model) {
  const address = new URL(model, document.baseURI).href;
  if (!decoders.has(address)) decoders.set(address, new Decoder(address));
  return decoders.get(address);
}

/**
 * Fetches the file `src` and tells onpicture({width, height, chunks, ms, bytes, pixels}) its pictures and
 * onbytes(received, total) what came; total is 0 where the server does not say. ondraft({width, height, rough, ms, bytes})
 * is told of the first chunk alone, before its picture is computed: rough.pixels, rough.width x rough.height, are to be
 * enlarged eight times. With `speed`, in kB/s, the model is waited for, and then bytes come no faster. `every`: a picture after every chunk, rather than the newest.
 * Resolves to "" at the end of the file, or to a line about what went wrong; pictures stay good.
 */
export async function play(src, model, { speed, every = false, signal, onpicture, ondraft, onbytes }) {
  const reason = whyNot();
  if (reason) return reason;
  const decoder = prepared(model);
  let file;
  try {
    if (speed) await decoder.ready;
    const address = new URL(src, document.baseURI);
    // Only the server of recodec view knows it.
    if (speed) address.searchParams.set("speed", speed);
    const answer = await fetch(address, { signal });
    if (!answer.ok) return `the file cannot be fetched: ${answer.status} ${answer.statusText}`;
    const total = Number(answer.headers.get("Content-Length")) || 0;
    file = decoder.open(every, onpicture, ondraft);
    signal?.addEventListener("abort", file.close);
    let received = 0, done = false;
    file.finished.then(() => (done = true));
    decoder.ready.catch(file.close);
    try {
      for await (const bytes of paced(answer.body, speed)) {
        if (done || signal?.aborted) break;
        received += bytes.byteLength;
        onbytes?.(received, total);
        file.send({ bytes }, [bytes.buffer]);
      }
    } catch (error) {
      if (signal?.aborted) return "";
      file.send({ ended: true });
      return `${LOST} (${received} bytes came); ${(await file.finished) || "the picture is whole"}`;
    }
    file.send({ ended: true });
    const said = await file.finished;
    await decoder.ready;
    return said;
  } catch (error) {
    return signal?.aborted ? "" : error.name === "TypeError" ? LOST : error.message;
  } finally {
    if (file) signal?.removeEventListener("abort", file.close);
  }
}

async function* paced(body, speed) {
  const reader = body.getReader(), start = performance.now();
  const largest = speed ? Math.max(1, Math.floor((1000 * speed) / PIECES_PER_SECOND)) : Infinity;
  let sent = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (let at = 0; at < value.length; at += largest) {
        const piece = value.slice(at, at + largest);
        sent += piece.length;
        const wait = speed ? start + sent / speed - performance.now() : 0;
        if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
        yield piece;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
