"""Tables of accuracy: the learned model, the plain baselines beside it, and the noise of the labels under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.corpus import SPLITS, Labels
from costmodel.evaluation.metrics import accuracy, interval_quality
from costmodel.regressors import Regressor
from costmodel.target_model import TargetModel
from featurizers.core import Features

NOISY = 0.05
"""Labels whose repeats differ by more are left out of accuracy figures, and counted beside them."""


def evaluate_target(
    model: TargetModel, baselines: Mapping[str, Regressor], features: Features, labels: Labels, split: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per split. features : of ``labels.subject``; split : (k,) of the same."""
    answers = model.answer(features)
    flagged = np.array([bool(reason) for reason in answers.reasons])
    points = {name: labels.target.answered(baseline.predict(features).point) for name, baseline in baselines.items()}
    one = float(labels.target.count)  # a count may be 0: errors are relative to it plus one
    rows = []
    for name in SPLITS:
        member = np.asarray(split) == name
        quiet = member & (labels.noise <= NOISY)
        if not member.any():
            continue
        row: dict[str, Any] = {"device": labels.device.name, "target": labels.target.name, "split": name}
        row |= {"n": int(quiet.sum()), "noisy_left_out": int(member.sum() - quiet.sum())}
        row |= accuracy(labels.value[quiet] + one, answers.value[quiet] + one)
        row |= interval_quality(labels.value[quiet] + one, answers.low[quiet] + one, answers.high[quiet] + one)
        row |= {"flagged": float(flagged[quiet].mean()) if quiet.any() else float("nan")}
        row |= {"label_noise": float(np.median(labels.noise[member]))}
        for baseline, point in points.items():
            figures = accuracy(labels.value[quiet] + one, point[quiet] + one)
            row |= {f"{baseline}_{key}": figures[key] for key in ("median_error", "within_10pct", "spearman")}
        rows.append(row)
    return rows


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as a Markdown table; fractions to three digits.

    >>> print(format_table([{"device": "a", "median_error": 0.12345}]))
    | device | median_error |
    |---|---|
    | a | 0.123 |
    """
    if not rows:
        return "(no rows)"
    names = list(columns) if columns is not None else list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"
    return "" if value is None else str(value)
