// librecodec in WebAssembly, for a worker or Node: csrc/api/recodec.h as two classes.

const OK = 0, MORE = 16, END = 17;
// Messages for statuses for which the library has none.
const SAID = { 5: "the picture is too large", 7: "there is not enough memory", 8: "a call out of turn" };
const ALPHA = 3;
const DRAFT_STRIDE = 8;
const INFO_FIELDS = ["width", "height", "channels", "colour", "alpha", "depth", "rows", "columns", "stride", "chunks"];
// Addresses have 32 bits here, and the picture itself needs some of them.
const MEMORY = 1536 * 1024 * 1024;

// Products of vectors of four floats, and a catch: what the library is compiled to, in as few bytes as there can be.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const EXCEPTIONS = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 6, 64, 25, 11, 11];

/** Why this browser cannot decode, or "". */
export function whyNot() {
  if (typeof WebAssembly !== "object") return "this browser has no WebAssembly";
  if (!WebAssembly.validate(new Uint8Array(SIMD))) return "this browser has no SIMD in WebAssembly, which decoding needs";
  if (!WebAssembly.validate(new Uint8Array(EXCEPTIONS))) return "this browser has no exceptions in WebAssembly, which decoding needs";
  return "";
}

/** What went wrong, in one line, and where: the library's status. */
export class DecodeError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** A model, of whose files any number may be open. */
export class Model {
  #memory;

  /** From the bytes or the compiled module of recodec.wasm, and those of ID.rcm. Throws DecodeError. */
  static async load(library, rcm) {
    const reason = whyNot();
    if (reason) throw new DecodeError(reason, MORE);
    const model = new Model();
    // The C library would write and read the clock, but the decoder calls none of it.
    const none = new Proxy({}, { get: (_, name) => (name === "proc_exit" ? model.#exit : () => 0) });
    const imports = { env: none, wasi_snapshot_preview1: none };
    const made = await WebAssembly.instantiate(library, imports);
    model.c = (made.instance ?? made).exports;
    model.#memory = model.c.memory;
    model.c._initialize();
    const at = model.copied(rcm), room = 512, message = model.c.malloc(room), handle = model.c.malloc(4);
    const status = model.c.recodec_model_open(at, rcm.byteLength, handle, message, room);
    const said = model.text(message);
    model.handle = model.words(handle, 1)[0];
    for (const address of [at, message, handle]) model.c.free(address);
    if (status !== OK) throw new DecodeError(said || SAID[status] || `error ${status}`, status);
    return model;
  }

  get id() {
    return this.text(this.c.recodec_model_id(this.handle));
  }

  /** A file of the model, whose bytes are still to come. */
  open() {
    return new ProgressiveFile(this);
  }

  // Memory may have grown, and views of it are then empty: they are made anew each time.
  bytes(address, count) {
    return new Uint8Array(this.#memory.buffer, address, count);
  }

  words(address, count) {
    return new Uint32Array(this.#memory.buffer, address, count);
  }

  text(address) {
    const all = new Uint8Array(this.#memory.buffer, address);
    return new TextDecoder().decode(all.slice(0, all.indexOf(0)));
  }

  copied(data) {
    const address = this.c.malloc(data.byteLength);
    if (!address && data.byteLength) throw new DecodeError(SAID[7], 7);
    this.bytes(address, data.byteLength).set(data);
    return address;
  }

  #exit(code) {
    throw new DecodeError(`the decoder ended with ${code}`, MORE);
  }
}

/** A file that arrives. */
class ProgressiveFile {
  #model;
  #handle;
  #pixels = 0;

  constructor(model) {
    this.#model = model;
    const c = model.c, to = c.malloc(4), limits = c.malloc(24);
    model.words(limits, 6).set([0, 0, MEMORY, 0, 0, 0]);
    const status = c.recodec_file_open(model.handle, limits, to);
    this.#handle = model.words(to, 1)[0];
    c.free(to);
    c.free(limits);
    this.#check(status);
  }

  /** Takes the next bytes, a Uint8Array. */
  feed(data) {
    const address = this.#model.copied(data);
    const status = this.#model.c.recodec_file_feed(this.#handle, address, data.byteLength);
    this.#model.c.free(address);
    this.#check(status);
  }

  /** Decodes one more chunk: "chunk" if there was one, "more" if bytes are missing, "end" behind the last. */
  next() {
    const status = this.#model.c.recodec_file_next(this.#handle);
    if (status === MORE) return "more";
    if (status === END) return "end";
    this.#check(status);
    return "chunk";
  }

  /** The fields of recodec_info. */
  info() {
    const c = this.#model.c, address = c.malloc(4 * INFO_FIELDS.length);
    const status = c.recodec_file_info(this.#handle, address);
    const values = [...this.#model.words(address, INFO_FIELDS.length)];
    c.free(address);
    this.#check(status);
    return Object.fromEntries(INFO_FIELDS.map((name, i) => [name, values[i]]));
  }

  /** The picture so far, as ImageData has it: width x height x 4 bytes, opaque. */
  pixels() {
    const { width, height, channels } = this.info(), { c } = this.#model;
    return this.#shown(width * height, channels, (at, size) => c.recodec_file_pixels(this.#handle, at, size, 1));
  }

  /** A rough picture so far, in no time: {pixels, width, height}, an eighth of each side of the picture, rounded up. */
  draft() {
    const info = this.info(), [width, height] = [info.width, info.height].map((side) => Math.ceil(side / DRAFT_STRIDE));
    const write = (at, size) => this.#model.c.recodec_file_draft(this.#handle, at, size);
    return { pixels: this.#shown(width * height, info.channels, write), width, height };
  }

  #shown(area, channels, write) {
    const model = this.#model, size = area * channels, info = this.info();
    if (!this.#pixels) this.#pixels = model.c.malloc(info.width * info.height * channels);
    if (!this.#pixels) this.#check(7);
    this.#check(write(this.#pixels, size));
    const from = model.bytes(this.#pixels, size), to = new Uint8ClampedArray(4 * area).fill(255);
    const step = channels === 1 ? 0 : 1;
    for (let i = 0, j = 0; j < size; i += 4, j += channels) {
      to[i] = from[j];
      to[i + 1] = from[j + step];
      to[i + 2] = from[j + 2 * step];
    }
    return to;
  }

  /** A PNG datastream with the opacity, or null. */
  opacity() {
    const c = this.#model.c, to = c.malloc(4), address = c.recodec_file_attachment(this.#handle, ALPHA, to);
    const size = this.#model.words(to, 1)[0];
    c.free(to);
    return address ? this.#model.bytes(address, size).slice() : null;
  }

  close() {
    this.#model.c.free(this.#pixels);
    this.#model.c.recodec_file_free(this.#handle);
    this.#pixels = this.#handle = 0;
  }

  #check(status) {
    if (status === OK) return;
    const said = this.#handle ? this.#model.text(this.#model.c.recodec_file_message(this.#handle)) : "";
    throw new DecodeError(said || SAID[status] || `error ${status}`, status);
  }
}
