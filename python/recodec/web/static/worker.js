// Decodes for one model, away from the page. Messages here: {model}, then {open, every}, {feed, bytes}, {ended}, {close}, each
// with the number of a file; from here: {ready} or {failed}, {draft}, {picture}, {done}.
import { Model } from "./decoder.js";

const files = new Map();
let model;

async function fetched(address, what) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${what} cannot be fetched: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

async function load(address) {
  const [library, rcm] = await Promise.all([
    fetched(new URL("recodec.wasm", import.meta.url), "recodec.wasm"),
    fetched(address, "the model"),
  ]);
  return Model.load(library, new Uint8Array(rcm));
}

function schedule(file) {
  if (file.due) return;
  file.due = true;
  // After the messages that are waiting: bytes may have come, or the file may be closed.
  setTimeout(() => step(file));
}

async function step(file) {
  if (!files.has(file.number)) return;
  const start = performance.now(), { fed, ended } = file;
  let found = "more", better = false, reason = null;
  try {
    do {
      found = file.reader.next();
      better ||= found === "chunk";
    } while (found === "chunk" && !file.every);
    if (found === "end") reason = "";
    else if (found === "more" && ended) reason = "the file ends early; this is the picture so far";
  } catch (error) {
    reason = error.message;
  }
  try {
    if (better) await show(file, start);
  } catch (error) {
    reason = error.message;
  }
  if (reason !== null) {
    postMessage({ number: file.number, done: reason });
    close(file.number);
    return;
  }
  file.due = false;
  // Of opacity an image had to be waited for, and more may have come.
  if (found === "chunk" || file.fed > fed || file.ended !== ended) schedule(file);
}

async function show(file, start) {
  const info = file.reader.info();
  // Before the first picture, which takes long. It would hide what opacity does.
  if (!file.shown && info.alpha === 0) {
    const { width, height } = info, rough = file.reader.draft();
    const draft = { width, height, rough, ms: performance.now() - start, bytes: file.fed };
    postMessage({ number: file.number, draft }, [rough.pixels.buffer]);
  }
  file.shown = true;
  const pixels = file.reader.pixels();
  const opacity = info.alpha === 1 && (file.opacity ??= await greyLevels(file.reader.opacity()));
  // As long as the picture is waited for; the file may be closed since then.
  if (opacity && opacity.length === pixels.length) {
    for (let i = 0; i < pixels.length; i += 4) pixels[i + 3] = opacity[i];
  }
  const { width, height, chunks, colour } = info, ms = performance.now() - start;
  const picture = { width, height, chunks, colour, ms, bytes: file.fed, pixels };
  postMessage({ number: file.number, picture }, [pixels.buffer]);
}

async function greyLevels(png) {
  const image = await createImageBitmap(new Blob([png], { type: "image/png" }), { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height).data;
}

function close(number) {
  files.get(number)?.reader.close();
  files.delete(number);
}

async function take({ number, model: address, open, every, bytes, ended, closed }) {
  if (address) {
    model = load(address);
    try {
      postMessage({ ready: (await model).id });
    } catch (error) {
      postMessage({ failed: error.message });
    }
    return;
  }
  let reader;
  try {
    // In order, since all wait for the same.
    reader = await model;
  } catch {
    return; // said above
  }
  if (open) files.set(number, { number, every, reader: reader.open(), fed: 0, ended: false, due: false, shown: false });
  const file = files.get(number);
  if (!file) return;
  if (closed) return close(number);
  try {
    if (bytes) {
      file.fed += bytes.byteLength;
      file.reader.feed(bytes);
    }
  } catch (error) {
    postMessage({ number, done: error.message });
    return close(number);
  }
  if (ended) file.ended = true;
  if (bytes || ended) schedule(file);
}

onmessage = ({ data }) => take(data);
