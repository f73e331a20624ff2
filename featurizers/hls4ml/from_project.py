"""A written hls4ml project: what ``firmware`` holds is built, whatever the yml says.

``parameters.h`` has the sizes, ``defines.h`` the types, the top function (``firmware/<name>.cpp``) the names of layers
and their order. Without the top function layers are taken as ``parameters.h`` lists them, each fed by the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from featurizers.errors import InputError
from featurizers.hls4ml.archives import read_folder, read_members
from featurizers.hls4ml.attributes import layers_of
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.config import check_strategy
from featurizers.hls4ml.firmware_calls import Call, array_sizes, read_calls, size_of
from featurizers.hls4ml.precision import Precision, parse_precision

_WANTED = ("parameters.h", "defines.h", "hls4ml_config.yml", "build_prj.tcl", "project.tcl")
_STRUCT = re.compile(r"struct\s+(\w+)\s*:\s*nnet::(\w+)\s*\{(.*?)\n\};", re.S)
_CONSTANT = re.compile(r"static\s+const\s+\w+(?:\s+\w+)?\s+(\w+)\s*=\s*([^;]+);")
_TYPEDEF = re.compile(r"typedef\s+(.+?)\s+(\w+)\s*;")
_DEFINE = re.compile(r"^\s*#define\s+(\w+)\s+(\d+)\s*$", re.M)
_COMMENT = re.compile(r"//\s*([\w./-]+)\s*$")
_ARRAY = re.compile(r"nnet::array<\s*(.+)\s*,([^,]*)>$")
_ALIAS = re.compile(r"typedef\s+(\w+)\s+\w+\s*;")
_TOP = re.compile(r"(^|/)firmware/\w+\.cpp$")
_TOP_FILE = "top.cpp"
_KINDS: Final[dict[str, str]] = {
    "dense_config": "dense",
    "conv1d_config": "conv1d",
    "conv2d_config": "conv2d",
    "depthwise_conv1d_config": "depthwise_conv1d",
    "depthwise_conv2d_config": "depthwise_conv2d",
    "activ_config": "activation",
    "hard_activ_config": "activation",
    "param_activ_config": "activation",
    "softmax_config": "softmax",
    "batchnorm_config": "batch_norm",
    "batchnorm_quantized_tanh_config": "batch_norm",
    "pooling1d_config": "pooling",
    "pooling2d_config": "pooling",
    "global_pooling1d_config": "global_pooling",
    "global_pooling2d_config": "global_pooling",
    "merge_config": "merge",
    "concat_config": "concat",
    "dot_config": "dot",
    "gru_config": "gru",
    "lstm_config": "lstm",
    "embed_config": "embedding",
    "resize_config": "resize",
    "padding1d_config": "padding",
    "padding2d_config": "padding",
    "transpose_config": "reshape",
}
_INNER = re.compile(r"_mult$|_mult_")


def read_project(raw: object) -> tuple[list[FoundLayer], str | None, dict[str, str]]:
    """(layers, yml text, facts of the build script) of a project folder (`Path`), archive (bytes) or files (mapping).

    Raises InputError. A folder's path is only taken as a `Path` object, never as text that came over a network.
    """
    files = _files(raw)
    parameters, defines = files.get("parameters.h"), files.get("defines.h", "")
    if parameters is None:
        raise InputError("The hls4ml project", "must contain firmware/parameters.h", sorted(files), where="project")
    written = _Written(parameters, defines, files.get(_TOP_FILE, ""))
    layers = written.called() if written.calls else written.listed()
    if not layers:
        raise InputError("firmware/parameters.h", "must define at least one nnet layer", where="parameters.h")
    facts = _facts(files)
    if "nnet::io_stream" in parameters:
        facts.setdefault("io_type", "io_stream")
    return layers, files.get("hls4ml_config.yml"), facts


def _files(raw: object) -> dict[str, str]:
    if isinstance(raw, Path):
        members = read_folder(raw, _is_wanted)
    elif isinstance(raw, bytes):
        members = read_members(raw, _is_wanted)
    elif isinstance(raw, Mapping):
        members = {str(n): t.encode() if isinstance(t, str) else bytes(t) for n, t in raw.items() if _is_wanted(str(n))}
    else:
        raise InputError(
            "The project",
            "must be a folder, an archive's bytes or a mapping of files",
            type(raw).__name__,
            where="project",
        )
    found = {}
    for name, content in members.items():
        found[_TOP_FILE if _TOP.search(name) else name.rsplit("/", 1)[-1]] = content.decode("utf-8", "replace")
    return found


def _is_wanted(name: str) -> bool:
    return name.rsplit("/", 1)[-1] in _WANTED or _TOP.search(name) is not None


def _types(text: str) -> Iterator[tuple[str, Precision]]:
    for match in _TYPEDEF.finditer(text):
        written = match[1].strip()
        array = _ARRAY.match(written)
        precision = _try_precision(array[1] if array else written)
        if precision is not None:
            yield match[2], precision


def _try_precision(text: str) -> Precision | None:
    try:
        return parse_precision(text.replace("AP_", "").replace("ap_", "ap_"))
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class _Struct:
    base: str
    body: str
    comment: str


def _structs(text: str) -> dict[str, _Struct]:
    """By name, in order. A comment names the layer that the structs below it are of, up to the next comment."""
    found: dict[str, _Struct] = {}
    comment = ""
    for match in _STRUCT.finditer(text):
        before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        named = _COMMENT.search(before)
        comment = named[1] if named else comment
        found[match[1]] = _Struct(match[2], match[3], comment)
    return found


def _constants(body: str, names: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for match in _CONSTANT.finditer(body):
        value = match[2].strip()
        if value in names:
            found[match[1]] = names[value]
        elif value in found:
            found[match[1]] = found[value]
        elif re.fullmatch(r"\d+", value):
            found[match[1]] = int(value)
        elif re.fullmatch(r"[\w\s*]+", value):
            product = 1
            for factor in value.split("*"):
                word = factor.strip()
                product *= int(word) if word.isdigit() else names.get(word, found.get(word, 0))
            if product:
                found[match[1]] = product
    return found


def _strategy(body: str) -> dict[str, str]:
    match = re.search(r"strategy\s*=\s*nnet::(\w+)", body)
    return {"strategy": match[1]} if match else {}


class _Written:
    """The texts of a project's firmware, taken apart. calls : of the top function; empty without it."""

    def __init__(self, parameters: str, defines: str, top: str):
        self.macros = {match[1]: int(match[2]) for match in _DEFINE.finditer(defines)}
        self.types, self.widths = dict(_types(defines)), _widths(defines, self.macros)
        self.structs = _structs(parameters)
        self.inner = {match[1] for struct in self.structs.values() for match in _ALIAS.finditer(struct.body)}
        self.calls, self.sizes = read_calls(top), array_sizes(top, self.macros)

    def listed(self) -> list[FoundLayer]:
        """Layers in the order of parameters.h."""
        layers: list[FoundLayer] = []
        strategy: dict[str, str] = {}
        for block, struct in self.structs.items():
            if _INNER.search(block) or block in self.inner or struct.base not in _KINDS:
                strategy.update(_strategy(struct.body))
                continue
            inputs = (layers[-1].name,) if layers else ()
            layers += self._block(block, struct.comment or block, _KINDS[struct.base], inputs, strategy)
            strategy = {}
        return layers

    def called(self) -> list[FoundLayer]:
        """Layers in the order of the calls, behind the model's inputs; what only moves numbers is passed over."""
        layers: list[FoundLayer] = []
        makers: dict[str, str] = {}
        for call in self.calls:
            for source in call.sources:
                if source not in makers:
                    layers.append(self._input(source, call))
                    makers[source] = source
            inputs = tuple(makers[source] for source in call.sources)
            built = self._of_call(call, inputs)
            layers += built
            makers.update(dict.fromkeys(call.targets, built[-1].name if built else inputs[0]))
        return layers

    def _input(self, name: str, call: Call) -> FoundLayer:
        elements = self.sizes.get(name, 0) or self.widths.get("input_t", 0)
        struct = self.structs.get(call.config)
        if struct is not None and name not in self.sizes and call.config not in self.inner:
            own = self._block(call.config, name, _kind(call, struct), (), {})
            elements = own[0].in_elements
        layer = FoundLayer(name, "input", ("inputlayer",), in_elements=elements, out_elements=elements)
        if "input_t" in self.types:
            layer.precisions["result"] = self.types["input_t"]
        return layer

    def _of_call(self, call: Call, inputs: tuple[str, ...]) -> list[FoundLayer]:
        struct = self.structs.get(call.config)
        if call.function.startswith("dense_da"):
            layers = [self._adders(call, inputs)]
        elif struct is None or struct.base not in _KINDS:
            return []
        else:
            inner = [self.structs[match[1]] for match in _ALIAS.finditer(struct.body) if match[1] in self.structs]
            strategies = [_strategy(each.body) for each in inner]
            strategy = next((each for each in strategies if each), {})
            layers = self._block(call.config, call.name or call.config, _kind(call, struct), inputs, strategy)
        width = self.widths.get(call.result, 0)
        for layer in layers:
            if call.result in self.types:
                layer.precisions["result"] = self.types[call.result]
            if width and not layer.n_in:
                layer.positions = max(layer.out_elements // width, 1)
        return layers

    def _adders(self, call: Call, inputs: tuple[str, ...]) -> FoundLayer:
        """A dense layer that distributed arithmetic has turned into adders: only its arrays tell its sizes."""
        made_by = next((each for each in self.calls if call.sources[0] in each.targets), None)
        n_in = self.sizes.get(call.sources[0]) or self.widths.get(made_by.result if made_by else "input_t", 1)
        n_out = self.sizes.get(call.targets[0]) or self.widths.get(call.result, 1)
        layer = FoundLayer(call.name or call.function, "dense", ("dense",), inputs=inputs, n_in=n_in, n_out=n_out)
        layer.in_elements, layer.out_elements = n_in, n_out
        layer.built_reuse, layer.built_strategy = 1, "distributed_arithmetic"
        if "model_default_t" in self.types:  # the types of its weights are gone with them
            layer.precisions = dict.fromkeys(("weight", "accum"), self.types["model_default_t"])
        return layer

    def _block(
        self, block: str, name: str, kind: str, inputs: tuple[str, ...], strategy: Mapping[str, str]
    ) -> list[FoundLayer]:
        body = self.structs[block].body
        prefix = block.partition("_config")[0]
        function = prefix if kind == "activation" else _pool_function(body)
        kind = "softmax" if kind == "activation" and prefix == "softmax" else kind
        numbers = _constants(body, self.macros)
        layers = layers_of(kind, name, numbers, function, inputs)
        strategy = _strategy(body) or strategy
        result = self.types.get(f"{name}_t") or self.types.get(f"{name}_result_t") or _layer_type(block, self.types)
        for layer in layers:
            layer.precisions = self._local_types(body)
            if result is not None:
                layer.precisions.setdefault("result", result)
            layer.built_reuse = numbers.get("reuse_factor", 1) if layer.n_in else 0
            if strategy:
                layer.built_strategy = check_strategy(strategy["strategy"], f"layer '{name}'")
            if layer.n_in and len(layers) == 1:
                layer.nonzero = _nonzero(numbers, layer.n_in * layer.n_out)
        if len(layers) == 2:
            layers[1].built_reuse = self._recurrent_reuse(body) or layers[1].built_reuse
        return layers

    def _recurrent_reuse(self, body: str) -> int:
        match = re.search(r"typedef\s+(\w+)\s+mult_config2\s*;", body)
        struct = self.structs.get(match[1]) if match else None
        return _constants(struct.body, self.macros).get("reuse_factor", 0) if struct else 0

    def _local_types(self, body: str) -> dict[str, Precision]:
        local = dict(_types(body))
        for alias in re.finditer(r"typedef\s+(\w+)\s+(\w+)_t\s*;", body):
            if alias[1] in self.types:
                local[f"{alias[2]}_t"] = self.types[alias[1]]
        return {key.removesuffix("_t"): value for key, value in local.items()}


def _kind(call: Call, struct: _Struct) -> str:
    """The function tells what its struct, which several kinds share, does not."""
    kind = _KINDS[struct.base]
    if call.function.startswith("depthwise_") and kind.startswith("conv"):
        return f"depthwise_{kind}"
    return "global_pooling" if call.function.startswith("global_pooling") else kind


def _pool_function(body: str) -> str:
    match = re.search(r"pool_op\s*=\s*nnet::(\w+)", body)
    return match[1].lower() if match else ""


def _nonzero(numbers: Mapping[str, int], products: int) -> float:
    if "n_nonzeros" in numbers:
        return min(numbers["n_nonzeros"] / products, 1.0)
    return max(1 - numbers.get("n_zeros", 0) / products, 0.0)


def _widths(text: str, macros: Mapping[str, int]) -> dict[str, int]:
    """Elements of one word of each stream type."""
    found = {}
    for match in _TYPEDEF.finditer(text):
        array = _ARRAY.match(match[1].strip())
        if array:
            found[match[2]] = size_of(array[2], macros, unknown=1)
    return found


def _layer_type(block: str, types: Mapping[str, Precision]) -> Precision | None:
    number = re.search(r"(\d+)$", block)
    return types.get(f"layer{number[1]}_t") if number else None


def _facts(files: Mapping[str, str]) -> dict[str, str]:
    """Part, clock and the like from the build scripts, which the tools read."""
    found: dict[str, str] = {}
    for text in (files.get("project.tcl", ""), files.get("build_prj.tcl", "")):
        for key, variable in (
            ("part", "part"),
            ("clock_period", "clock_period"),
            ("backend", "backend"),
            ("clock_uncertainty", "clock_uncertainty"),
        ):
            match = re.search(rf'set\s+{variable}\s+"?([^"\n]+?)"?\s*$', text, re.M)
            if match:
                found.setdefault(key, match[1])
    return found
