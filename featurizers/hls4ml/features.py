"""`HlsDesign` -> numbers: one row per layer (a part), and sums over layers for the whole design."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from featurizers.core import Column, Features, Featurizer, FloatArray, IntArray, Parts, Raw
from featurizers.errors import InputError, UnknownNameError
from featurizers.graphs import chained
from featurizers.hls4ml.build import CONDITION_FIELDS, FoundLayer, build_design, conditions
from featurizers.hls4ml.config import HlsConfig, parse_config
from featurizers.hls4ml.design import KINDS, MATRIX_KINDS, STRATEGIES, HlsDesign, HlsLayer
from featurizers.hls4ml.digits import expected_digits

Values = npt.NDArray[Any]

PART_COLUMNS: Final[tuple[Column, ...]] = (
    Column("op_class", "1", "layer", KINDS),
    Column("n_in", "1", "shape"),
    Column("n_out", "1", "shape"),
    Column("positions", "1", "shape"),
    Column("in_elements", "1", "shape"),
    Column("out_elements", "1", "shape"),
    Column("window", "1", "shape"),
    Column("reuse", "1", "schedule"),
    Column("reuse_requested", "1", "schedule"),
    Column("strategy", "1", "schedule", STRATEGIES),
    Column("stream", "1", "schedule"),
    Column("multiplications", "1", "work"),
    Column("multipliers", "1", "work"),
    Column("outputs_per_multiplier", "1", "work"),
    Column("weight_bits", "bit", "precision"),
    Column("bias_bits", "bit", "precision"),
    Column("source_bits", "bit", "precision"),
    Column("result_bits", "bit", "precision"),
    Column("accum_bits", "bit", "precision"),
    Column("result_modes", "1", "precision"),
    Column("table_entries", "1", "table"),
    Column("table_bits", "bit", "table"),
    Column("storage_bits", "bit", "work"),
    Column("nonzero", "1", "work"),
    Column("digits", "1", "work"),
    Column("function", "1", "layer"),
    Column("clock_ns", "ns", "conditions"),
    Column("vitis", "1", "conditions"),
    Column("tool", "year", "conditions"),
    Column("latency_cutoff", "1", "conditions"),
)
"""Per layer. `multipliers` = multiplications / reuse; `outputs_per_multiplier` = reuse / n_in."""

COLUMNS: Final[tuple[Column, ...]] = (
    Column("layers", "1", "layer"),
    Column("matrix_layers", "1", "layer"),
    Column("conv_layers", "1", "layer"),
    Column("recurrent_layers", "1", "layer"),
    Column("other_layers", "1", "layer"),
    Column("table_entries", "1", "table"),
    Column("multiplications", "1", "work"),
    Column("multipliers", "1", "work"),
    Column("storage_bits", "bit", "work"),
    Column("unrolled_multiplications", "1", "work"),
    Column("largest_matrix", "1", "work"),
    Column("serial_cycles", "cycle", "schedule"),
    Column("longest_cycles", "cycle", "schedule"),
    Column("reuse_min", "1", "schedule"),
    Column("reuse_max", "1", "schedule"),
    Column("outputs_per_multiplier_min", "1", "schedule"),
    Column("outputs_per_multiplier_max", "1", "schedule"),
    Column("weight_bits_min", "bit", "precision"),
    Column("weight_bits_max", "bit", "precision"),
    Column("accum_bits_max", "bit", "precision"),
    Column("source_bits_max", "bit", "precision"),
    Column("in_elements", "1", "shape"),
    Column("out_elements", "1", "shape"),
    Column("matrix_outputs", "1", "shape"),
    Column("matrix_inputs", "1", "shape"),
    Column("latency_strategy", "1", "schedule"),
    Column("distributed_arithmetic", "1", "schedule"),
    Column("stream", "1", "schedule"),
    Column("nonzero_min", "1", "work"),
    Column("clock_ns", "ns", "conditions"),
    Column("clock_uncertainty", "1", "conditions"),
    Column("vitis", "1", "conditions"),
    Column("tool", "year", "conditions"),
    Column("latency_cutoff", "1", "conditions"),
)
"""Per design."""

PART_INDEX: Final[Mapping[str, int]] = {column.name: i for i, column in enumerate(PART_COLUMNS)}
_KIND_CODE = {kind: i for i, kind in enumerate(KINDS)}
_STRATEGY_CODE = {strategy: i for i, strategy in enumerate(STRATEGIES)}
FUNCTION_CODE: Final[Mapping[str, int]] = {
    "": 0,
    "linear": 0,
    "relu": 1,
    "sigmoid": 2,
    "tanh": 3,
    "softmax": 4,
    "average": 6,
}
_OTHER_FUNCTION = 5
_USUAL_TOOL = {"vivado": 2020.1, "vitis": 2023.2}
"""The version that is taken where none is given."""

_PART_NAMES = tuple(column.name for column in PART_COLUMNS)
_IS_MATRIX = np.array([kind in MATRIX_KINDS for kind in KINDS])
_IS_CONVOLUTION = np.array(["conv" in kind for kind in KINDS])
_IS_RECURRENT = np.array([kind in ("gru", "lstm", "simple_rnn") for kind in KINDS])
_SHARES = np.array([name in ("resource", "unrolled") for name in STRATEGIES])
"""By code of a kind or strategy."""
_KERAS_KEYS = ("class_name", "config", "keras_version", "build_input_shape")
"""Of a Keras model in JSON, which may be the input itself."""

_MODEL_KEYS = ("layers", "model_config", "keras", "onnx", "pt2", "project", "model_graph")


_FIELDS = frozenset({*_MODEL_KEYS, "input_shape", "hls_config", "strict", "name", "dims", *CONDITION_FIELDS})
"""A record of the collection (``model_config``) has its own beside them."""


class HlsFeaturizer(Featurizer[HlsDesign]):
    """Everything an hls4ml user already has -> `HlsDesign` -> columns. See `parse` for the forms of raw input."""

    kind = "hls4ml"
    version = "3"
    columns = COLUMNS
    part_columns = PART_COLUMNS

    def parse(self, raw: Raw) -> HlsDesign:
        """One design from a mapping that has exactly one of

        - ``keras``: a Keras model as object, JSON text, or the bytes of a ``.keras`` or ``.h5`` file,
        - ``onnx``: the bytes of an ONNX or QONNX file,
        - ``pt2``: the bytes of a file by ``torch.export.save``, or an ``nn.Module`` with ``input_shape``,
        - ``layers`` with ``input_shape``: layers by their fields,
        - ``model_config``: a record of the wa-hls4ml collection,
        - ``project``: a folder (`Path`), an archive (bytes) or a mapping of a written project's files,
        - ``model_graph``: hls4ml's own object,

        and optionally ``hls_config`` (dict or yml text), ``part``, ``clock_period`` (ns), ``clock_uncertainty``,
        ``io_type``, ``backend``, ``tool_version``, ``strict``. Raises InputError.
        """
        if not isinstance(raw, Mapping):
            raise InputError("An input", "must be an object", raw)
        if "class_name" in raw and "config" in raw:
            own = {key: raw[key] for key in _KERAS_KEYS if key in raw}
            raw = {**{key: value for key, value in raw.items() if key not in own}, "keras": own}
        given = [key for key in _MODEL_KEYS if raw.get(key) is not None]
        if len(given) != 1:
            raise InputError("An hls4ml input", f"must have exactly one of {', '.join(_MODEL_KEYS)}", given)
        if not raw.keys() <= _FIELDS and given != ["model_config"]:
            raise UnknownNameError("field of an hls4ml input", min(raw.keys() - _FIELDS), _FIELDS)
        return _READERS[given[0]](raw)

    def features(
        self, subjects: Sequence[HlsDesign], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        """Numbers of many designs; `profile` changes nothing here. As graphs, designs are chains of layers."""
        rows = [_row(layer, design) for design in subjects for layer in design.layers]
        matrix = np.array(rows, dtype=np.float32).reshape(-1, len(PART_COLUMNS))
        lengths = np.array([len(design.layers) for design in subjects], dtype=np.int64)
        owner = np.repeat(np.arange(len(subjects), dtype=np.int64), lengths)
        parts = Parts(
            matrix=matrix,
            owner=owner,
            part=np.arange(len(matrix), dtype=np.int64),
            count=np.ones(len(matrix), dtype=np.float32),
            names=tuple((layer.name,) for design in subjects for layer in design.layers) if names else (),
        )
        vectors = _vectors(matrix, owner, subjects) if subjects else np.empty((0, len(COLUMNS)), dtype=np.float32)
        found = Features(vectors, COLUMNS, parts, PART_COLUMNS)
        return chained(found, "op_class") if "graphs" in extras else found

    def warm(self, profiles: Sequence[str]) -> None:
        """Nothing is loaded late but the readers, which are small."""

    def match_parts(
        self, subject: HlsDesign, measured: Sequence[Mapping[str, Any]], *, profile: str = ""
    ) -> list[int | None]:
        """The layer that each measurement names under ``name``, the first time that it is named."""
        places = {layer.name: i for i, layer in enumerate(subject.layers)}
        return [places.pop(str(row.get("name")), None) for row in measured]

    def part_ops(self, features: Features) -> list[str]:
        """The layer kind of each part."""
        return [] if features.parts is None else [KINDS[int(code)] for code in features.parts.matrix[:, 0]]


def _tool_year(design: HlsDesign) -> float:
    match = re.match(r"(\d{4})\.(\d)", design.tool_version)
    return float(match[0]) if match else _USUAL_TOOL["vitis" if design.backend.startswith("vitis") else "vivado"]


def _row(layer: HlsLayer, design: HlsDesign) -> tuple[float, ...]:
    mults = layer.n_in * layer.n_out
    return (
        _KIND_CODE[layer.kind],
        layer.n_in,
        layer.n_out,
        layer.positions,
        layer.in_elements,
        layer.out_elements,
        layer.window,
        layer.reuse_factor,
        layer.reuse_requested,
        _STRATEGY_CODE[layer.strategy],
        design.io_type == "io_stream",
        mults,
        -(-mults // layer.reuse_factor),
        layer.reuse_factor / layer.n_in if layer.n_in else 0.0,
        layer.weight.width if mults else 0,
        layer.bias.width if mults else 0,
        layer.source.width,
        layer.result.width,
        layer.accum.width if mults else 0,
        bool(layer.result.rounding not in ("", "TRN")) + bool(layer.result.saturation not in ("", "WRAP")),
        layer.table_size,
        layer.table.width if layer.table_size else 0,
        mults * layer.weight.width,
        layer.nonzero,
        (layer.nonzero * expected_digits(layer.weight.width) if layer.digits is None else layer.digits) if mults else 0,
        FUNCTION_CODE.get(layer.function, _OTHER_FUNCTION),
        design.clock_ns,
        design.backend.startswith("vitis"),
        _tool_year(design),
        design.latency_cutoff,
    )


def _vectors(matrix: FloatArray, owner: IntArray, subjects: Sequence[HlsDesign]) -> FloatArray:
    n = len(subjects)
    m = dict(zip(_PART_NAMES, matrix.T.astype(np.float64, order="C"), strict=True))
    starts = np.searchsorted(owner, np.arange(n))
    kind, strategy = m["op_class"].astype(np.intp), m["strategy"].astype(np.intp)
    is_matrix = _IS_MATRIX[kind]
    cycles = np.where(is_matrix, m["reuse"] * m["positions"], 0.0)
    is_unrolled = is_matrix & ((m["reuse"] == 1) | ~_SHARES[strategy])

    def total(values: Values) -> Values:
        return np.bincount(owner, weights=values, minlength=n)

    def most(values: Values) -> Values:
        return np.maximum.reduceat(values, starts)

    asked_least = np.stack([m[name] for name in ("reuse", "outputs_per_multiplier", "weight_bits", "nonzero")])
    smallest = np.minimum.reduceat(np.where(is_matrix, asked_least, np.inf), starts, axis=1)
    least_reuse, least_outputs, least_bits, least_nonzero = np.where(np.isfinite(smallest), smallest, 0.0)

    def when_matrix(values: Values) -> Values:
        return np.where(is_matrix, values, 0.0)

    def of_first(values: Values) -> Values:
        return values[starts]

    ends = np.append(starts[1:], len(matrix)) - 1
    columns = (
        total(np.ones(len(matrix))),
        total(is_matrix),
        total(_IS_CONVOLUTION[kind]),
        total(_IS_RECURRENT[kind]),
        total(~is_matrix),
        total(m["table_entries"]),
        total(m["multiplications"]),
        total(when_matrix(m["multipliers"])),
        total(m["storage_bits"]),
        total(np.where(is_unrolled, m["multiplications"], 0.0)),
        most(m["multiplications"]),
        total(cycles),
        most(cycles),
        least_reuse,
        most(when_matrix(m["reuse"])),
        least_outputs,
        most(m["outputs_per_multiplier"]),
        least_bits,
        most(m["weight_bits"]),
        most(m["accum_bits"]),
        most(when_matrix(m["source_bits"])),
        of_first(m["in_elements"]),
        m["out_elements"][ends],
        total(when_matrix(m["n_out"])),
        total(when_matrix(m["n_in"])),
        most(when_matrix(m["strategy"] == _STRATEGY_CODE["latency"])),
        most(when_matrix(m["strategy"] == _STRATEGY_CODE["distributed_arithmetic"])),
        of_first(m["stream"]),
        least_nonzero,
        of_first(m["clock_ns"]),
        np.array([design.clock_uncertainty for design in subjects]),
        of_first(m["vitis"]),
        of_first(m["tool"]),
        of_first(m["latency_cutoff"]),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _finish(raw: Raw, found: list[FoundLayer], config: HlsConfig, name: str = "") -> HlsDesign:
    return build_design(found, config, conditions(raw, config), name or str(raw.get("name", "")))


def _parse_keras(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_keras import read_keras

    found, name = read_keras(raw["keras"])
    return _finish(raw, found, parse_config(raw.get("hls_config")), name)


def _parse_onnx(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_onnx import read_onnx

    found, name = read_onnx(raw["onnx"])
    return _finish(raw, found, parse_config(raw.get("hls_config")), name)


def _parse_torch(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_torch import read_torch

    found = read_torch(raw["pt2"], raw.get("input_shape"))
    return _finish(raw, found, parse_config(raw.get("hls_config")))


def _parse_layers(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_fields import read_fields

    found = read_fields(raw["layers"], raw.get("input_shape"))
    return _finish(raw, found, parse_config(raw.get("hls_config")))


def _parse_record(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_record import read_record

    found, name = read_record(raw)
    config = parse_config(raw.get("hls_config"))
    return _finish(raw, found, config, name)


def _parse_project(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_project import read_project

    found, yml, facts = read_project(raw["project"])
    written = parse_config(yml)
    fields: dict[str, Any] = {**facts, **{key: value for key, value in raw.items() if value is not None}}
    own = parse_config(raw.get("hls_config"))
    return _finish(fields, found, HlsConfig(model=own.model or written.model, project=written.project))


def _parse_model_graph(raw: Raw) -> HlsDesign:
    from featurizers.hls4ml.from_model_graph import read_model_graph

    found, fields = read_model_graph(raw["model_graph"])
    return _finish({**fields, **{k: v for k, v in raw.items() if v is not None}}, found, HlsConfig())


_READERS: Final[Mapping[str, Callable[[Raw], HlsDesign]]] = {
    "keras": _parse_keras,
    "onnx": _parse_onnx,
    "pt2": _parse_torch,
    "layers": _parse_layers,
    "model_config": _parse_record,
    "project": _parse_project,
    "model_graph": _parse_model_graph,
}
