"""NASLib's `Predictor` interface (``fit``, ``query``): a few measured architectures in, milliseconds out.

NASLib is not on PyPI; this class has the methods that its trainers call and inherits nothing, so that it works with any
checkout of it. Not tested against NASLib itself, only against these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.devices.protocol import Adapted, Adapter
from costmodel.devices.spaces import nas_adapter
from costmodel.nas.oracle import Oracle
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError


def _as_raw(architecture: Any) -> Raw:
    return architecture if isinstance(architecture, Mapping) else {"nasbench201": architecture}


class LatencyPredictor:
    """`fit` adapts to the measurements of one device; without it, an `oracle` answers `query` from the start.

    encode : NASLib's object -> raw input; cell strings and raw inputs are understood as they are.
    """

    def __init__(
        self, oracle: Oracle | None = None, space: str = "nasbench201", encode: Callable[[Any], Raw] = _as_raw
    ):
        self._oracle, self._encode = oracle, encode
        self._adapter: Adapter = nas_adapter(space)
        self._adapted: Adapted | None = None
        self.ss_type: str | None = None

    def set_ss_type(self, ss_type: str) -> None:
        """NASLib's name of the search space; kept for its trainers."""
        self.ss_type = ss_type

    def pre_process(self) -> None:
        """Nothing has to be prepared."""

    def pre_compute(self, xtrain: Sequence[Any], xtest: Sequence[Any], unlabeled: Any = None) -> None:
        """Nothing to compute for the whole set at once."""

    def requires_partial_training(self, xtest: Any = None) -> bool:
        """No architecture has to be trained for its latency."""
        return False

    def get_data_reqs(self) -> dict[str, Any]:
        """What NASLib's evaluator should fetch beside architectures: nothing."""
        return {
            "requires_partial_lc": False, "metric": None, "requires_hyperparameters": False, "hyperparams": None,
            "unlabeled": False, "unlabeled_factor": 0,
        }  # fmt: skip

    def fit(
        self, xtrain: Sequence[Any], ytrain: Sequence[float], train_info: Any = None, verbose: int = 0, **_: Any
    ) -> dict[str, float]:
        """Adapt to latencies in ms. Returns figures of the fit. Raises InputError."""
        raws = [self._encode(x) for x in xtrain]
        self._adapted = self._adapter.adapt(raws, [float(y) for y in ytrain])
        fitted = self.query(xtrain)
        return {"train_median_error": float(np.median(np.abs(fitted / np.asarray(ytrain, dtype=np.float64) - 1)))}

    def query(self, xtest: Sequence[Any], info: Any = None) -> Array:
        """Latencies in ms, float64 (n,). Raises InputError."""
        raws = [self._encode(x) for x in xtest]
        if self._adapted is None:
            if self._oracle is None:
                raise InputError("The predictor", "must be fitted first, or be given an oracle")
            return np.array([latency.ms for latency in self._oracle.latency(raws)])
        answers = self._adapted.answer(raws)
        for answer in answers:
            if isinstance(answer, InputError):
                raise answer
        return np.array([answer.value for answer in answers if not isinstance(answer, InputError)])
