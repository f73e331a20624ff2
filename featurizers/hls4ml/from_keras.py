"""Keras models without TensorFlow: JSON (Keras 2 and 3), ``.keras`` archives and ``.h5`` files (with h5py)."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.archives import read_members
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.design import MAX_LAYERS, check_size
from featurizers.hls4ml.keras_layers import build_keras_layer
from featurizers.hls4ml.keras_site import Shape, Site, plain_class

MAX_JSON_BYTES = 64 << 20
_KNOWN_MAJORS = ("2", "3")
_WRAPPERS = ("TimeDistributed", "PruneLowMagnitude", "QuantizeWrapper", "QuantizeWrapperV2")
_H5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_keras(raw: object) -> tuple[list[FoundLayer], str]:
    """(layers, model's name) of a Keras model as a dict, JSON text, or the bytes of a file. Raises InputError."""
    model, version = _document(raw)
    major = str(version or "2").split(".")[0]
    if major not in _KNOWN_MAJORS:
        raise InputError(
            "The Keras model",
            f"must be of Keras major version {' or '.join(_KNOWN_MAJORS)}",
            version,
            where="keras_version",
        )
    config = model.get("config")
    if isinstance(config, list):
        config = {"layers": config}
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
        raise InputError("The Keras model", "must have config.layers", model.get("class_name"), where="config")
    if len(config["layers"]) > MAX_LAYERS:
        raise LimitError("The Keras model", f"must have at most {MAX_LAYERS} layers", len(config["layers"]))
    return _Walk().run(config), str(config.get("name", ""))


def _document(raw: object) -> tuple[Mapping[str, Any], object]:
    version: object = None
    if isinstance(raw, str) and not raw.lstrip().startswith(("{", "[")):
        raw = _from_base64(raw)
    if isinstance(raw, bytes):
        raw, version = _from_bytes(raw)
    if isinstance(raw, str):
        raw = _json(raw)
    if not isinstance(raw, Mapping):
        raise InputError(
            "The Keras model", "must be an object, its JSON, or the bytes of a .keras or .h5 file", raw, where="keras"
        )
    return raw, raw.get("keras_version", version)


def _from_base64(text: str) -> bytes:
    """A file as JSON can carry it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        rule = "must be an object, valid JSON, or a .keras or .h5 file in base64"
        raise InputError("The Keras model", rule, text, where="keras") from error


def _json(text: str | bytes) -> Any:
    if len(text) > MAX_JSON_BYTES:
        raise LimitError("The Keras JSON", f"must be at most {MAX_JSON_BYTES} bytes", len(text))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "keras"
        raise InputError("The Keras model", "must be valid JSON", str(error)[:80], where=place) from error


def _from_bytes(data: bytes) -> tuple[Any, object]:
    if data.startswith(_H5_MAGIC):
        return _from_h5(data)
    if data[:2] == b"PK":
        members = read_members(data, lambda name: name in ("config.json", "metadata.json"))
        if "config.json" not in members:
            raise InputError("The .keras file", "must contain config.json", sorted(members))
        metadata = _json(members.get("metadata.json", b"{}"))
        return _json(members["config.json"]), metadata.get("keras_version", "3")
    return _json(data), None


def _from_h5(data: bytes) -> tuple[Any, object]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            "An .h5 model",
            "needs the package h5py (pip install h5py), or save it as .keras or JSON",
            f"{len(data)} bytes",
        ) from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError("The .h5 model", "must be a readable HDF5 file", str(error)[:80]) from error
    if config is None:
        raise InputError("The .h5 model", "must contain the model, not its weights alone", where="model_config")
    text = config.decode() if isinstance(config, bytes) else str(config)
    return _json(text), version.decode() if isinstance(version, bytes) else version


class _Walk:
    """Layers in the order of the model, each given the shapes that reach it."""

    def __init__(self) -> None:
        self.found: list[FoundLayer] = []
        self.shapes: dict[str, Shape] = {}
        self.tails: dict[str, tuple[str, ...]] = {}
        self.last: str | None = None

    def run(self, model: Mapping[str, Any]) -> list[FoundLayer]:
        build_input = model.get("build_input_shape")
        for index, layer in enumerate(model["layers"]):
            if not isinstance(layer, Mapping) or not isinstance(layer.get("config"), Mapping):
                raise InputError(
                    "A Keras layer", "must have class_name and config", layer, where=f"config.layers[{index}]"
                )
            if self.last is None and isinstance(build_input, list) and not self.shapes:
                self._start("", _batchless(build_input, "build_input_shape"))
            self._layer(layer, f"layer_{index}")
        return self.found

    def _layer(self, layer: Mapping[str, Any], fallback: str) -> None:
        config: Mapping[str, Any] = layer["config"]
        name = str(config.get("name") or layer.get("name") or fallback)
        class_name = plain_class(str(layer.get("class_name", "")))
        if class_name in _WRAPPERS and isinstance(config.get("layer"), Mapping):
            inner: Mapping[str, Any] = config["layer"]
            class_name, config = plain_class(str(inner.get("class_name", ""))), inner.get("config", {})
        if class_name in ("Sequential", "Functional", "Model"):
            raise InputError(f"The nested model '{name}'", "must be flattened into its parent", class_name, where=name)
        declared = config.get("batch_input_shape") or config.get("batch_shape")
        if class_name == "InputLayer":
            self._start(name, _batchless(declared, name))
            return
        if declared is not None and self.last is None and not layer.get("inbound_nodes"):
            self._start(f"{name}_input", _batchless(declared, name))
        self._place(name, class_name, config, self._sources(layer, name))

    def _start(self, name: str, shape: Shape) -> None:
        self.shapes[name], self.tails[name], self.last = shape, (name,), name
        size = 1
        for dimension in shape:
            size *= dimension
        if name:
            self.found.append(FoundLayer(name, "input", ("inputlayer", "input"), in_elements=size, out_elements=size))
        else:
            self.tails[name] = ()

    def _sources(self, layer: Mapping[str, Any], name: str) -> list[str]:
        nodes = layer.get("inbound_nodes")
        if nodes:
            sources = list(dict.fromkeys(_inbound(nodes)))
            for source in sources:
                if source not in self.shapes:
                    raise InputError(
                        f"The input '{source}' of layer '{name}'",
                        "must be a layer above it",
                        source,
                        where=f"layer '{name}'",
                    )
            return sources
        return [] if self.last is None else [self.last]

    def _place(self, name: str, class_name: str, config: Mapping[str, Any], sources: Sequence[str]) -> None:
        inputs = tuple(tail for source in sources for tail in self.tails[source])
        site = Site(class_name, name, config, inputs, tuple(self.shapes[source] for source in sources))
        layers, out = build_keras_layer(site)
        self.found.extend(layers)
        self.shapes[name] = out
        self.tails[name] = (layers[-1].name,) if layers else inputs
        self.last = name


def _inbound(nodes: object) -> Iterator[str]:
    """Names of the layers that feed, from Keras 2's nested lists or Keras 3's ``keras_history``."""
    if isinstance(nodes, Mapping):
        history = (
            nodes.get("config", {}).get("keras_history") if nodes.get("class_name") == "__keras_tensor__" else None
        )
        if history:
            yield str(history[0])
            return
        for value in nodes.values():
            yield from _inbound(value)
    elif isinstance(nodes, list):
        if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
            yield nodes[0]
            return
        for item in nodes:
            yield from _inbound(item)


def _batchless(shape: object, name: str) -> Shape:
    while isinstance(shape, list) and len(shape) == 1 and isinstance(shape[0], list):
        shape = shape[0]
    if not isinstance(shape, (list, tuple)) or len(shape) < 1:
        raise InputError(f"The input shape of '{name}'", "must be given", shape, where=name)
    return tuple(check_size(size, f"input shape of '{name}'", name) for size in shape[1:])
