"""Sound requests of every kind, from which `mutations` makes unsound ones."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from costmodel.benchmarks.mlir_fuzz import SEEDS as MLIR_SEEDS
from costmodel.benchmarks.mlir_fuzz import bytecode
from costmodel.benchmarks.mutators import zipped
from costmodel.predictor import Predictor

_CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
_MEASURED = [
    {"input": {"nasbench201": _CELL.replace("skip_connect", name)}, "value": 3.0 + i}
    for i, name in enumerate(("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
]
_OFA = {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": 224}
_LSCPU = {
    "lscpu": [
        {"field": "Architecture:", "data": "x86_64"},
        {"field": "CPU(s):", "data": "8", "children": [{"field": "On-line CPU(s) list:", "data": "0-7"}]},
        {"field": "Vendor ID:", "data": "GenuineIntel", "children": [
            {"field": "Model name:", "data": "Intel(R) Xeon(R) Platinum 8488C", "children": [
                {"field": "CPU family:", "data": "6"}, {"field": "Model:", "data": "143"},
                {"field": "Thread(s) per core:", "data": "2"}, {"field": "Core(s) per socket:", "data": "4"},
                {"field": "Socket(s):", "data": "1"}, {"field": "CPU max MHz:", "data": "3800.0000"},
                {"field": "Flags:", "data": "fpu vme de avx avx2 avx512f amx_tile"}]}]},
        {"field": "L3 cache:", "data": "105 MiB (1 instance)"},
    ]
}  # fmt: skip
_FIELDS = {"cpu_model": "AMD EPYC 7R13", "logical_cpus": 16, "memory_gb": 64, "max_ghz": 3.6}
_KERAS = {
    "class_name": "Functional", "keras_version": "2.15.0", "config": {"name": "cnn", "layers": [
        {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [None, 8, 8, 3]},
         "inbound_nodes": []},
        {"class_name": "QConv2D", "name": "c1", "inbound_nodes": [[["x", 0, 0, {}]]], "config": {
            "name": "c1", "filters": 4, "kernel_size": [3, 3], "padding": "same",
            "kernel_quantizer": "quantized_bits(4,0,alpha=1)", "activation": "quantized_relu(6)"}},
        {"class_name": "GlobalAveragePooling2D", "name": "g", "config": {"name": "g"},
         "inbound_nodes": [[["c1", 0, 0, {}]]]},
        {"class_name": "Dense", "name": "out", "config": {"name": "out", "units": 2, "activation": "softmax"},
         "inbound_nodes": [[["g", 0, 0, {}]]]},
    ]},
}  # fmt: skip
_LAYERS = {
    "input_shape": [16], "part": "xcu250", "clock_period": 5.0, "io_type": "io_parallel", "backend": "vitis",
    "layers": [
        {"class": "Dense", "name": "fc1", "units": 64, "weight": "fixed<8,1>", "reuse_factor": 16,
         "strategy": "resource", "activation": "relu"},
        {"class": "Dense", "name": "fc2", "units": 5, "weight": "fixed<8,1>", "reuse_factor": 4},
    ],
}  # fmt: skip
_CONFIG = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 8, "Strategy": "Resource"}}
_PARAMETERS = """struct config2 : nnet::dense_config {
    static const unsigned n_in = N_INPUT_1_1;
    static const unsigned n_out = N_LAYER_2;
    static const unsigned io_type = nnet::io_parallel;
    static const unsigned strategy = nnet::resource;
    static const unsigned reuse_factor = 8;
    static const unsigned n_zeros = 0;
    static const unsigned n_nonzeros = 512;
    typedef ap_fixed<16,6> accum_t;
    typedef ap_fixed<16,6> weight_t;
};
struct relu_config4 : nnet::activ_config {
    static const unsigned n_in = N_LAYER_2;
};
"""
_DEFINES = "#define N_INPUT_1_1 16\n#define N_LAYER_2 32\ntypedef ap_fixed<16,6> input_t;\n"


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound request. form : how it may be changed (``json``, ``onnx``, ``zip``, ``mlir`` or ``bytes``)."""

    name: str
    path: str
    content_type: str
    body: bytes
    form: str


def seeds(kind: str, predictor: Predictor) -> list[Seed]:
    """Of every form of input that the kind takes here, by the routes of `/v1`, and some by `/v2` and `/invocations`."""
    device = next(iter(predictor.devices))
    target = predictor.devices[device].targets[0]
    raws, files = _RAWS[kind]()
    found = [
        Seed(f"{operation} {name}", f"/v1/{operation}/{kind}", "application/json",
             json.dumps({"device": device, "target": target, "inputs": [raw]}).encode(), "json")
        for name, raw in raws.items() for operation in ("predict", "rank", "explain")
    ]  # fmt: skip
    for name, (field, content, form) in files.items():
        query = urlencode({"device": device, "target": target, "field": field})
        found += [
            Seed(f"{operation} {name}", f"/v1/{operation}/{kind}?{query}", "application/octet-stream", content, form)
            for operation in ("predict", "predict", "explain")
        ]
    text = json.dumps(next(iter(raws.values())))
    tensor = {"name": "input", "shape": [1], "datatype": "BYTES", "data": [text]}
    asked = {"inputs": [tensor], "parameters": {"device": device, "target": target}}
    invoked = {"inputs": [text], "params": {"kind": kind, "device": device}}
    found.append(Seed("infer", f"/v2/models/{predictor.name}/infer", "application/json", _json(asked), "json"))
    found.append(Seed("invocations", "/invocations", "application/json", _json(invoked), "json"))
    return found + [
        Seed(path, path, "application/json", _json(question), "json")
        for path, question in _OTHERS.get(kind, {}).items()
    ]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


Forms = tuple[Mapping[str, Any], Mapping[str, tuple[str, bytes, str]]]
"""Raw inputs in JSON by name; and by name a field, the bytes of its file and how these may be changed."""


def _network() -> Forms:
    from costmodel.zoo import build, sample_specs, size

    specs = sorted(sample_specs(60, seed=2), key=lambda spec: size(spec).nodes)[5:40:7]
    models = [build(spec, weights=False).SerializeToString() for spec in specs]
    raws = {
        "cell": {"nasbench201": _CELL},
        "fbnet": {"fbnet": [3] * 22},
        "ofa": {"ofa": _OFA, "batch": 1},
        "onnx in JSON": {"onnx": base64.b64encode(models[0]).decode(), "allow_unknown_ops": True},
    }
    files = {f"onnx {i}": ("onnx", model, "onnx") for i, model in enumerate(models)}
    return raws, files | _pt2()


def _pt2() -> dict[str, tuple[str, bytes, str]]:
    """Exported by torch, where it is installed."""
    try:
        import torch
    except ImportError:
        return {}
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    stream = io.BytesIO()
    torch.export.save(torch.export.export(layers.eval(), (torch.zeros(1, 3, 8, 8),)), stream)
    return {"pt2": ("pt2", stream.getvalue(), "zip")}


def _cpu() -> Forms:
    return {"type": {"server": "aws/m7i.large"}, "fields": _FIELDS, "lscpu": {"lscpu": _LSCPU, "memory_gb": 32}}, {}


def _hls4ml() -> Forms:
    project = {"p/firmware/parameters.h": _PARAMETERS, "p/firmware/defines.h": _DEFINES,
               "p/hls4ml_config.yml": "Part: zcu102\nHLSConfig:\n  Model: {ReuseFactor: 8}\n"}  # fmt: skip
    keras = {"config.json": json.dumps(_KERAS), "metadata.json": '{"keras_version": "3.4.1"}'}
    raws = {
        "layers": _LAYERS,
        "keras": {"keras": _KERAS, "hls_config": _CONFIG, "part": "zcu102", "clock_period": 5},
        "project": {"project": base64.b64encode(zipped(project)).decode()},
    }
    files = {
        "keras archive": ("keras", zipped(keras), "zip"),
        "keras json": ("keras", json.dumps(_KERAS).encode(), "json file"),
        "project archive": ("project", zipped(project), "zip"),
        "onnx": ("onnx", _mlp(), "onnx"),
    }
    return raws, files | _pt2()


def _mlp() -> bytes:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = [
        numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in (("w", (16, 8)), ("b", (8,)))
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="fc"),
        helper.make_node("Relu", ["h"], ["y"], name="r"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 16), ("y", 8))]
    graph = helper.make_graph(nodes, "mlp", values[:1], values[1:], weights)
    content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    return content


def _mlir() -> Forms:
    raws = {f"text {i}": {"mlir": text, "dims": {"*": 8}} for i, text in enumerate(MLIR_SEEDS)}
    static = MLIR_SEEDS[:3]
    files = {f"file {i}": ("file", text.encode(), "mlir") for i, text in enumerate(static)}
    return raws, files | {f"bytecode {i}": ("file", code, "bytes") for i, code in enumerate(bytecode(static))}


_RAWS: dict[str, Callable[[], Forms]] = {"network": _network, "cpu": _cpu, "hls4ml": _hls4ml, "mlir": _mlir}
_OTHERS: dict[str, dict[str, Any]] = {
    "cpu": {
        "/v1/adapt/cpu": {"input": {"server": "aws/m7i.large"}, "known": {"passmark:CPU_SINGLETHREAD": 2700.0}},
        "/v1/what-if/cpu": {"input": {"server": "aws/m7i.large"}, "set": {"memory_gb": 64}, "scale": {"max_ghz": 1.1}},
    },
    "hls4ml": {"/v1/advise/hls4ml": {"input": _LAYERS, "reuse_factors": [1, 4], "weight_bits": [4, 8]}},
    "network": {
        "/v1/devices/plan": {"space": "nasbench201", "n": 5},
        "/v1/devices": {"name": "p", "measurements": [{**each, "unit": "ms"} for each in _MEASURED]},
        "/v1/measurements": {
            "kind": "network",
            "device": "sim-scalesim-ws64x64",
            "target": "latency_ms",
            "measurements": _MEASURED[:1],
        },
    },
}
