"""The tables of a measured data set: networks and their splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from costmodel.zoo import NetworkSpec, size

UNSEEN_FAMILIES = ("efficientnet", "transformer_decoder")
"""One convolutional and one attention family are held out whole."""
_SHARES = (("train", 0.70), ("validation", 0.15), ("test_seen", 0.15))


def splits(specs: Sequence[NetworkSpec], seed: int = 0) -> list[str]:
    """The split of each network: whole families unseen, the others divided within the family."""
    result = ["test_unseen"] * len(specs)
    families = sorted({s.family for s in specs} - set(UNSEEN_FAMILIES))
    for index, family in enumerate(families):
        rows = [i for i, s in enumerate(specs) if s.family == family]
        order = np.random.default_rng([seed, index]).permutation(len(rows))
        bounds = np.cumsum([round(share * len(rows)) for _, share in _SHARES[:-1]])
        for position, row in enumerate(order):
            result[rows[row]] = _SHARES[int(np.searchsorted(bounds, position, side="right"))][0]
    return result


def networks_table(specs: Sequence[NetworkSpec]) -> pa.Table:
    """One row per network: what it is, how large, in which split."""
    sizes = [size(s) for s in specs]
    return pa.table(
        {
            "network_id": [s.network_id for s in specs],
            "family": [s.family for s in specs],
            "params": [json.dumps(s.params, sort_keys=True) for s in specs],
            "seed": pa.array([s.seed for s in specs], pa.int64()),
            "flops": pa.array([s.flops for s in sizes], pa.int64()),
            "parameters": pa.array([s.parameters for s in sizes], pa.int64()),
            "nodes": pa.array([s.nodes for s in sizes], pa.int32()),
            "split": splits(specs),
        }
    )


def specs_of(table: pa.Table) -> list[NetworkSpec]:
    """The networks that a table of `networks_table` lists."""
    rows = table.select(["network_id", "family", "params", "seed"]).to_pylist()
    return [NetworkSpec(r["network_id"], r["family"], json.loads(r["params"]), r["seed"]) for r in rows]


def write_table(table: pa.Table, path: Path) -> None:
    """Write parquet compactly; a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    pq.write_table(table, part, compression="zstd", compression_level=19)
    part.rename(path)
