"""HELP's re-implementation beside the figures of its README: is `costmodel.fewshot.help` the method it names?

HELP's protocol (Lee et al., NeurIPS 2021): its meta-training devices, pools and queries trimmed to the 10th to 90th
percentile of each device, ten reference architectures and ten random samples of the target, Spearman on the trimmed
query. Meta-training runs for as many episodes as the README's commands do, and keeps the best of them on HELP's
validation devices, as the original does. Needs torch.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.benchmarks.nas import SPLITS, data_folder, trimmed
from costmodel.evaluation.metrics import spearman
from costmodel.fewshot.tables import load_table
from costmodel.regressors.base import Array

SEEDS, QUERIES = 10, 200
PUBLISHED = {
    "help-nasbench201": {
        "titan_rtx_256": 0.987, "gold_6226": 0.989, "pixel2": 0.802, "raspi4": 0.890, "eyeriss": 0.940, "fpga": 0.985,
    },
    "help-fbnet": {"raspi4": 0.887, "eyeriss": 0.943, "fpga": 0.892},
}  # fmt: skip
"""Of HELP's README (tables 3 and 2 of the paper)."""
VALIDATION = {
    "help-nasbench201": ("titanx_1", "titanx_32", "titanx_256", "gold_6240"),
    "help-fbnet": ("titanx_1", "titanx_32", "titanx_64", "gold_6240"),
}
EPISODES = {"help-nasbench201": 2000, "help-fbnet": 4000}


def run(
    task: str, data: Path | None, mirror: Path | None = None, episodes: int = 0, queries: int = QUERIES
) -> dict[str, Any]:  # fmt: skip
    """One of HELP's tasks over the target devices that the tables hold. Rows per device, means over `SEEDS` samples.

    episodes : of meta-training, 0 for as many as the README's. queries : per device and episode; fewer are faster.
    """
    import torch

    from costmodel.fewshot.help import REFERENCES, Help, HelpSettings

    torch.set_num_threads(1)
    split = SPLITS[task]
    table = load_table(data_folder(data, mirror), split.space)
    references = np.array(REFERENCES[split.space])
    settings = HelpSettings(episodes=episodes or EPISODES[task], queries=queries)
    learner = Help(table.space, references, settings)
    started = time.perf_counter()
    validation = table.known(VALIDATION[task])
    learner.meta_train(
        table.ops, table.known(split.known), np.asarray(split.pool), validation=validation,
        query=np.asarray(split.query),
    )  # fmt: skip
    training_s = time.perf_counter() - started
    rows: list[dict[str, Any]] = []
    for target in (device for device in split.targets if device in table.latency_ms):
        latency = table.latency_ms[target]

        def once(seed: int, latency: Array = latency) -> float:
            drawn = np.random.default_rng(seed).choice(trimmed(split.pool, latency), 10, replace=False)
            query = trimmed(split.query, latency)
            ranked = learner.rank(
                table.ops[query], latency[references], table.ops[drawn], latency[drawn], seed=seed
            )  # fmt: skip
            return spearman(latency[query], ranked)

        found = [once(seed) for seed in range(SEEDS)]
        published = PUBLISHED[task].get(target, float("nan"))
        rows.append({
            "device": target, "n": 20, "spearman": float(np.mean(found)), "spearman_sd": float(np.std(found)),
            "published": published, "difference": float(np.mean(found)) - published,
        })  # fmt: skip
    worst = max((abs(row["difference"]) for row in rows), default=float("nan"))
    summary = {"largest_difference": worst, "meta_training_s": training_s, "episodes": float(settings.episodes)}
    summary["queries"] = float(settings.queries)
    return {"benchmark": f"{task}-reference", "rows": rows, "summary": summary}


help_nasbench201 = partial(run, "help-nasbench201")
help_fbnet = partial(run, "help-fbnet")
