"""Once-for-all as physics: Cai et al., ICLR 2020, MobileNetV3 at width 1.0 (the channels of HELP's supernet may be a
constant factor wider)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from featurizers.errors import InputError
from featurizers.network.nas_base import Composition, OpIndices, Physics, Space, Unit, count_units, integers, stack
from featurizers.network.nas_bottleneck import bottleneck, mobile_physics

OFA_SLOTS, OFA_UNITS = 20, 5
OFA_KERNELS, OFA_EXPANSIONS, OFA_DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
OFA_RESOLUTIONS = tuple(range(128, 225, 4))
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
        return bottleneck(cin, cout, stride, before, kernel, expand, 1, se)
    return bottleneck(cout, cout, 1, -(-before // stride), kernel, expand, 1, se)


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
    return stack(rows, 2 * OFA_SLOTS + OFA_UNITS + 1)


def _ofa_row(encoding: object, where: str) -> list[int]:
    row = integers(encoding, 2 * OFA_SLOTS + OFA_UNITS + 1, where)
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


def _placed(ops: OpIndices) -> tuple[list[tuple[int, bool, int, int, int]], OpIndices]:
    """The distinct blocks of these architectures and which one each slot holds, (n, slots); -1 behind the last."""
    rows = _ofa_blocks(ops)
    distinct = sorted({block for row in rows for block in row})
    place = {block: index for index, block in enumerate(distinct)}
    unit_of = np.full((len(rows), OFA_SLOTS), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        unit_of[i, : len(row)] = [place[block] for block in row]
    return distinct, unit_of


def ofa_units(ops: OpIndices) -> tuple[tuple[Unit, ...], OpIndices]:
    """The units that these architectures hold, and which one each slot is, (n, slots); -1 behind the last."""
    distinct, unit_of = _placed(ops)
    return tuple(_ofa_unit(*block) for block in distinct), unit_of


def _ofa_table(ops: OpIndices) -> tuple[Composition, list[tuple[int, bool, int, int, int]]]:
    distinct, unit_of = _placed(ops)
    units = tuple(_ofa_unit(*block) for block in distinct)
    composition = Composition(count_units(unit_of, len(units)), units, (np.arange(len(units)),), np.ones(len(ops)))
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
    return mobile_physics(padded, stages, names + absent, (ops[:, -1] / 224.0) ** 2)


def _sample_ofa(n: int, rng: np.random.Generator) -> OpIndices:
    return np.column_stack([
        rng.choice(OFA_KERNELS, (n, OFA_SLOTS)), rng.choice(OFA_EXPANSIONS, (n, OFA_SLOTS)),
        rng.choice(OFA_DEPTHS, (n, OFA_UNITS)), rng.choice(OFA_RESOLUTIONS, (n, 1)),
    ]).astype(np.int64)  # fmt: skip


OFA = Space("ofa", _parse_ofa, _compose_ofa, _physics_ofa, _sample_ofa)
