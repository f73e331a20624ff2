"""Boosting, a GNN and a Transformer over layers beside the bare closed forms, on the same held-out layer dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.residual import NETWORKS, RESIDUALS
from costmodel.hls4ml.rows import LabelledDesign
from costmodel.regressors import Array, group_folds
from featurizers.hls4ml import HlsDesign, HlsFeaturizer

_PARTS = 5
Smape = Callable[[Array, Array], float]


def compare_learners(
    designs: Sequence[LabelledDesign],
    subjects: Sequence[HlsDesign],
    files: Mapping[str, Mapping[str, str]],
    smape: Smape,
    seed: int,
) -> list[dict[str, Any]]:
    """A row per file and target: SMAPE of each learner on a fifth of the layer dimensions, trained on the rest."""
    features = HlsFeaturizer().features(subjects, extras={"graphs"})
    groups = np.array([design.group for design in designs])
    held_out = group_folds(groups, _PARTS, seed)[0]
    train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    chosen = [designs[i] for i in train.tolist()]
    answers = {}
    for learner in _usable():
        model = HlsModel(learner=learner).fit(chosen, features.take(train), seed)
        answers[learner] = model.answer(features.take(test))
    rows = []
    for file, targets in files.items():
        for short, name in targets.items():
            own = [k for k, i in enumerate(test.tolist()) if designs[i].file == file and name in designs[i].labels]
            if own:
                y = np.array([designs[test[k]].labels[name] for k in own], dtype=np.float64)
                row: dict[str, Any] = {"subset": f"{file}: learners, one split", "target": short, "n": len(own)}
                rows.append(
                    row | {f"smape_{key}": round(smape(y, a[name].value[own]), 3) for key, a in answers.items()}
                )
    return rows


def _usable() -> tuple[str, ...]:
    """Networks need torch and PyTorch Geometric to be fitted (the extra 'gnn')."""
    try:
        import torch_geometric  # noqa: F401
    except ImportError:
        return tuple(name for name in RESIDUALS if name not in NETWORKS)
    return RESIDUALS
