// decoder.js in Node: node decode.mjs DECODER LIBRARY MODEL FILE OUT [PIECE]. Writes every picture, and says a line of JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [decoder, library, rcm, path, out, piece = "100"] = process.argv.slice(2);
const { Model, whyNot } = await import(pathToFileURL(decoder));
const said = { whyNot: whyNot(), infos: [], drafts: [], fed: [], error: "", status: 0, ended: false };
const pictures = [], data = readFileSync(path);
try {
  const model = await Model.load(readFileSync(library), readFileSync(rcm));
  said.id = model.id;
  const file = model.open();
  for (let at = 0; at < data.length; at += Number(piece)) {
    file.feed(data.subarray(at, at + Number(piece)));
    let step;
    while ((step = file.next()) === "chunk") {
      said.infos.push(file.info());
      said.fed.push(Math.min(at + Number(piece), data.length));
      const draft = file.draft();
      said.drafts.push({ ...draft, pixels: [...draft.pixels] });
      pictures.push(file.pixels());
    }
    said.ended = step === "end";
  }
  said.opacity = file.opacity()?.length ?? 0;
  file.close();
} catch (error) {
  said.error = error.message;
  said.status = error.status ?? -1;
}
writeFileSync(out, Buffer.concat(pictures.map(({ buffer }) => Buffer.from(buffer))));
console.log(JSON.stringify(said));
