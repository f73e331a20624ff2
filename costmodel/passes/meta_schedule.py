"""TVM MetaSchedule's cost model: ``load / save / update / predict``, learned from what the tuner measures.

`ScheduleCostModel` has the methods of ``tvm.meta_schedule.cost_model.PyCostModel`` and needs no TVM; `py_cost_model`
makes TVM's own class of it. Features come from an extractor: TVM's per-store features (Zheng et al., Ansor, OSDI 2020)
are a matrix (stores, columns) per candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.passes.model import normalised
from costmodel.regressors.base import read_json, write_json
from costmodel.regressors.gradient_boosting import GradientBoosting
from featurizers.core import Column, Features

Matrix = npt.NDArray[np.float32]
Extractor = Callable[[Any, Sequence[Any]], Sequence[Matrix]]
"""(context, candidates) -> one matrix (stores, columns) each; ``FeatureExtractor.extract_from`` gives these."""

_ENOUGH = 16
"""Measurements before anything is learned; until then all candidates score alike."""


class ScheduleCostModel:
    """Boosted trees on pooled per-store features of all measured candidates, over all tasks so far.

    A task's times are learned relative to its best one, so that tasks of different sizes teach one model.
    """

    def __init__(self, extractor: Extractor, seed: int = 0, rounds: int = 120):
        self.extractor, self.seed, self.rounds = extractor, seed, rounds
        self.rows: list[Matrix] = []
        self.seconds: list[float] = []
        self.tasks: list[str] = []
        self._fitted: GradientBoosting | None = None

    def load(self, path: str) -> None:
        """Measurements from a folder that `save` wrote; the model is fitted to them again."""
        content, folder = read_json(Path(path) / "measured.json"), Path(path)
        self.rows = list(np.load(folder / "rows.npy", allow_pickle=False)) if content["seconds"] else []
        self.seconds, self.tasks = content["seconds"], content["tasks"]
        self._fit()

    def save(self, path: str) -> None:
        """Write what was measured into a folder (made if needed): JSON and a matrix of numbers."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "measured.json", {"seconds": self.seconds, "tasks": self.tasks})
        if self.rows:
            np.save(folder / "rows.npy", np.stack(self.rows), allow_pickle=False)

    def update(self, context: Any, candidates: Sequence[Any], results: Sequence[Any]) -> None:
        """Learn from measurements; candidates that failed to build or run are left out.

        results : each with ``run_secs`` (seconds of its runs, or None) and ``error_msg``.
        """
        good = [i for i, result in enumerate(results) if result.run_secs and not result.error_msg]
        if not good:
            return
        self.rows += [_pooled(m) for m in self.extractor(context, [candidates[i] for i in good])]
        self.seconds += [float(np.median([float(s) for s in results[i].run_secs])) for i in good]
        self.tasks += [str(getattr(context, "task_name", "") or "")] * len(good)
        self._fit()

    def predict(self, context: Any, candidates: Sequence[Any]) -> npt.NDArray[np.float64]:
        """Scores (n,) in (0, 1], higher is better."""
        if self._fitted is None or not len(candidates):
            return np.ones(len(candidates))
        rows = np.stack([_pooled(matrix) for matrix in self.extractor(context, candidates)])
        return normalised(np.exp(self._fitted.predict(_features(rows)).point))

    def _fit(self) -> None:
        if len(self.seconds) < _ENOUGH:
            self._fitted = None
            return
        tasks, seconds = np.array(self.tasks), np.array(self.seconds)
        best = {task: seconds[tasks == task].min() for task in np.unique(tasks)}
        y = np.log(seconds / np.array([best[task] for task in self.tasks]))
        groups = np.array([str(i) for i in range(len(y))])
        learner = GradientBoosting(rounds=self.rounds, members=2, min_leaf=3)
        self._fitted = learner.fit(_features(np.stack(self.rows)), y, groups, self.seed)


def _pooled(matrix: Matrix) -> Matrix:
    """Sum and maximum over the stores of a candidate: (2 * columns,)."""
    m = np.asarray(matrix, dtype=np.float32)
    return np.concatenate([m.sum(axis=0), m.max(axis=0)]).astype(np.float32)


def _features(rows: Matrix) -> Features:
    return Features(rows, tuple(Column(f"store_{i}", "1", "store") for i in range(rows.shape[1])))


def py_cost_model(model: ScheduleCostModel) -> Any:
    """`model` as TVM's ``PyCostModel``, for ``ms.tune_tir(..., cost_model=...)``. ImportError without TVM."""
    from tvm.meta_schedule.cost_model import PyCostModel
    from tvm.meta_schedule.utils import derived_object

    @derived_object
    class Adapter(PyCostModel):  # type: ignore[misc]
        def load(self, path: str) -> None:
            model.load(path)

        def save(self, path: str) -> None:
            model.save(path)

        def update(self, context: Any, candidates: list[Any], results: list[Any]) -> None:
            model.update(context, candidates, results)

        def predict(self, context: Any, candidates: list[Any]) -> npt.NDArray[np.float64]:
            return model.predict(context, candidates)

    return Adapter()


def tvm_store_features() -> Extractor:
    """TVM's own per-store features as an `Extractor`. ImportError without TVM."""
    from tvm.meta_schedule.feature_extractor import PerStoreFeature

    extractor = PerStoreFeature()
    return lambda context, candidates: [array.numpy() for array in extractor.extract_from(context, list(candidates))]
