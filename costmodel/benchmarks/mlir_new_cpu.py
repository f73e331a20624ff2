"""`mlir-new-cpu`: each CPU in turn is left out of training; twenty labelled programs then adapt the model to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.corpora.mlir_programs import load_corpus
from costmodel.corpus import Labels
from costmodel.mlir.adapt import fit
from costmodel.mlir.boosting import CodeBoosting
from costmodel.paths import dataset_folder
from costmodel.training.fitting import FeatureStore
from costmodel.training.shared import leave_out_refused
from featurizers.core import joined

PROGRAMS = 20
_DRAWS = 10
_MOST_TEST = 500
Array = npt.NDArray[np.float64]


def run(data: Path | None, mirror: Path | None, training_rows: int = 10_000) -> dict[str, Any]:
    """Cycles of test programs of seen families on a CPU that training never saw; median over draws of the programs.

    training_rows : of all CPUs together, a sixth of which is left out each time.
    """
    corpus = load_corpus(data or dataset_folder("mlir_programs"))
    cycles = [own for own in corpus.labels if own.target.name == "cycles"]
    some = tuple(_some(own, corpus.split, training_rows // len(cycles)) for own in cycles)
    store = FeatureStore(replace(corpus, labels=some))
    leave_out_refused(store, print)
    labels = list(store.corpus.labels)
    rows = [_left_out(store, labels, own) for own in labels]
    summary = {
        "median_error_cycles_new_cpu": float(np.mean([row["adapted_error"] for row in rows])),
        "median_error_cycles_new_cpu_unadapted": float(np.mean([row["descriptor_error"] for row in rows])),
    }
    return {"benchmark": "mlir-new-cpu", "rows": rows, "summary": summary}


def _some(labels: Labels, split: npt.NDArray[np.str_], most: int) -> Labels:
    """What is trained on of one CPU beside the others, and its test programs."""
    order = np.random.default_rng(0).permutation(len(labels.subject))
    own = split[labels.subject[order]]
    train, test = order[own == "train"][:most], order[own == "test_seen"][:_MOST_TEST]
    keep = np.sort(np.concatenate([train, test]))
    return replace(labels, subject=labels.subject[keep], value=labels.value[keep], noise=labels.noise[keep])


def _left_out(store: FeatureStore, labels: list[Labels], new: Labels) -> dict[str, Any]:
    corpus = store.corpus
    others = [own for own in labels if own is not new]
    pool = joined([store.features(own) for own in others])
    subject = np.concatenate([own.subject for own in others])
    y = np.log(np.concatenate([own.value for own in others]))
    rng = np.random.default_rng(0)
    train = np.flatnonzero(corpus.split[subject] == "train")
    model = CodeBoosting(orders=False).for_target("cycles")
    model.fit(pool.take(train), y[train], np.asarray(corpus.ids)[subject[train]], seed=0)

    test = np.flatnonzero(corpus.split[new.subject] == "test_seen")
    subjects = store.subjects(new.subject[test])
    start = model.predict(store.features(new).take(test)).point
    known = {}
    for own in others:
        profile = own.device.profile
        known[own.device.name] = model.predict(store.featurizer.features(subjects, profile=profile)).point
    found = {"cpu": new.device.name, "n": len(test), **_errors(new, new.value[test], start, known, rng)}
    print(found, flush=True)
    return found


def _errors(
    new: Labels, value: Array, start: Array, known: dict[str, Array], rng: np.random.Generator
) -> dict[str, float]:
    adapted, scaled, covered = [], [], []
    for _ in range(_DRAWS):
        order = rng.permutation(len(value))
        shown, rest = order[:PROGRAMS], order[PROGRAMS:]
        fitted = fit(new.device.name, "cycles", start[shown], {k: v[shown] for k, v in known.items()}, value[shown])
        said = fitted.values(start[rest], {k: v[rest] for k, v in known.items()})
        shift = float(np.median(np.log(value[shown]) - start[shown]))
        adapted.append(float(np.median(np.abs(said / value[rest] - 1))))
        scaled.append(float(np.median(np.abs(np.exp(start[rest] + shift) / value[rest] - 1))))
        covered.append(float(np.mean(np.abs(np.log(said / value[rest])) <= fitted.half_width)))
    return {
        "adapted_error": float(np.median(adapted)),
        "scaled_error": float(np.median(scaled)),
        "descriptor_error": float(np.median(np.abs(np.exp(start) / value - 1))),
        "coverage": float(np.mean(covered)),
    }
