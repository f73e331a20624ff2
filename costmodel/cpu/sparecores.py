"""Spare Cores: benchmark scores of cloud server types (CC BY-SA 4.0), as a table of servers by targets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.corpus import CorpusError
from costmodel.prediction import Target
from costmodel.regressors import Array
from featurizers.cpu.rows import spec_from_sparecores
from featurizers.cpu.spec import ServerSpec

SERVERS, SCORES = "sparecores_servers.parquet", "sparecores_scores.parquet"
_SERVER_COLUMNS = ("server_key", "vendor", "server", "cpu_model_name", "cpu_vendor_id", "logical_cpus", "flags")
_SCORE_COLUMNS = ("server_key", "benchmark", "config", "score", "unit", "higher_is_better")

HEADLINE = {
    "passmark_cpu": "passmark:SUMM_CPU",
    "passmark_single": "passmark:CPU_SINGLETHREAD",
    "geekbench_multi": "geekbench6:multi:Score",
    "geekbench_single": "geekbench6:single:Score",
    "stressng_all": "stressng_cpu:cores=all",
    "mem_read_256mb": "bw_mem:rd:256.00MB",
    "mem_latency": "passmark:ME_LATENCY",
    "static_web": "static_web:max_rps:64k",
}
"""The benchmarks that every table shows, by the name that a summary gives them."""

PAGING_MB_PER_S = 100.0
"""A "memory" bandwidth per vCPU below this is the swap device's: such readings are left out, and counted."""


@dataclass(frozen=True)
class ScoreTable:
    """specs : (n,). cpu_model, cloud : (n,), the families that folds must not split. scores : (n, t), NaN where a
    benchmark was not run. targets : (t,), named ``benchmark:config``. left_out : readings dropped, by reason."""

    rows: Sequence[Mapping[str, Any]]
    specs: Sequence[ServerSpec]
    keys: tuple[str, ...]
    cpu_model: npt.NDArray[np.str_]
    cloud: npt.NDArray[np.str_]
    targets: tuple[Target, ...]
    scores: Array
    checksum: str
    left_out: Mapping[str, int]

    def column(self, target: str) -> Array:
        """Scores of one target, (n,). CorpusError when the data do not have it."""
        for index, found in enumerate(self.targets):
            if found.name == target:
                return np.asarray(self.scores[:, index])
        raise CorpusError(f"{SCORES}: has no benchmark '{target}'.")


def target_name(benchmark: str, config: str) -> str:
    """``geekbench6`` and ``multi|Score`` -> ``geekbench6:multi:Score`` (a bar means something else in bundles)."""
    return f"{benchmark}:{config}".replace("|", ":")


def load_scores(folder: Path) -> ScoreTable:
    """Read and check both tables. CorpusError names file, column and row of the first fault."""
    import pyarrow.parquet as pq

    for name in (SERVERS, SCORES):
        if not (folder / name).is_file():
            raise CorpusError(f"{folder.name}: has no file '{name}'.")
    servers = pq.read_table(folder / SERVERS)
    scores = pq.read_table(folder / SCORES, columns=None)
    _require(servers.column_names, _SERVER_COLUMNS, SERVERS)
    _require(scores.column_names, _SCORE_COLUMNS, SCORES)
    rows = servers.to_pylist()
    keys = tuple(row["server_key"] for row in rows)
    if len(set(keys)) != len(keys):
        raise CorpusError(f"{SERVERS}, column 'server_key': every server must be there once.")
    targets, matrix = _matrix(scores, keys)
    left_out = _drop_paging(targets, matrix, np.array([row["logical_cpus"] for row in rows], dtype=float))
    return ScoreTable(
        rows,
        [spec_from_sparecores(row) for row in rows],
        keys,
        np.array([row["cpu_model_name"] for row in rows]),
        np.array([row["vendor"] for row in rows]),
        targets,
        matrix,
        hashlib.sha256(b"".join((folder / name).read_bytes() for name in (SERVERS, SCORES))).hexdigest(),
        left_out,
    )


def _require(found: Sequence[str], wanted: Sequence[str], file: str) -> None:
    for name in wanted:
        if name not in found:
            raise CorpusError(f"{file}: has no column '{name}'.")


def _matrix(scores: Any, keys: tuple[str, ...]) -> tuple[tuple[Target, ...], Array]:
    columns = {name: scores.column(name).combine_chunks() for name in _SCORE_COLUMNS}
    code = {name: _codes(columns[name]) if name != "score" and name != "higher_is_better" else None for name in columns}
    score = columns["score"].to_numpy(zero_copy_only=False).astype(float)
    bad = np.flatnonzero(~(np.isfinite(score) & (score > 0)))
    if len(bad):
        raise CorpusError(f"{SCORES}, column 'score', row {bad[0]}: must be positive. Got {score[bad[0]]}.")
    higher = columns["higher_is_better"].to_numpy(zero_copy_only=False)
    place = {key: i for i, key in enumerate(keys)}
    server_names, server_code = code["server_key"]  # type: ignore[misc]
    unknown = [name for name in server_names if name not in place]
    if unknown:
        raise CorpusError(f"{SCORES}, column 'server_key': '{unknown[0]}' is not in {SERVERS}.")
    bench_names, bench = code["benchmark"]  # type: ignore[misc]
    config_names, config = code["config"]  # type: ignore[misc]
    unit_names, unit = code["unit"]  # type: ignore[misc]
    pair, first, which = np.unique(bench * len(config_names) + config, return_index=True, return_inverse=True)
    targets = tuple(
        Target(
            target_name(bench_names[p // len(config_names)], config_names[p % len(config_names)]),
            unit_names[unit[i]],
            higher_is_better=bool(higher[i]),
        )
        for p, i in zip(pair, first, strict=True)
    )
    matrix = np.full((len(keys), len(targets)), np.nan)
    matrix[np.array([place[name] for name in server_names])[server_code], which] = score
    return targets, matrix


def _codes(column: Any) -> tuple[list[str], npt.NDArray[np.int64]]:
    encoded = column if hasattr(column, "dictionary") else column.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _drop_paging(targets: Sequence[Target], matrix: Array, cpus: Array) -> dict[str, int]:
    """Large-block bandwidths of machines that were swapping become missing, in place."""
    dropped = 0
    for t, target in enumerate(targets):
        if target.name.startswith("bw_mem:") and float(target.name.split(":")[2].removesuffix("MB")) >= 64:
            paging = matrix[:, t] / cpus < PAGING_MB_PER_S
            dropped += int(paging.sum())
            matrix[paging, t] = np.nan
    return {"bw_mem readings of swapping machines": dropped}
