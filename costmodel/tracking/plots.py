"""Pictures of a training run: predicted against measured, error by size, coverage by size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from costmodel.corpus import Labels
    from costmodel.predictor import Predictor
    from costmodel.training.fitting import FeatureStore


def write_plots(predictor: Predictor, store: FeatureStore, folder: Path) -> None:
    """One PNG per device and target into `folder`."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    for labels in store.corpus.labels:
        figure, axes = plt.subplots(1, 3, figsize=(15, 4.5))
        _draw(axes, predictor, store, labels)
        figure.suptitle(f"{labels.device.name}: {labels.target.name} ({labels.target.unit})")
        figure.tight_layout()
        figure.savefig(folder / f"{labels.device.name}_{labels.target.name}.png", dpi=70)
        plt.close(figure)


def _draw(axes: Any, predictor: Predictor, store: FeatureStore, labels: Labels) -> None:
    split = store.corpus.split[labels.subject]
    features = store.features(labels)
    answers = predictor.model(labels.device.name, labels.target.name).answer(features)
    error = answers.value / labels.value - 1
    inside = (labels.value >= answers.low) & (labels.value <= answers.high)
    for name in ("test_seen", "test_unseen"):
        member = split == name
        axes[0].loglog(labels.value[member], answers.value[member], ".", label=name)
        axes[1].semilogx(labels.value[member], 100 * error[member], ".", label=name)
        if member.sum() >= 10:
            edges = np.quantile(labels.value[member], np.linspace(0, 1, 6))
            index = np.clip(np.searchsorted(edges, labels.value[member]) - 1, 0, 4)
            shares = [float(inside[member][index == i].mean()) if (index == i).any() else np.nan for i in range(5)]
            axes[2].plot(range(1, 6), shares, "o-", label=name)
    line = [labels.value.min(), labels.value.max()]
    axes[0].plot(line, line, "k-", linewidth=0.5)
    axes[0].set(xlabel="measured", ylabel="predicted")
    axes[1].set(xlabel="measured", ylabel="error, %", ylim=(-60, 60))
    axes[2].axhline(0.9, color="k", linewidth=0.5)
    axes[2].set(xlabel="fifth of the size", ylabel="share inside the interval", ylim=(0, 1.05))
    axes[0].legend()
