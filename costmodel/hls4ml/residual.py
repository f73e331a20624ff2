"""A network over the layers of a design that learns what the closed forms leave, for all targets at once.

Message passing over the layer graph (PyTorch Geometric), or a small Transformer over the layers as in wa-hls4ml
(arXiv:2511.05615); both are served by onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.layers import layers_of
from costmodel.hls4ml.regressor import HlsPhysics, regimes
from costmodel.regressors import Array, group_folds
from costmodel.regressors.base import Groups
from featurizers.core import Features
from featurizers.errors import UnknownNameError

if TYPE_CHECKING:
    from costmodel.regressors.gnn.regressor import Gnn

_SMALL: Final[Mapping[str, Any]] = {
    "hidden": 32, "layers": 2, "readout": "pooled", "epochs": 40, "patience": 8, "members": 1, "batch": 96,
}  # fmt: skip
NETWORKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "gnn": {**_SMALL, "encoder": "message-passing"},
    "hls-transformer": {**_SMALL, "encoder": "attention"},
}
"""By learner the settings of `Gnn`."""

RESIDUALS = ("lightgbm", *NETWORKS, "closed-form")
"""What can learn the residual; 'closed-form' learns none."""

_FOLDS = 2
Answers = Mapping[str, tuple[npt.NDArray[np.int64], Array]]
"""By target the labelled rows and their values in learning space."""


def check_learner(name: str) -> str:
    """A name of `RESIDUALS`. Raises UnknownNameError."""
    if name not in RESIDUALS:
        raise UnknownNameError("learner of hls4ml residuals", name, RESIDUALS)
    return name


def fit_network(
    learner: str,
    fitted: Mapping[str, HlsPhysics],
    answers: Answers,
    features: Features,
    groups: npt.NDArray[np.str_],
    seed: int,
) -> Gnn:
    """Fit on every labelled design; `fitted` learn from groups held out how far to trust it."""
    left = np.full((len(features), len(answers)), np.nan)
    for column, (name, (rows, y)) in enumerate(answers.items()):
        left[rows, column] = y - fitted[name].bases
    labelled = np.flatnonzero(np.isfinite(left).any(axis=1))
    shown, left, own = features.take(labelled), left[labelled], groups[labelled]
    out_of_fold = np.zeros((len(features), len(answers)))
    for fold, held_out in enumerate(group_folds(own, _FOLDS, seed)):
        train, held = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        if len(train) and len(held):
            network = _fit(learner, shown.take(train), left[train], own[train], seed + fold, tuple(answers))
            out_of_fold[labelled[held]] = network.predict_devices(shown.take(held)).point
    regime = regimes(layers_of(features))
    for column, (name, (rows, y)) in enumerate(answers.items()):
        fitted[name].take_residuals(out_of_fold[rows, column], y, regime[rows], groups[rows])
    return _fit(learner, shown, left, own, seed, tuple(answers))


def _fit(learner: str, features: Features, y: Array, groups: Groups, seed: int, targets: tuple[str, ...]) -> Gnn:
    from costmodel.regressors.gnn.regressor import Gnn

    return Gnn(**NETWORKS[learner]).fit_devices(features, y, groups, seed, devices=targets)


def network_residuals(network: Gnn | None, features: Features) -> dict[str, Array]:
    """By target the residual of each design (n,); empty without a network."""
    if network is None or len(features) == 0:
        return {}
    return dict(zip(network.devices, network.predict_devices(features).point.T, strict=True))


def load_network(folder: Path) -> Gnn:
    """What `Gnn.save` wrote."""
    from costmodel.regressors.gnn.regressor import Gnn

    return Gnn.load(folder)
