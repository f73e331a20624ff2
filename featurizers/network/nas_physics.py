"""Architectures of three NAS spaces as numbers, by the thousand: what each executes, summed in numpy.

`NetworkGraph` describes one network in full; a search asks about thousands of candidates that differ in a few choices.
Here a space is a table of units (what one choice executes, kernel by kernel), an architecture is how many of each unit
it holds, and every physics column is one matrix product.

NAS-Bench-201: Dong and Yang, ICLR 2020 (cell of six edges, 5 cells at each of 16, 32, 64 channels, CIFAR-10 32x32).
FBNet: Wu et al., CVPR 2019, with the strides and the 32x32 input that HELP and HW-NAS-Bench use for CIFAR-100.
OFA: Cai et al., ICLR 2020, MobileNetV3 at width 1.0 (the channels of HELP's supernet may be a constant factor wider).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from featurizers.core import Column
from featurizers.errors import InputError, UnknownNameError

Array = npt.NDArray[np.float64]
OpIndices = npt.NDArray[np.int64]

NASBENCH201_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NASBENCH201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
FBNET_OPS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
FBNET_POSITIONS = 22
OFA_SLOTS, OFA_UNITS = 20, 5
OFA_KERNELS, OFA_EXPANSIONS, OFA_DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
OFA_RESOLUTIONS = tuple(range(128, 225, 4))
_CELLS_PER_STAGE = 5
_NB_STAGES = ((16, 32), (32, 16), (64, 8))


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel of a unit. `elements`: read and written activations; `channels`: the narrower side, per group."""

    kind: str
    macs: float
    elements: float
    weights: float
    channels: float


Unit = tuple[Launch, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """What architectures consist of. counts : float64 (n, u), how often each holds each unit.

    variants : per way of treating dead edges (executed all, those that reach the output, those live on both sides) the
    columns of `counts` that a runtime of that way executes. kept : float64 (n,), 1 where the output depends on the
    input at all; a runtime that folds constants skips everything elsewhere.
    """

    counts: Array
    units: tuple[Unit, ...]
    variants: tuple[npt.NDArray[np.int64], ...]
    kept: Array


@dataclass(frozen=True, slots=True)
class Physics:
    """matrix : float64 (n, columns), all non-negative; the groups are 'network', 'stage', 'block'."""

    matrix: Array
    columns: tuple[Column, ...]

    def group(self, name: str) -> Array:
        """The columns of one group, (n, k)."""
        return self.matrix[:, [i for i, column in enumerate(self.columns) if column.group == name]]

    def column(self, name: str) -> Array:
        """One column, (n,). KeyError when there is none of that name."""
        for index, column in enumerate(self.columns):
            if column.name == name:
                return self.matrix[:, index]
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Space:
    """A NAS space. `parse` turns user encodings into op indices (n, positions), the form everything else takes."""

    name: str
    parse: Callable[[Sequence[object]], OpIndices]
    composition: Callable[[OpIndices], Composition]
    physics: Callable[[OpIndices], Physics]
    sample: Callable[[int, np.random.Generator], OpIndices]


# -- NAS-Bench-201 -----------------------------------------------------------------------------------------------------

_NB_EDGE = re.compile(r"([a-z_0-9]+)~(\d)")
_NB_SHAPE = re.compile(r"\|[^|]+\|\+\|[^|]+\|[^|]+\|\+\|[^|]+\|[^|]+\|[^|]+\|")


def _parse_nasbench201(encodings: Sequence[object]) -> OpIndices:
    return _stack([_nasbench201_row(text, index) for index, text in enumerate(encodings)], len(NASBENCH201_EDGES))


def _nasbench201_row(encoding: object, index: int) -> list[int]:
    where = f"architecture {index}"
    if not isinstance(encoding, str):
        return _index_row(encoding, len(NASBENCH201_EDGES), len(NASBENCH201_OPS), where)
    found = _NB_EDGE.findall(encoding)
    if not _NB_SHAPE.fullmatch(encoding) or len(found) != len(NASBENCH201_EDGES):
        raise InputError(
            "A NAS-Bench-201 architecture", "reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|", encoding, where=where
        )
    for (op, source), (expected, _) in zip(found, NASBENCH201_EDGES, strict=True):
        if op not in NASBENCH201_OPS:
            raise UnknownNameError("NAS-Bench-201 operation", op, NASBENCH201_OPS, where=where)
        if int(source) != expected:
            raise InputError(
                "The sources of a NAS-Bench-201 cell", "are 0, then 0 1, then 0 1 2", encoding, where=where
            )
    return [NASBENCH201_OPS.index(op) for op, _ in found]


def nasbench201_reach(ops: OpIndices) -> tuple[Array, Array, Array]:
    """Does the input reach an edge's source, does its target reach the output, (n, 6) each; input to output, (n,)."""
    passes = ops != NASBENCH201_OPS.index("none")
    forward = np.zeros((len(ops), 4), dtype=bool)
    backward = np.zeros((len(ops), 4), dtype=bool)
    forward[:, 0] = backward[:, 3] = True
    for edge, (source, target) in enumerate(NASBENCH201_EDGES):
        forward[:, target] |= forward[:, source] & passes[:, edge]
    for edge, (source, target) in reversed(list(enumerate(NASBENCH201_EDGES))):
        backward[:, source] |= backward[:, target] & passes[:, edge]
    sources, targets = np.array(NASBENCH201_EDGES).T
    as_float = [forward[:, sources], backward[:, targets], forward[:, 3]]
    return as_float[0].astype(float), as_float[1].astype(float), as_float[2].astype(float)


@cache
def _nasbench201_units() -> tuple[Unit, ...]:
    def over_stages(kind: str, macs_per_element: Callable[[int], float], traffic: float, weighted: bool) -> Unit:
        launches = []
        for channels, size in _NB_STAGES:
            elements = channels * size * size
            macs = macs_per_element(channels) * elements
            weights = macs / (size * size) if weighted else 0.0
            launches.append(Launch(kind, macs, traffic * elements, weights, channels))
        return tuple(launches) * _CELLS_PER_STAGE

    zero = over_stages("zero", lambda _: 0.0, 2.0, False)
    skip = over_stages("skip", lambda _: 0.0, 0.5, False)
    conv1 = over_stages("conv1", float, 2.0, True)
    conv3 = over_stages("conv3", lambda c: 9.0 * c, 2.0, True)
    pool = over_stages("pool", lambda _: 0.0, 2.0, False)
    return zero, skip, conv1, conv3, pool


def _one_hot(ops: OpIndices, size: int) -> Array:
    return np.asarray((ops[:, :, None] == np.arange(size)).astype(np.float64))


def _compose_nasbench201(ops: OpIndices) -> Composition:
    forward, backward, kept = nasbench201_reach(ops)
    hot, k = _one_hot(ops, len(NASBENCH201_OPS)), len(NASBENCH201_OPS)
    live = hot * backward[:, :, None]
    counts = np.concatenate([hot.sum(1), live.sum(1), (live * forward[:, :, None]).sum(1)], axis=1)
    variants = tuple(np.arange(k) + k * variant for variant in range(3))
    return Composition(counts, _nasbench201_units() * 3, variants, kept)


def _critical_path(ops: OpIndices) -> Array:
    """Longest path of the cell in convolutions (a pooling counts half), (n,); zero where nothing reaches the output."""
    weight = np.array([-np.inf, 0.0, 1.0, 1.0, 0.5])
    longest = np.full((len(ops), 4), -np.inf)
    longest[:, 0] = 0.0
    for edge, (source, target) in enumerate(NASBENCH201_EDGES):
        longest[:, target] = np.maximum(longest[:, target], longest[:, source] + weight[ops[:, edge]])
    return np.asarray(np.maximum(longest[:, 3], 0.0))


def _physics_nasbench201(ops: OpIndices) -> Physics:
    composition = _compose_nasbench201(ops)
    _, backward, kept = nasbench201_reach(ops)
    hot = _one_hot(ops, len(NASBENCH201_OPS))
    k = len(NASBENCH201_OPS)
    live = (hot * backward[:, :, None])[:, :, 1:]
    counts = composition.counts[:, :k]
    macs = counts @ np.array([sum(x.macs for x in unit) for unit in _nasbench201_units()])
    matrix = np.column_stack(
        [counts, macs, live.sum(1), kept, _critical_path(ops), hot.reshape(len(ops), -1), live.reshape(len(ops), -1)]
    )
    edges = [f"{a}to{b}" for a, b in NASBENCH201_EDGES]
    columns = [Column(f"count_{op}", "1", "network") for op in NASBENCH201_OPS] + [Column("macs", "MAC", "total")]
    columns += [Column(f"live_{op}", "1", "stage") for op in NASBENCH201_OPS[1:]]
    columns += [Column("output_depends_on_input", "1", "stage"), Column("critical_path", "1", "stage")]
    columns += [Column(f"edge_{edge}_{op}", "1", "block") for edge in edges for op in NASBENCH201_OPS]
    columns += [Column(f"live_edge_{edge}_{op}", "1", "block") for edge in edges for op in NASBENCH201_OPS[1:]]
    return Physics(matrix, tuple(columns))


# -- Mobile inverted-bottleneck spaces ---------------------------------------------------------------------------------

_NETWORK_COLUMNS = (
    ("pointwise_macs", "MAC"), ("depthwise_macs", "MAC"), ("parameters", "1"), ("activations", "1"), ("layers", "1"),
    ("shuffles", "1"), ("large_kernels", "1"), ("projecting_skips", "1"), ("blocks", "1"), ("residual_adds", "1"),
    ("squeeze_excites", "1"),
)  # fmt: skip
_STAGE_COLUMNS = 4
"""The first columns of `_NETWORK_COLUMNS`, and the number of layers, are given per stage too."""


def _bottleneck(cin: int, cout: int, stride: int, size: int, kernel: int, expand: int, groups: int, se: bool) -> Unit:
    middle, out = cin * expand, size // stride
    inside, outside = size * size, out * out
    point = "pointwise" if groups == 1 else "grouped"
    launches = [
        Launch(point, cin * middle * inside / groups, (cin + middle) * inside, cin * middle / groups, cin / groups)
    ]
    if groups > 1:
        launches.append(Launch("shuffle", 0.0, 2.0 * middle * inside, 0.0, middle))
    taps = kernel * kernel
    launches.append(
        Launch(f"depthwise{kernel}", middle * taps * outside, middle * (inside + outside), middle * taps, middle)
    )
    if se:
        launches.append(Launch("squeeze", middle * middle / 2.0, middle * outside, middle * middle / 2.0, middle))
    narrow = min(middle, cout) / groups
    launches.append(
        Launch(point, middle * cout * outside / groups, (middle + cout) * outside, middle * cout / groups, narrow)
    )
    if stride == 1 and cin == cout:
        launches.append(Launch("add", 0.0, 3.0 * cout * outside, 0.0, cout))
    return tuple(launches)


def _unit_numbers(unit: Unit) -> list[float]:
    """The columns `_NETWORK_COLUMNS` of one unit."""

    def total(field: str, *kinds: str) -> float:
        return float(sum(getattr(x, field) for x in unit if x.kind.startswith(kinds)))

    def number(*kinds: str) -> float:
        return float(sum(x.kind.startswith(kinds) for x in unit))

    return [
        total("macs", "pointwise", "grouped", "project", "squeeze"), total("macs", "depthwise"), total("weights", ""),
        total("elements", ""), number("pointwise", "grouped", "depthwise", "project"), number("shuffle"),
        number("depthwise5", "depthwise7"), number("project"), float(number("depthwise") > 0), number("add"),
        number("squeeze"),
    ]  # fmt: skip


def _mobile_physics(composition: Composition, stages: Sequence[int], names: Sequence[str], scale: Array) -> Physics:
    """Columns of a space of inverted bottlenecks; `scale` (n,) multiplies the block counts (input size)."""
    numbers = np.array([_unit_numbers(unit) for unit in composition.units])
    stage_of, used = np.asarray(stages), list(range(_STAGE_COLUMNS + 1))
    blocks = [composition.counts @ numbers]
    columns = [Column(name, unit, "network") for name, unit in _NETWORK_COLUMNS]
    for stage in sorted(set(stages)):
        blocks.append(composition.counts @ (numbers[:, used] * (stage_of == stage)[:, None]))
        columns += [Column(f"stage{stage}_{_NETWORK_COLUMNS[i][0]}", _NETWORK_COLUMNS[i][1], "stage") for i in used]
    classes = sorted(set(names))
    member = np.array([[name == one for one in classes] for name in names], dtype=np.float64)
    blocks.append((composition.counts @ member) * scale[:, None])
    columns += [Column(f"block_{name}", "1", "block") for name in classes]
    matrix = np.column_stack([*blocks, blocks[0][:, :2].sum(1)])
    return Physics(matrix, (*columns, Column("macs", "MAC", "total")))


# -- FBNet -------------------------------------------------------------------------------------------------------------

_FBNET_STAGES = ((16, 1, 1), (24, 4, 1), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""Output channels, blocks, stride of the first block."""
_FBNET_CHOICES = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))
"""Kernel size, expansion, groups of `FBNET_OPS` but the last."""


@dataclass(frozen=True, slots=True)
class _Table:
    """unit_of : (positions, choices) index into units; stage and name per unit."""

    units: tuple[Unit, ...]
    stages: tuple[int, ...]
    names: tuple[str, ...]
    unit_of: npt.NDArray[np.int64]


@cache
def _fbnet_table() -> _Table:
    units: dict[str, tuple[Unit, int]] = {}
    rows, cin, size = [], 16, 32
    for stage, (cout, blocks, first_stride) in enumerate(_FBNET_STAGES):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            row = []
            for op, name in enumerate(FBNET_OPS):
                key = f"{cin}to{cout}_s{stride}_{name}"
                units.setdefault(key, (_fbnet_unit(op, cin, cout, stride, size), stage))
                row.append(list(units).index(key))
            rows.append(row)
            cin, size = cout, size // stride
    kept = tuple(units.values())
    return _Table(tuple(u for u, _ in kept), tuple(s for _, s in kept), tuple(units), np.array(rows, dtype=np.int64))


def _fbnet_unit(op: int, cin: int, cout: int, stride: int, size: int) -> Unit:
    if op < len(_FBNET_CHOICES):
        kernel, expand, groups = _FBNET_CHOICES[op]
        return _bottleneck(cin, cout, stride, size, kernel, expand, groups, se=False)
    if stride == 1 and cin == cout:
        return ()
    outside = (size // stride) ** 2
    return (Launch("project", cin * cout * outside, (cin + cout) * outside, cin * cout, min(cin, cout)),)


def _parse_fbnet(encodings: Sequence[object]) -> OpIndices:
    rows = []
    for index, encoding in enumerate(encodings):
        where = f"architecture {index}"
        if isinstance(encoding, str):
            names = encoding.split("|")
            for name in names:
                if name not in FBNET_OPS:
                    raise UnknownNameError("FBNet operation", name, FBNET_OPS, where=where)
            encoding = [FBNET_OPS.index(name) for name in names]
        rows.append(_index_row(encoding, FBNET_POSITIONS, len(FBNET_OPS), where))
    return _stack(rows, FBNET_POSITIONS)


def _count_units(unit_of: npt.NDArray[np.int64], units: int) -> Array:
    """Per row of unit indices (n, positions; -1 is no unit) how often each unit occurs, (n, units)."""
    n = len(unit_of)
    flat = (unit_of + 1) + np.arange(n)[:, None] * (units + 1)
    return np.asarray(np.bincount(flat.ravel(), minlength=n * (units + 1)).reshape(n, -1)[:, 1:].astype(np.float64))


def _compose_fbnet(ops: OpIndices) -> Composition:
    table = _fbnet_table()
    counts = _count_units(table.unit_of[np.arange(FBNET_POSITIONS), ops], len(table.units))
    return Composition(counts, table.units, (np.arange(len(table.units)),), np.ones(len(ops)))


def _physics_fbnet(ops: OpIndices) -> Physics:
    table = _fbnet_table()
    return _mobile_physics(_compose_fbnet(ops), table.stages, table.names, np.ones(len(ops)))


# -- OFA ---------------------------------------------------------------------------------------------------------------

_OFA_STAGES = ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True))
"""Output channels, stride of the first block, squeeze-and-excite."""


@cache
def _ofa_unit(unit: int, first: bool, kernel: int, expand: int, resolution: int) -> Unit:
    cout, stride, se = _OFA_STAGES[unit]
    before = resolution // 2
    for _, earlier, _ in _OFA_STAGES[:unit]:
        before = -(-before // earlier)
    if first:
        cin = 16 if unit == 0 else _OFA_STAGES[unit - 1][0]
        return _bottleneck(cin, cout, stride, before, kernel, expand, 1, se)
    return _bottleneck(cout, cout, 1, -(-before // stride), kernel, expand, 1, se)


def _parse_ofa(encodings: Sequence[object]) -> OpIndices:
    rows = []
    for index, encoding in enumerate(encodings):
        where = f"architecture {index}"
        if isinstance(encoding, dict):
            missing = {"ks", "e", "d", "r"} - set(encoding)
            if missing:
                raise InputError("An OFA architecture", "has the fields ks, e, d, r", sorted(encoding), where=where)
            r = encoding["r"][0] if isinstance(encoding["r"], (list, tuple)) else encoding["r"]
            encoding = [*encoding["ks"], *encoding["e"], *encoding["d"], r]
        rows.append(_ofa_row(encoding, where))
    return _stack(rows, 2 * OFA_SLOTS + OFA_UNITS + 1)


def _ofa_row(encoding: object, where: str) -> list[int]:
    row = _integers(encoding, 2 * OFA_SLOTS + OFA_UNITS + 1, where)
    fields = (
        ("kernel sizes", OFA_SLOTS, OFA_KERNELS),
        ("expansions", OFA_SLOTS, OFA_EXPANSIONS),
        ("depths", OFA_UNITS, OFA_DEPTHS),
    )
    start = 0
    for label, size, allowed in fields:
        bad = [value for value in row[start : start + size] if value not in allowed]
        if bad:
            raise InputError(f"The {label} of an OFA architecture", f"are of {allowed}", bad[0], where=where)
        start += size
    if row[-1] not in OFA_RESOLUTIONS:
        raise InputError("The resolution of an OFA architecture", "is 128 to 224 in steps of 4", row[-1], where=where)
    return row


def _ofa_blocks(ops: OpIndices) -> list[list[tuple[int, bool, int, int, int]]]:
    rows = []
    for row in ops.tolist():
        depths, resolution = row[2 * OFA_SLOTS : -1], row[-1]
        rows.append([
            (unit, slot == 0, row[4 * unit + slot], row[OFA_SLOTS + 4 * unit + slot], resolution)
            for unit, depth in enumerate(depths) for slot in range(depth)
        ])  # fmt: skip
    return rows


def _ofa_table(ops: OpIndices) -> tuple[Composition, list[tuple[int, bool, int, int, int]]]:
    rows = _ofa_blocks(ops)
    distinct = sorted({block for row in rows for block in row})
    place = {block: index for index, block in enumerate(distinct)}
    unit_of = np.full((len(rows), OFA_SLOTS), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        unit_of[i, : len(row)] = [place[block] for block in row]
    units = tuple(_ofa_unit(*block) for block in distinct)
    composition = Composition(_count_units(unit_of, len(units)), units, (np.arange(len(units)),), np.ones(len(rows)))
    return composition, distinct


def _compose_ofa(ops: OpIndices) -> Composition:
    return _ofa_table(ops)[0]


def _physics_ofa(ops: OpIndices) -> Physics:
    composition, blocks = _ofa_table(ops)
    names = [f"unit{u}_{'first' if first else 'rest'}_k{k}_e{e}" for u, first, k, e, _ in blocks]
    every = sorted(
        f"unit{u}_{part}_k{k}_e{e}"
        for u in range(OFA_UNITS) for part in ("first", "rest") for k in OFA_KERNELS for e in OFA_EXPANSIONS
    )  # fmt: skip
    absent = [name for name in every if name not in set(names)]
    padded = Composition(
        np.pad(composition.counts, ((0, 0), (0, len(absent)))), (*composition.units, *((),) * len(absent)),
        composition.variants, composition.kept,
    )  # fmt: skip
    stages = [block[0] for block in blocks] + [int(name[4]) for name in absent]
    return _mobile_physics(padded, stages, names + absent, (ops[:, -1] / 224.0) ** 2)


# -- The spaces --------------------------------------------------------------------------------------------------------


def _integers(encoding: object, length: int, where: str) -> list[int]:
    if isinstance(encoding, np.ndarray):
        encoding = encoding.tolist()
    if not isinstance(encoding, (list, tuple)) or len(encoding) != length:
        raise InputError("An architecture", f"is a list of {length} integers", encoding, where=where)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in encoding):
        raise InputError("An architecture", f"is a list of {length} integers", encoding, where=where)
    return [int(value) for value in encoding]


def _index_row(encoding: object, length: int, ops: int, where: str) -> list[int]:
    row = _integers(encoding, length, where)
    for value in row:
        if not 0 <= value < ops:
            raise InputError("An operation's index", f"is 0 to {ops - 1}", value, where=where)
    return row


def _stack(rows: list[list[int]], width: int) -> OpIndices:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _sample_ofa(n: int, rng: np.random.Generator) -> OpIndices:
    return np.column_stack([
        rng.choice(OFA_KERNELS, (n, OFA_SLOTS)), rng.choice(OFA_EXPANSIONS, (n, OFA_SLOTS)),
        rng.choice(OFA_DEPTHS, (n, OFA_UNITS)), rng.choice(OFA_RESOLUTIONS, (n, 1)),
    ]).astype(np.int64)  # fmt: skip


def _sample_choices(positions: int, ops: int) -> Callable[[int, np.random.Generator], OpIndices]:
    return lambda n, rng: rng.integers(0, ops, (n, positions))


SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        Space("nasbench201", _parse_nasbench201, _compose_nasbench201, _physics_nasbench201,
              _sample_choices(len(NASBENCH201_EDGES), len(NASBENCH201_OPS))),
        Space("fbnet", _parse_fbnet, _compose_fbnet, _physics_fbnet,
              _sample_choices(FBNET_POSITIONS, len(FBNET_OPS))),
        Space("ofa", _parse_ofa, _compose_ofa, _physics_ofa, _sample_ofa),
    )
}  # fmt: skip


def space_of(name: str) -> Space:
    """A space by name. Raises UnknownNameError with the known ones."""
    if name not in SPACES:
        raise UnknownNameError("NAS space", name, SPACES)
    return SPACES[name]
