/** The same question by curl, from Python and from a shell: each runs as it stands. */

import { h, saveButton } from "./dom.js";

const INLINE = 3000;
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * operation: predict or explain. input: {raw, file, options, query, target, saves} - `file` is the File that `raw` holds in
 * base64, `options` its other fields as the command line names them, `target` the only quantity asked for, `saves` texts
 * by file name that the command line reads. An input that is too long to be typed is saved and read from a file.
 */
export function samples(operation, kind, devices, { raw, file, options = [], query = [], target = "", saves = [] }) {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  const json = JSON.stringify(raw), asked = operation === "explain" ? devices.slice(0, 1) : devices;
  const given = { operation, kind, asked, base, json, raw, file, target, options: target ? [...options, `--target ${quoted(target)}`] : options,
    query: target ? [...query, ["target", target]] : query };
  const calls = file ? ofFile(given) : json.length <= INLINE ? inline(given) : ofLines(given);
  const block = (name, text) => [h("h3", {}, name), h("pre", { tabindex: "0", "aria-label": `${name} call` }, text)];
  return h("details", { class: "samples" }, h("summary", {}, "The same from curl, Python and a shell"),
    calls.lines && saveButton("inputs.jsonl", "application/json", "Save the input", () => `${json}\n`),
    saves.map(([name, text]) => saveButton(name, "text/plain", `Save ${name}`, () => text)),
    block("curl", calls.curl), block("Python", calls.python), block("Shell", calls.shell));
}

const flags = ({ asked, options }) => [...asked.map((device) => `--device ${quoted(device)}`), ...options].map((option) => ` ${option}`).join("");
const body = ({ asked, target }, inputs) => `{"devices": ${JSON.stringify(asked)}, ${target ? `"target": ${JSON.stringify(target)}, ` : ""}"inputs": [${inputs}]}`;

function python({ operation, kind, asked, base, target }, before, input) {
  const call = operation === "explain" ? `client.explain("${kind}", ${input}, ${JSON.stringify(asked[0])}${target ? `, ${JSON.stringify(target)}` : ""})` : `client.predict("${kind}", [${input}], ${JSON.stringify(asked)})`;
  return `${before}from costmodel.client import Client\n\nwith Client("${base}") as client:\n    print(${call})`;
}

function inline(given) {
  const { operation, kind, base, json } = given;
  return { curl: `curl --json ${quoted(body(given, json))} ${base}/v1/${operation}/${kind}`,
    python: python(given, "import json\n\n", `json.loads(r'''${json}''')`),
    shell: `costmodel ${operation} --kind ${kind}${flags(given)} --inputs - <<'END'\n${json}\nEND` };
}

function ofLines(given) {
  const { operation, kind, base } = given;
  return { lines: true,
    curl: `printf ${quoted(body(given, "%s"))} "$(cat inputs.jsonl)" |\n  curl --json @- ${base}/v1/${operation}/${kind}`,
    python: python(given, "import json\n\n", `json.load(open("inputs.jsonl"))`),
    shell: `costmodel ${operation} --kind ${kind}${flags(given)} --inputs inputs.jsonl` };
}

function ofFile(given) {
  const { operation, kind, asked, base, raw, file, query } = given;
  const [name] = Object.keys(raw), url = `${base}/v1/${operation}/${kind}`;
  const parameters = [...asked.map((device) => ["device", device]), ...query].map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  const others = Object.entries(raw).slice(1);
  const text = others.length ? `{"${name}": open(${JSON.stringify(file.name)}, "rb").read(), **json.loads(r'''${JSON.stringify(Object.fromEntries(others))}''')}` : `{"${name}": open(${JSON.stringify(file.name)}, "rb").read()}`;
  const form = others.filter(([key]) => key !== "dims").map(([key, value]) => ` -F ${quoted(`${key}=${value}`)}`).join("");
  const curl = form ? `curl -F ${quoted(`${name}=@${file.name}`)}${form} ${quoted(`${url}?${parameters}`)}`
    : `curl --data-binary ${quoted(`@${file.name}`)} -H 'Content-Type: application/octet-stream' ${quoted(`${url}?${parameters}`)}`;
  return { curl, python: python(given, others.length ? "import json\n\n" : "", text),
    shell: `costmodel ${operation} ${quoted(file.name)} --kind ${kind}${flags(given)}` };
}
