/** What the user can give for each kind of input: the fields shown, and how they become one raw input of the API. */

import { field, h } from "./dom.js";
import { base64, filePlace } from "./parts.js";

const CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|";
const DENSE = JSON.stringify({
  input_shape: [16],
  layers: [
    { class: "Dense", name: "fc1", units: 64, activation: "relu", weight: "fixed<8,3>", reuse_factor: 4 },
    { class: "Dense", name: "fc2", units: 5, weight: "fixed<8,3>", reuse_factor: 4 },
  ],
  part: "xcu250-figd2104-2L-e",
  clock_period: 5,
}, null, 1);
const LOOP = `func.func @matmul(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) {
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 64 {
      affine.for %k = 0 to 64 {
        %0 = affine.load %a[%i, %k] : memref<64x64xf32>
        %1 = affine.load %b[%k, %j] : memref<64x64xf32>
        %2 = affine.load %c[%i, %j] : memref<64x64xf32>
        %3 = arith.mulf %0, %1 : f32
        %4 = arith.addf %2, %3 : f32
        affine.store %4, %c[%i, %j] : memref<64x64xf32>
      }
    }
  }
  return
}`;

function textArea(name, value, rows = 8) {
  return h("textarea", { name, rows, spellcheck: "false", value });
}

/** `name=size` pairs, as the API wants them. */
function sizes(text) {
  const pairs = text.split(/[\s,]+/).filter(Boolean).map((pair) => pair.split("="));
  return pairs.length ? { dims: Object.fromEntries(pairs.map(([name, size]) => [name, Number(size)])) } : {};
}

function network() {
  let file = null;
  const cell = h("input", { name: "cell", value: CELL });
  const dims = h("input", { name: "dims", placeholder: "batch=1" });
  return {
    form: [filePlace("ONNX file or torch.export archive", ".onnx,.pt2", (taken) => { file = taken; }),
      field("or a NAS-Bench-201 cell", cell), field("Sizes of dynamic dimensions", dims, "name=size, for example batch=1")],
    async raw() {
      if (!file) return { nasbench201: cell.value.trim() };
      return { [file.name.endsWith(".pt2") ? "pt2" : "onnx"]: await base64(file), ...sizes(dims.value) };
    },
    calls() {
      const named = Object.entries(sizes(dims.value).dims || {}).map(([name, size]) => `${name}=${size}`);
      return { file, options: named.map((pair) => `--dim ${pair}`), query: named.map((pair) => ["dim", pair]) };
    },
  };
}

function mlir() {
  const text = textArea("mlir", LOOP, 16);
  const dims = h("input", { name: "dims", placeholder: "arg0.0=128" });
  return {
    form: [field("MLIR text", text), filePlace("or a file", ".mlir", async (taken) => { text.value = await taken.text(); }),
      field("Sizes of dynamic dimensions", dims, "name=size")],
    raw: async () => ({ mlir: text.value, ...sizes(dims.value) }),
    source: () => text.value,
  };
}

function hls4ml() {
  let file = null;
  const fields = textArea("design", DENSE, 12);
  const config = textArea("config", "", 4);
  const part = h("input", { name: "part", placeholder: "xcu250-figd2104-2L-e" });
  return {
    form: [field("Layers by their fields", fields), filePlace("or a Keras, ONNX or project file", ".keras,.h5,.json,.onnx,.zip", (taken) => { file = taken; }),
      field("with its hls4ml configuration (YAML or JSON)", config), field("and its part", part)],
    async raw() {
      if (!file) return JSON.parse(fields.value);
      const name = file.name.endsWith(".onnx") ? "onnx" : file.name.endsWith(".zip") ? "project" : "keras";
      const content = file.name.endsWith(".json") ? await file.text() : await base64(file);
      return { [name]: content, ...(config.value.trim() && { hls_config: config.value }), ...(part.value.trim() && { part: part.value.trim() }) };
    },
    calls() {
      const option = (name, value) => (value ? [`--${name} '${value}'`] : []);
      const saves = file && config.value.trim() ? [["config.yml", config.value]] : [];
      return { file, saves, options: [...(config.value.trim() ? ["--hls-config config.yml"] : []), ...option("part", part.value.trim())] };
    },
  };
}

function cpu() {
  const server = h("input", { name: "server", value: "aws/m7i.large" });
  const lscpu = textArea("lscpu", "", 6);
  return {
    form: [field("A cloud server type", server, "aws/m7i.large, azure/Standard_D8as_v5, gcp/n2-standard-8"), field("or what lscpu -J prints", lscpu, "Given, it goes before the server type."),
      filePlace("or a file of it", ".json,.txt", async (taken) => { lscpu.value = await taken.text(); })],
    raw: async () => (lscpu.value.trim() ? { lscpu: lscpu.value } : { server: server.value.trim() }),
  };
}

function other() {
  const text = textArea("raw", "{}");
  return { form: [field("The input as JSON", text)], raw: async () => JSON.parse(text.value) };
}

export const FORMS = { network, mlir, hls4ml, cpu };

/** The form of a kind; a kind that this page does not know takes JSON. */
export const formOf = (kind) => (FORMS[kind] || other)();
