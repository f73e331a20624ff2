/** The same question by curl, from Python and from a shell. */

import { h } from "./dom.js";

const LONG = 300;

function shortened(raw) {
  return Object.fromEntries(Object.entries(raw).map(([name, value]) =>
    [name, typeof value === "string" && value.length > LONG ? `${value.slice(0, 40)}…` : value]));
}

/** operation: predict, rank or explain; file: a File when the input is one, so that the calls name it. */
export function samples(operation, kind, device, raw, file) {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  const json = JSON.stringify({ device, inputs: [shortened(raw)] });
  const curl = file
    ? `curl --data-binary @${file.name} -H 'Content-Type: application/octet-stream' '${base}/v1/${operation}/${kind}?device=${encodeURIComponent(device)}'`
    : `curl --json '${json.replaceAll("'", "'\\''")}' ${base}/v1/${operation}/${kind}`;
  const input = file ? `{"${Object.keys(raw)[0]}": open("${file.name}", "rb").read()}` : JSON.stringify(shortened(raw));
  const call = operation === "explain" ? `client.explain("${kind}", ${input}, "${device}")` : `client.predict("${kind}", [${input}], ["${device}"])`;
  const python = `from costmodel.client import Client\n\nwith Client("${base}") as client:\n    print(${call})`;
  const cli = file ? `costmodel ${operation} ${file.name} --device ${device}` : `costmodel ${operation} --kind ${kind} --device ${device} --inputs inputs.jsonl   # one JSON object per line`;
  const block = (name, text) => [h("h3", {}, name), h("pre", { tabindex: "0", "aria-label": `${name} call` }, text)];
  return h("details", {}, h("summary", {}, "The same from curl, Python and a shell"), block("curl", curl), block("Python", python), block("Shell", cli));
}
