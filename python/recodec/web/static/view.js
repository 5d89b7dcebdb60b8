import "./recodec-image.js";

// kB/s, by place of the slider; the last is no limit.
const SPEEDS = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 0];
// Enough of a file for a small picture, in chunks.
const SMALL = 6;
const part = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

const pictures = await (await fetch("pictures.json")).json();
let shown = pictures[0], start = 0, busy = true;

function show(picture) {
  shown = picture;
  document.title = picture.name;
  part("name").textContent = picture.name;
  part("about").textContent = `${picture.width} × ${picture.height}, ${number.format(picture.bytes)} bytes, ` +
    `${((8 * picture.bytes) / picture.width / picture.height).toFixed(2)} bpp`;
  part("note").textContent = picture.note;
  part("picture").style.aspectRatio = `${picture.width} / ${picture.height}`;
  part("picture").setAttribute("alt", picture.name);
  part("picture").setAttribute("model", picture.model);
  for (const link of part("gallery").children) link.toggleAttribute("aria-current", link.picture === picture);
  again(picture.file);
}

function again(file) {
  const speed = SPEEDS[part("speed").value];
  part("kilobytes").value = speed ? `${number.format(speed)} kB/s` : "no limit";
  for (const id of ["chunk", "bytes", "time", "ms"]) part(id).textContent = "–";
  part("came").style.width = "0";
  start = 0;
  busy = true;
  part("picture").setAttribute("speed", speed);
  if (part("picture").getAttribute("src") === file) part("picture").restart();
  else part("picture").setAttribute("src", file);
}

part("picture").addEventListener("bytes", ({ detail: { received } }) => {
  start ||= performance.now();
  part("came").style.width = `${(100 * received) / shown.bytes}%`;
  part("bytes").textContent = `${number.format(received)} of ${number.format(shown.bytes)}`;
});
part("picture").addEventListener("picture", ({ detail: { chunks, ms } }) => {
  part("chunk").textContent = `${chunks} of ${shown.chunks}`;
  part("time").textContent = `${((performance.now() - start) / 1000).toFixed(2)} s`;
  part("ms").textContent = `${Math.round(ms)} ms`;
});
for (const end of ["load", "error"]) {
  part("picture").addEventListener(end, () => {
    busy = false;
    small();
  });
}
part("speed").addEventListener("input", () => again(shown.file));
part("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  again(shown.file);
});

// Small pictures one by one, while the large one needs nothing, and only those that are in sight.
const waiting = new Set();
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) waiting[isIntersecting ? "add" : "delete"](target);
  small();
});

function small() {
  const [image] = waiting;
  if (busy || !image) return;
  sight.unobserve(image);
  waiting.delete(image);
  busy = true;
  const next = () => {
    busy = false;
    small();
  };
  image.addEventListener("load", next, { once: true });
  image.addEventListener("error", next, { once: true });
  image.setAttribute("src", image.picture.file);
}

function linkTo(picture) {
  const link = document.createElement("a"), image = document.createElement("recodec-image");
  const name = document.createElement("span");
  link.picture = image.picture = picture;
  link.href = "#";
  name.textContent = picture.name;
  image.setAttribute("model", picture.model);
  image.setAttribute("chunks", SMALL);
  link.append(image, name);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    show(picture);
    scrollTo({ top: 0, behavior: "smooth" });
  });
  sight.observe(image);
  return link;
}

if (pictures.length > 1) {
  part("gallery").hidden = false;
  part("gallery").append(...pictures.map(linkTo));
}
// As --speed has it, or what is nearest.
const asked = Number(new URLSearchParams(location.search).get("speed") ?? 50);
const far = (speed) => Math.abs(Math.log(speed / asked));
part("speed").value = asked > 0 ? SPEEDS.reduce((best, speed, i) => (speed && far(speed) < far(SPEEDS[best]) ? i : best), 0) : SPEEDS.length - 1;
show(shown);
