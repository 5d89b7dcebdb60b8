// <recodec-image src="photo.rcd" model="models/ID.rcm" alt="…">: a picture that gets better while its file arrives.
import { play } from "./stream.js";

// Pixels along a side that a draft has one for.
const STRIDE = 8;
// Not a style element, which pages may forbid.
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { display: inline-block; position: relative; max-width: 100%; }
  canvas { display: block; max-width: 100%; height: auto; }
  p { margin: 0; padding: .4em .6em; font: .85rem/1.4 system-ui, sans-serif; color: #fff; background: #7a1f1fe6; }
  p:empty { display: none; }
  canvas[hidden] { display: none; }
  canvas:not([hidden]) + p { position: absolute; left: 0; right: 0; bottom: 0; }
`);

/**
 * Attributes: src, model; alt; speed in kB/s; every, for a picture after each chunk; chunks, after how many it is good enough.
 * Events: "bytes" {received, total}, "draft" {bytes, ms, width, height} before the first "picture" {chunks, bytes, ms, width, height}, "load", "error" {reason}.
 */
class RecodecImage extends HTMLElement {
  static observedAttributes = ["src", "model", "alt"];
  #canvas = document.createElement("canvas");
  #line = document.createElement("p");
  #stop = null;
  #due = false;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [STYLE];
    this.#canvas.hidden = true;
    this.#canvas.part = "picture";
    this.#canvas.setAttribute("role", "img");
    this.#line.part = "line";
    this.#line.setAttribute("role", "status");
    shadow.append(this.#canvas, this.#line);
  }

  connectedCallback() {
    this.restart();
  }

  disconnectedCallback() {
    this.#stop?.abort();
  }

  attributeChangedCallback(name, before, after) {
    if (name === "alt") this.#canvas.setAttribute("aria-label", after ?? "");
    else if (before !== after && this.isConnected) this.restart();
  }

  /** The canvas with the picture so far. */
  get canvas() {
    return this.#canvas;
  }

  /** Once more from the first byte. */
  restart() {
    this.#stop?.abort();
    if (this.#due) return;
    this.#due = true;
    // Several attributes may change at once.
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected && this.getAttribute("src")) this.#play();
    });
  }

  async #play() {
    const stop = (this.#stop = new AbortController()), most = Number(this.getAttribute("chunks")) || Infinity;
    const model = this.getAttribute("model");
    let enough = false;
    this.#say("");
    const reason = !model ? "the attribute model is missing" : await play(this.getAttribute("src"), model, {
      speed: Number(this.getAttribute("speed")) || 0,
      every: this.hasAttribute("every"),
      signal: stop.signal,
      onbytes: (received, total) => this.#tell("bytes", { received, total }),
      ondraft: (draft) => {
        if (!stop.signal.aborted) this.#sketch(draft);
      },
      onpicture: (picture) => {
        if (stop.signal.aborted) return;
        this.#show(picture);
        if (picture.chunks >= most) {
          enough = true;
          stop.abort();
        }
      },
    });
    if (stop.signal.aborted && !enough) return;
    this.#say(reason);
    this.#tell(reason ? "error" : "load", { reason });
  }

  #show({ pixels, width, height, ...others }) {
    this.#sized(width, height).putImageData(new ImageData(pixels, width, height), 0, 0);
    this.#tell("picture", { width, height, ...others });
  }

  #sketch({ rough, width, height, ...others }) {
    const small = new OffscreenCanvas(rough.width, rough.height);
    small.getContext("2d").putImageData(new ImageData(rough.pixels, rough.width, rough.height), 0, 0);
    this.#sized(width, height).drawImage(small, 0, 0, STRIDE * rough.width, STRIDE * rough.height);
    this.#tell("draft", { width, height, ...others });
  }

  #sized(width, height) {
    // Setting a side clears the canvas.
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#canvas.hidden = false;
    return this.#canvas.getContext("2d");
  }

  #say(reason) {
    this.#line.textContent = reason;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("recodec-image", RecodecImage);
