"""Layers as a reader found them + an hls4ml configuration -> `HlsDesign`, as hls4ml's converters would build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import numpy.typing as npt

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.boards import Board, find_board
from featurizers.hls4ml.config import (
    HlsConfig,
    check_io_type,
    check_reuse,
    check_strategy,
    default_precision,
    precision_of,
    setting_of,
)
from featurizers.hls4ml.design import (
    MATRIX_KINDS,
    MAX_LAYERS,
    HlsDesign,
    HlsLayer,
    closest_reuse_factor,
)
from featurizers.hls4ml.digits import signed_digits
from featurizers.hls4ml.precision import DEFAULT_TABLE, Precision

_TABLE_SIZE = 1024
_LAST_VIVADO_HLS = "2020.1"
"""From 2020.2 on the tool is Vitis HLS, also where a record calls its version ``vivado_version``."""
_TABLE_FUNCTIONS = frozenset(
    {"sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "swish", "silu", "gelu", "exponential"}
)
_BACKENDS = ("vivado", "vitis", "vivadoaccelerator", "vitisunified", "vitisaccelerator")
_CORRECTED = frozenset({"resource", "unrolled"})


@dataclass(slots=True)
class FoundLayer:
    """What a reader knows of a layer before the configuration speaks.

    name_in_config : the name that a configuration uses (two layers of one separable convolution share it).
    types : class names that a ``LayerType`` section may use, in lower case.
    precisions : types that the model itself fixes (QKeras, QONNX, a project's defines.h), by variable.
    asked_reuse : the layer's own reuse factor: over the Model section, under LayerName and LayerType.
    padded : elements that enter once the edges are padded; in a stream a layer of its own pads them.
    built_reuse, built_strategy : as already built (a project folder, a ModelGraph): not corrected.
    """

    name: str
    kind: str
    types: tuple[str, ...] = ()
    name_in_config: str = ""
    inputs: tuple[str, ...] = ()
    n_in: int = 0
    n_out: int = 0
    positions: int = 1
    in_elements: int = 0
    out_elements: int = 0
    padded: int = 0
    window: int = 1
    function: str = ""
    table_size: int = 0
    nonzero: float = 1.0
    digits: float | None = None
    weights: npt.NDArray[Any] | None = None
    precisions: dict[str, Precision] = field(default_factory=dict)
    asked_reuse: int | None = None
    built_reuse: int = 0
    built_strategy: str = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for the whole design. Values None are taken from the configuration or hls4ml's defaults."""

    board: Board | None
    io_type: str
    clock_ns: float
    clock_uncertainty: float
    backend: str
    tool_version: str
    hls4ml_version: str
    strict: bool
    latency_cutoff: int = 0


def conditions(raw: Mapping[str, Any], config: HlsConfig) -> Conditions:
    """From the fields of the raw input, then the project's yml, then hls4ml's defaults. Raises InputError."""
    said = [source for source in (raw, config.project) if source.keys() & CONDITION_FIELDS]
    values = [_said(said, keys) for keys in _FIELDS.values()]
    try:
        return _conditions(*values)
    except TypeError:
        return _conditions.__wrapped__(*values)


def _said(sources: Sequence[Mapping[str, Any]], keys: tuple[str, ...]) -> Any:
    """The first value that a source has under one of `keys`."""
    for source in sources:
        for key in keys:
            value = source.get(key)
            if value is not None:
                return value
    return None


_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "part": ("part", "board", "target_part", "fpga_part"),
    "io_type": ("io_type", "iotype"),
    "clock": ("clock_period", "clock_ns", "clockperiod"),
    "uncertainty": ("clock_uncertainty", "clockuncertainty"),
    "backend": ("backend",),
    "tool_version": ("tool_version", "vivado_version", "backend_version"),
    "hls4ml_version": ("hls4ml_version", "hls4mlversion"),
    "strict": ("strict",),
    "latency_cutoff": ("latency_cutoff",),
}


_DEEPEST = 1000
CONDITION_FIELDS = frozenset(key for keys in _FIELDS.values() for key in keys)
"""Every name that a condition of the whole design may have."""


@lru_cache(maxsize=1024, typed=True)
def _conditions(
    part: Any,
    io_type: Any,
    clock: Any,
    uncertainty: Any,
    backend: Any,
    tool_version: Any,
    hls4ml_version: Any,
    strict: Any,
    latency_cutoff: Any,
) -> Conditions:
    """Remembered, since the designs of a bulk request share their conditions."""
    tool = str(tool_version or "")
    built_by = str(backend or ("vitis" if tool > _LAST_VIVADO_HLS else "vivado")).lower()
    if built_by not in _BACKENDS:
        raise InputError("The backend", f"must be one of {', '.join(_BACKENDS)}", built_by, where="backend")
    if part is not None and not isinstance(part, str):
        raise InputError("The part", "must be a name", part, where="part")
    if strict is not None and not isinstance(strict, bool):
        raise InputError("The field 'strict'", "must be true or false", strict, where="strict")
    return Conditions(
        board=None if part is None else find_board(part),
        io_type=check_io_type(io_type or "io_parallel"),
        clock_ns=_clock(clock),
        clock_uncertainty=_uncertainty(uncertainty, built_by),
        backend=built_by,
        tool_version=tool,
        hls4ml_version=str(hls4ml_version or ""),
        strict=bool(strict or False),
        latency_cutoff=_cutoff(latency_cutoff),
    )


def _clock(value: object) -> float:
    if value is None:
        return 5.0
    try:
        clock_ns = float(str(value).lower().removesuffix("ns"))
    except ValueError:
        clock_ns = 0.0
    if not 0.1 <= clock_ns <= 1e6:
        raise InputError(
            "The clock period", "must be a number of nanoseconds from 0.1 to 1e6", value, where="clock_period"
        )
    return clock_ns


def _uncertainty(value: object, backend: str) -> float:
    """As a fraction of the period; hls4ml's defaults are 12.5 % for Vivado and 27 % for Vitis."""
    if value is None:
        return 0.27 if backend.startswith("vitis") else 0.125
    text = str(value).strip()
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise InputError("The clock uncertainty", "must be a percentage below 100%", value, where="clock_uncertainty")
    return share


def _cutoff(value: object) -> int:
    """Additions between two registers; 0, which da4ml writes as -1, for none."""
    if value is None or value == -1:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _DEEPEST:
        raise InputError("The latency_cutoff", f"must be -1 or from 1 to {_DEEPEST}", value, where="latency_cutoff")
    return value


def build_design(
    found: Sequence[FoundLayer], config: HlsConfig, given: Conditions, name: str = "", notes: Sequence[str] = ()
) -> HlsDesign:
    """Resolve types, strategies and reuse factors of every layer. Raises InputError naming the layer."""
    if not found:
        raise InputError("The model", "must have at least one layer", where="layers")
    if len(found) > MAX_LAYERS:
        raise LimitError("The model", f"must have at most {MAX_LAYERS} layers", len(found), where="layers")
    if config.names:
        config.check_names([layer.name_in_config or layer.name for layer in found] + [layer.name for layer in found])
    said: list[str] = list(notes)
    results: dict[str, Precision] = {}
    layers = []
    default = default_precision(config)
    for layer in found:
        built = _build_layer(layer, config, default, given, results, said)
        if layer.padded > layer.in_elements and given.io_type == "io_stream":
            layers.append(_padding(layer, built))
            built = replace(built, in_elements=layer.padded, inputs=(layers[-1].name,))
        results[built.name] = built.result
        layers.append(built)
    return HlsDesign(
        layers=tuple(layers),
        board=given.board,
        io_type=given.io_type,
        clock_ns=given.clock_ns,
        clock_uncertainty=given.clock_uncertainty,
        backend=given.backend,
        tool_version=given.tool_version,
        hls4ml_version=given.hls4ml_version,
        latency_cutoff=given.latency_cutoff,
        name=name,
        notes=tuple(said),
    )


def _padding(layer: FoundLayer, built: HlsLayer) -> HlsLayer:
    """What hls4ml puts before a convolution in a stream, under the name that it gives."""
    channels = layer.n_out if layer.kind.startswith("depthwise") else layer.n_in // layer.window
    return HlsLayer(
        name=f"zp{layer.kind[-2]}d_{layer.name}",
        kind="padding",
        positions=layer.padded // max(channels, 1),
        in_elements=layer.in_elements,
        out_elements=layer.padded,
        source=built.source,
        result=built.source,
        inputs=layer.inputs,
    )


def _build_layer(
    layer: FoundLayer,
    config: HlsConfig,
    default: Precision,
    given: Conditions,
    results: Mapping[str, Precision],
    said: list[str],
) -> HlsLayer:
    key = layer.name_in_config or layer.name
    sections = config.section(key, layer.types)
    where = f"layer '{layer.name}'"
    own_sections = sections[:-1]

    def of(*variables: str) -> Precision | None:
        own = precision_of(own_sections, variables, where) if own_sections else None
        if own is not None:
            return own
        for variable in variables:
            if variable in layer.precisions:
                return layer.precisions[variable]
        return None

    sources = [results[name] for name in layer.inputs if name in results]
    source = max(sources, key=lambda p: p.width) if sources else (of("input", "result") or default)
    weight = of("weight", "kernel", "depthwise", "scale") or default
    plain = layer.kind in ("reshape", "padding", "resize", "pooling", "global_pooling", "concat", "input")
    reuse, requested, strategy = _schedule(layer, sections, given, said)
    function = layer.function
    has_table = layer.kind == "softmax" or (
        layer.kind in ("activation", "gru", "lstm") and function in _TABLE_FUNCTIONS
    )
    table_size = setting_of(sections, "table_size", "tablesize") or layer.table_size or _TABLE_SIZE
    return HlsLayer(
        name=layer.name,
        kind=layer.kind,
        n_in=layer.n_in,
        n_out=layer.n_out,
        positions=layer.positions,
        in_elements=layer.in_elements,
        out_elements=layer.out_elements,
        window=layer.window,
        weight=weight,
        bias=of("bias", "offset") or weight,
        source=source,
        result=of("result") or (source if plain and sources else default),
        accum=of("accum") or default,
        table=of("table", "table_t", "exp_table") or DEFAULT_TABLE,
        table_size=int(table_size) if has_table else 0,
        reuse_factor=reuse,
        reuse_requested=requested,
        strategy=strategy,
        function=function,
        nonzero=layer.nonzero,
        digits=_digits(layer, weight, strategy),
        inputs=layer.inputs,
    )


def _digits(layer: FoundLayer, weight: Precision, strategy: str) -> float | None:
    """Counted where they decide, which is in adder trees."""
    if layer.weights is None or strategy != "distributed_arithmetic":
        return layer.digits
    return signed_digits(layer.weights, weight)


def _schedule(
    layer: FoundLayer, sections: Sequence[Mapping[str, Any]], given: Conditions, said: list[str]
) -> tuple[int, int, str]:
    where = f"layer '{layer.name}'"
    asked = setting_of(sections, "strategy")
    strategy = layer.built_strategy or check_strategy("latency" if asked is None else asked, where)
    wanted = setting_of(sections[:-1], "reusefactor", "reuse_factor")
    if wanted is None:
        wanted = layer.asked_reuse
    if wanted is None:
        wanted = setting_of(sections[-1:], "reusefactor", "reuse_factor")
    requested = check_reuse(1 if wanted is None else wanted, where)
    if layer.kind not in MATRIX_KINDS:
        return 1, max(requested, 1), strategy
    if requested == 0:
        _correct(layer, requested, 1, "must be at least 1", given, said)
        requested = 1
    if layer.built_reuse:
        return layer.built_reuse, requested if wanted is not None else layer.built_reuse, strategy
    if strategy not in _CORRECTED:
        return _capped(layer, requested, said), requested, strategy
    if strategy == "unrolled" and requested == 1:
        strategy = "resource"  # as hls4ml's backends do
    # hls4ml counts the rows of a depthwise convolution over all of its channels.
    rows = layer.n_in * layer.n_out if layer.kind.startswith("depthwise") else layer.n_in
    built = closest_reuse_factor(rows, layer.n_out, requested, strategy == "unrolled")
    if built != requested:
        rule = f"must divide {rows}*{layer.n_out} = {rows * layer.n_out} as hls4ml needs it"
        _correct(layer, requested, built, rule, given, said)
    return built, requested, strategy


def _correct(layer: FoundLayer, requested: int, built: int, rule: str, given: Conditions, said: list[str]) -> None:
    where = f"layer '{layer.name}'"
    if given.strict:
        raise InputError(f"The 'reuse_factor' of {where}", f"{rule}; the nearest is {built}", requested, where=where)
    said.append(f"The reuse factor {requested} of {where} is not possible; {built} is built, as hls4ml does.")


def _capped(layer: FoundLayer, requested: int, said: list[str]) -> int:
    most = layer.n_in * layer.n_out
    if requested > most:
        said.append(f"The reuse factor {requested} of layer '{layer.name}' exceeds its {most} products.")
        return most
    return requested
