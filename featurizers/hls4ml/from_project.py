"""A written hls4ml project: ``firmware/parameters.h`` and ``defines.h`` say what is built, whatever the yml says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from featurizers.errors import InputError
from featurizers.hls4ml.archives import read_folder, read_members
from featurizers.hls4ml.attributes import layers_of
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.config import check_strategy
from featurizers.hls4ml.precision import Precision, parse_precision

_WANTED = ("parameters.h", "defines.h", "hls4ml_config.yml", "build_prj.tcl", "project.tcl")
_STRUCT = re.compile(r"struct\s+(\w+)\s*:\s*nnet::(\w+)\s*\{(.*?)\n\};", re.S)
_CONSTANT = re.compile(r"static\s+const\s+\w+(?:\s+\w+)?\s+(\w+)\s*=\s*([^;]+);")
_TYPEDEF = re.compile(r"typedef\s+(.+?)\s+(\w+)\s*;")
_DEFINE = re.compile(r"^\s*#define\s+(\w+)\s+(\d+)\s*$", re.M)
_COMMENT = re.compile(r"//\s*([\w./-]+)\s*$")
_ARRAY = re.compile(r"nnet::array<\s*(.+)\s*,[^,]*>$")
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
_INNER = re.compile(r"(_mult|_relu|_norm|_accum|_inv|_exp|_window|_recr|_sum)$|_mult_")


def read_project(raw: object) -> tuple[list[FoundLayer], str | None, dict[str, str]]:
    """(layers, yml text, facts of the build script) of a project folder (`Path`), archive (bytes) or files (mapping).

    Raises InputError. A folder's path is only taken as a `Path` object, never as text that came over a network.
    """
    files = _files(raw)
    parameters, defines = files.get("parameters.h"), files.get("defines.h", "")
    if parameters is None:
        raise InputError("The hls4ml project", "must contain firmware/parameters.h", sorted(files), where="project")
    names = _macros(defines)
    types = dict(_types(defines))
    layers: list[FoundLayer] = []
    pending: dict[str, str] = {}
    for block, base, body, comment in _structs(parameters):
        if _INNER.search(block) or base not in _KINDS:
            pending.update(_strategy(body))
            continue
        layers += _block(block, base, body, comment, names, types, pending, layers)
        pending = {}
    if not layers:
        raise InputError("firmware/parameters.h", "must define at least one nnet layer", where="parameters.h")
    return layers, files.get("hls4ml_config.yml"), _facts(files)


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
    return {name.rsplit("/", 1)[-1]: content.decode("utf-8", "replace") for name, content in members.items()}


def _is_wanted(name: str) -> bool:
    return name.rsplit("/", 1)[-1] in _WANTED


def _macros(defines: str) -> dict[str, int]:
    return {match[1]: int(match[2]) for match in _DEFINE.finditer(defines)}


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


def _structs(text: str) -> Iterator[tuple[str, str, str, str]]:
    for match in _STRUCT.finditer(text):
        before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        comment = _COMMENT.search(before)
        yield match[1], match[2], match[3], comment[1] if comment else ""


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


def _block(
    block: str,
    base: str,
    body: str,
    comment: str,
    names: Mapping[str, int],
    types: Mapping[str, Precision],
    pending: Mapping[str, str],
    before: list[FoundLayer],
) -> list[FoundLayer]:
    kind = _KINDS[base]
    name = comment or block
    prefix = block.partition("_config")[0]
    function = prefix if kind == "activation" else ""
    kind = "softmax" if kind == "activation" and prefix == "softmax" else kind
    numbers = _constants(body, names)
    inputs = (before[-1].name,) if before else ()
    layers = layers_of(kind, name, numbers, function, inputs)
    local = dict(_types(body))
    for alias in re.finditer(r"typedef\s+(\w+)\s+(\w+)_t\s*;", body):
        if alias[1] in types:
            local[f"{alias[2]}_t"] = types[alias[1]]
    strategy = _strategy(body) or pending
    for layer in layers:
        layer.precisions = {key.removesuffix("_t"): value for key, value in local.items()}
        result = types.get(f"{name}_t") or types.get(f"{name}_result_t") or _layer_type(block, types)
        if result is not None:
            layer.precisions.setdefault("result", result)
        layer.built_reuse = numbers.get("reuse_factor", 1) if layer.n_in else 0
        if strategy:
            layer.built_strategy = check_strategy(strategy["strategy"], f"layer '{name}'")
        nonzeros = numbers.get("n_nonzeros")
        if nonzeros is not None and layer.n_in:
            layer.nonzero = min(nonzeros / (layer.n_in * layer.n_out), 1.0)
    return layers


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
