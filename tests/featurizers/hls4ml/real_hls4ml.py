"""Models built by hls4ml itself, without Keras: its own converter of Keras' JSON, with random weights.

``python tests/featurizers/hls4ml/real_hls4ml.py`` in an environment with hls4ml 1.3.0 writes anew what lies in
``projects/``: of each model the parts of the project that are read, and ``model.json``, the question about it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

PROJECTS = Path(__file__).parent / "projects"
PART = "xcu250-figd2104-2L-e"
KEPT = ("firmware/parameters.h", "firmware/defines.h", "firmware/myproject.cpp", "project.tcl")


def layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, "dtype": "float32", **config}}


def dense(name, units, activation="linear"):
    return layer("Dense", name, units=units, activation=activation, use_bias=True)


def conv(rank, name, filters, size, activation="linear", padding="same"):
    return layer(
        f"Conv{rank}D", name, filters=filters, kernel_size=[size] * rank, strides=[1] * rank, padding=padding,
        data_format="channels_last", activation=activation, use_bias=True, dilation_rate=[1] * rank, groups=1,
    )  # fmt: skip


def depthwise(name, size):
    return layer(
        "DepthwiseConv2D", name, kernel_size=[size, size], strides=[1, 1], padding="same", depth_multiplier=1,
        data_format="channels_last", activation="linear", use_bias=True, dilation_rate=[1, 1],
    )  # fmt: skip


def recurrent(class_name, name, units, **config):
    return layer(
        class_name, name, units=units, activation="tanh", recurrent_activation="sigmoid", return_sequences=False,
        return_state=False, use_bias=True, time_major=False, stateful=False, go_backwards=False, **config,
    )  # fmt: skip


def pool(class_name, name, size):
    return layer(
        class_name, name, pool_size=[size, size], strides=[size, size], padding="valid", data_format="channels_last"
    )


def question(name, shape, layers, model, io_type, backend, **names):
    first = layer("InputLayer", "x", batch_input_shape=[None, *shape], sparse=False)
    keras = {"class_name": "Sequential", "config": {"name": name, "layers": [first, *layers]}}
    config = {"Model": model, **({"LayerName": names} if names else {})}
    return {"keras": keras, "hls_config": config, "io_type": io_type, "backend": backend, "part": PART}


def settings(precision, reuse, strategy):
    return {"Precision": precision, "ReuseFactor": reuse, "Strategy": strategy}


QUESTIONS = {
    "jets": question(
        "jets", [16], [dense("fc1", 64, "relu"), dense("fc2", 32, "relu"), dense("fc3", 5, "softmax")],
        settings("ap_fixed<12,4>", 63, "Resource"), "io_parallel", "Vivado",
    ),
    "adders": question(
        "adders", [8], [dense("fc1", 12, "relu"), dense("fc2", 4, "sigmoid")],
        settings("ap_fixed<8,3>", 1, "distributed_arithmetic"), "io_parallel", "Vitis",
    ),
    "images": question(
        "images", [12, 12, 3],
        [
            conv(2, "c1", 8, 3, "relu"), pool("MaxPooling2D", "p1", 2), depthwise("dw", 3), conv(2, "pw", 6, 1),
            layer("BatchNormalization", "b1", axis=[-1], epsilon=1e-3, center=True, scale=True, momentum=0.99),
            layer("Activation", "a1", activation="relu"), pool("AveragePooling2D", "p2", 2),
            layer("Flatten", "f", data_format="channels_last"), dense("out", 4, "softmax"),
        ],
        settings("ap_fixed<10,4>", 4, "Resource"), "io_stream", "Vitis",
        c1={"ReuseFactor": 9, "Strategy": "Resource"}, out={"ReuseFactor": 1, "Strategy": "Latency"},
    ),
    "series": question(
        "series", [20, 4],
        [
            conv(1, "k1", 6, 5, "relu", "valid"),
            layer("GlobalAveragePooling1D", "g", data_format="channels_last", keepdims=False), dense("d", 3, "tanh"),
        ],
        settings("ap_fixed<16,6>", 2, "Latency"), "io_parallel", "Vivado",
    ),
    "gates": question(
        "gates", [10, 6], [recurrent("GRU", "r", 8, reset_after=True), dense("d", 2, "sigmoid")],
        settings("ap_fixed<16,6>", 4, "Resource"), "io_parallel", "Vitis",
    ),
    "memory": question(
        "memory", [10, 6], [recurrent("LSTM", "r", 8), dense("d", 2, "sigmoid")],
        settings("ap_fixed<16,6>", 1, "Latency"), "io_stream", "Vivado",
    ),
}  # fmt: skip


def weight_shapes(name):
    """By (layer, variable), as Keras stores them."""
    shapes, channels = {}, QUESTIONS[name]["keras"]["config"]["layers"][0]["config"]["batch_input_shape"][-1]
    for entry in QUESTIONS[name]["keras"]["config"]["layers"][1:]:
        config, kind = entry["config"], entry["class_name"]
        own, units = config["name"], config.get("units") or config.get("filters") or channels
        if kind in ("GRU", "LSTM"):
            gates = {"GRU": 3, "LSTM": 4}[kind] * units
            shapes[own, "kernel"], shapes[own, "recurrent_kernel"] = (channels, gates), (units, gates)
            shapes[own, "bias"] = (2, gates) if kind == "GRU" else (gates,)
        elif kind == "BatchNormalization":
            shapes.update({(own, v): (channels,) for v in ("gamma", "beta", "moving_mean", "moving_variance")})
        elif kind == "DepthwiseConv2D":
            shapes[own, "depthwise_kernel"], shapes[own, "bias"] = (*config["kernel_size"], channels, 1), (channels,)
        elif "units" in config or "filters" in config:
            shapes[own, "kernel"] = (*config.get("kernel_size", ()), channels, units)
            shapes[own, "bias"] = (units,)
        channels = 54 if kind == "Flatten" else units
    return shapes


def model_graph(name, folder):
    """hls4ml's `ModelGraph` of a model, which writes its project into `folder`."""
    from hls4ml.backends import get_backend
    from hls4ml.converters.keras_v2_to_hls import KerasReader, parse_keras_model
    from hls4ml.model import ModelGraph

    asked, shapes, random = QUESTIONS[name], weight_shapes(name), np.random.default_rng(0)

    class Drawn(KerasReader):
        def get_weights_data(self, layer_name, var_name):
            shape = shapes.get((layer_name, var_name.split(":")[0].split("/")[-1]))
            return None if shape is None else random.uniform(0.1, 1.0, size=shape).astype("float32")

    initial = get_backend(asked["backend"]).create_initial_config(
        part=PART, clock_period=5, io_type=asked["io_type"]
    )  # fmt: skip
    written = {"OutputDir": str(folder), "ProjectName": "myproject", "Backend": asked["backend"], "Stamp": "0"}
    config = {**initial, **written, "Version": "1.0.0", "HLSConfig": asked["hls_config"]}
    layers, inputs, outputs, _ = parse_keras_model(asked["keras"], Drawn())
    return ModelGraph.from_layer_list(config, layers, inputs, outputs)


def keep(name, written):
    folder = PROJECTS / name
    shutil.rmtree(folder, ignore_errors=True)
    for path in KEPT:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        lines = (written / path).read_text().splitlines()
        (folder / path).write_text("\n".join(line.rstrip() for line in lines) + "\n")
    (folder / "model.json").write_text(json.dumps(QUESTIONS[name], indent=1) + "\n")


if __name__ == "__main__":
    for each in QUESTIONS:
        with tempfile.TemporaryDirectory() as scratch:
            model_graph(each, Path(scratch)).write()
            keep(each, Path(scratch))
