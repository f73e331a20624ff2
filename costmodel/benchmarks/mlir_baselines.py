"""`mlir-baselines`: the paper's networks, the graph network, boosting and the estimate, all on the same programs.

One CPU, since who reads tokens does not see the CPU's columns. ``--set programs=N`` trains on N programs. With
``--set journal=FILE`` each row is kept as it is made, and what the file has of these very settings is not made again:
networks take minutes, and boosting may be measured anew after the columns have changed (take its lines out first).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpora.mlir_programs import load_corpus
from costmodel.corpus import Corpus, Labels
from costmodel.evaluation.metrics import accuracy
from costmodel.measure.journal import Journal, read_journal
from costmodel.paths import dataset_folder
from costmodel.regressors import Regressor, learner
from costmodel.training.fitting import FeatureStore
from costmodel.training.shared import leave_out_refused
from featurizers.core import Features

_SPLITS = {"test_seen": "seen", "test_unseen": "unseen"}
_TARGETS = ("instructions", "cycles")
_STREAMS = ("ops", "ops_operands")
_ON_COLUMNS = {"mlir-estimate", "mlir-boost"}
_EXTRAS = ("sequences", "graphs")


def run(
    data: Path | None,
    mirror: Path | None,
    cpu: str = "znver4",
    programs: int = 2000,
    longest: int = 256,
    epochs: int = 15,
    learners: str = "mlir-estimate,mlir-boost,conv1d,lstm,gnn",
    seed: int = 0,
    journal: str = "",
) -> dict[str, Any]:
    """A row per learner, target and split. longest : tokens that are read of a program. epochs : of the networks."""
    told = {"cpu": cpu, "programs": programs, "longest": longest, "epochs": epochs, "seed": seed}
    kept = _Kept(Path(journal) if journal else None, told)
    chosen = [name for name in learners.split(",") if not kept.has_all(name)]
    if not chosen:
        return {"benchmark": "mlir-baselines", "rows": kept.rows, "summary": _summary(kept.rows)}
    corpus = load_corpus(data or dataset_folder("mlir_programs"))
    extras = _EXTRAS if set(chosen) - _ON_COLUMNS else ()
    store = FeatureStore(_of_cpu(corpus, cpu, programs, seed), extras)
    leave_out_refused(store, print)
    for labels in store.corpus.labels:
        features, y = store.features(labels), np.log(labels.value)
        split = store.corpus.split[labels.subject]
        train = np.flatnonzero(split == "train")
        groups = np.asarray(store.corpus.ids)[labels.subject][train]
        for name, stream, model in _learners(chosen, labels.target.name, longest, epochs):
            if kept.has(name, labels.target.name, stream):
                continue
            started = time.process_time()
            model.fit(features.take(train), y[train], groups, seed)
            spent = time.process_time() - started
            print(f"{labels.target.name} {name} {stream}: {spent:.0f} CPU-s", flush=True)
            row = {"target": labels.target.name, "cpu": cpu, "learner": name, "stream": stream, "trained": len(train)}
            kept.add([row | {"cpu_s": round(spent, 1)} | own for own in _scores(model, features, labels, split)])
    return {"benchmark": "mlir-baselines", "rows": kept.rows, "summary": _summary(kept.rows)}


class _Kept:
    """Rows of one benchmark's settings, in a file too where there is one."""

    def __init__(self, path: Path | None, told: dict[str, Any]):
        self.path, self.told = path, told
        found = read_journal(path) if path is not None and path.is_file() else []
        self.rows: list[dict[str, Any]] = [entry["row"] for entry in found if entry["settings"] == told]

    def has(self, learner: str, target: str, stream: str) -> bool:
        """Whether one fit was made before."""
        return any((r["learner"], r["target"], r["stream"]) == (learner, target, stream) for r in self.rows)

    def has_all(self, learner: str) -> bool:
        """Whether every fit of a learner was made before."""
        fits = [(target, stream) for target in _TARGETS for stream in _streams(learner)]
        return all(self.has(learner, *fit) for fit in fits)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """The rows of one fit."""
        self.rows += rows
        if self.path is not None:
            out = Journal(self.path)
            for row in rows:
                out.append({"settings": self.told, "row": row})
            out.close()


def _streams(learner: str) -> tuple[str, ...]:
    if learner in _ON_COLUMNS:
        return ("columns",)
    return ("graph",) if learner == "gnn" else _STREAMS


def _of_cpu(corpus: Corpus, cpu: str, programs: int, seed: int) -> Corpus:
    """The labels of one CPU, of at most so many programs for training and half as many of each test split."""
    rng = np.random.default_rng(seed)
    labels = []
    chosen = None
    for own in corpus.labels:
        if own.device.name != cpu or own.target.name not in _TARGETS:
            continue
        if chosen is None:
            split = corpus.split[own.subject]
            parts = [own.subject[split == "train"], *(own.subject[split == name] for name in _SPLITS)]
            chosen = np.concatenate(
                [rng.permutation(part)[: programs if k == 0 else programs // 2] for k, part in enumerate(parts)]
            )
        keep = np.isin(own.subject, chosen)
        labels.append(replace(own, subject=own.subject[keep], value=own.value[keep], noise=own.noise[keep]))
    return replace(corpus, labels=tuple(labels))


def _learners(chosen: Sequence[str], target: str, longest: int, epochs: int) -> Iterator[tuple[str, str, Regressor]]:
    for name in chosen:
        made: Any = learner(name)
        for stream in _streams(name):
            if name in _ON_COLUMNS:
                yield name, stream, made().for_target(target)
            elif name == "gnn":
                yield name, stream, made(readout="pooled", epochs=epochs)
            else:
                yield name, stream, made(stream=stream, longest=longest, epochs=epochs)


def _scores(
    model: Regressor, features: Features, labels: Labels, split: np.ndarray[Any, np.dtype[np.str_]]
) -> list[dict[str, Any]]:
    found = []
    for name, short in _SPLITS.items():
        rows = np.flatnonzero(split == name)
        if len(rows):
            said = np.exp(model.predict(features.take(rows)).point)
            own = accuracy(labels.value[rows], said)
            kept = {key: own[key] for key in ("median_error", "p90_error", "within_10pct", "spearman")}
            found.append({"split": short, "n": len(rows), **kept})
    return found


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The best stream of each learner by target and split."""
    best: dict[str, float] = {}
    for row in rows:
        key = f"{row['learner']}_median_error_{row['target']}_{row['split']}".replace("-", "_")
        best[key] = min(best.get(key, float("inf")), float(row["median_error"]))
    return best
