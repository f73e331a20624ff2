"""Regressors over token streams: 'ML-driven Hardware Cost Model for MLIR' (arXiv 2302.11405), re-implemented."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.folds import group_folds
from costmodel.regressors.onnx_model import OnnxModel
from costmodel.regressors.sequence.tokens import Tokens, padded
from featurizers.core import Features

_FOLDS = 8
"""One part in so many of the groups is held out to stop early and to measure the spread."""
_AT_ONCE = 64


class _TokenRegressor:
    """stream : ``ops`` (operations with types and shapes) or ``ops_operands`` (with their operands too).

    longest : tokens that are read of a program. The model knows the text and nothing else, as in the paper.
    """

    name = ""
    extras = frozenset({"sequences"})

    def __init__(
        self,
        stream: str = "ops_operands",
        longest: int = 512,
        embedding: int = 32,
        hidden: int = 64,
        epochs: int = 40,
        patience: int = 6,
        batch: int = 64,
        learning_rate: float = 2e-3,
    ):
        self.settings: dict[str, Any] = {
            "stream": stream,
            "longest": longest,
            "embedding": embedding,
            "hidden": hidden,
            "epochs": epochs,
            "patience": patience,
            "batch": batch,
            "learning_rate": learning_rate,
        }
        self.tokens = Tokens(stream, longest, ())
        self.network: OnnxModel | None = None
        self.spread = 1.0

    def _module(self) -> Any:
        """The torch class that is trained."""
        raise NotImplementedError

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        from costmodel.regressors.neural import Examples, Schedule, fit_network

        self.tokens = Tokens.fit(features, self.settings["stream"], self.settings["longest"])
        codes = self.tokens.encode(features)
        w = np.ones(len(y)) if weights is None else weights
        examples = Examples(lambda rows: padded([codes[i] for i in rows]), y[:, None], w)
        schedule = Schedule(*(self.settings[name] for name in ("epochs", "patience", "batch", "learning_rate")))
        held_out = group_folds(groups, _FOLDS, seed)[0]
        sizes = (self.tokens.codes, self.settings["embedding"], self.settings["hidden"])
        self.network = OnnxModel(fit_network(self._module(), sizes, examples, held_out, schedule, seed))
        watched = np.flatnonzero(held_out) if held_out.any() else np.arange(len(y))
        self.spread = max(float(np.mean(np.abs(self._points(features.take(watched)) - y[watched]))), 0.01)
        return self

    def predict(self, features: Features) -> Estimate:
        """Point, and the mean error on programs held out as the spread of all."""
        return Estimate(self._points(features), np.full(len(features), self.spread))

    def _points(self, features: Features) -> npt.NDArray[np.float64]:
        assert self.network is not None, "fit or load first"
        codes = self.tokens.encode(features)
        order = sorted(range(len(codes)), key=lambda i: len(codes[i]))
        points = np.empty(len(codes))
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            points[some] = self.network.run(padded([codes[i] for i in some]))[0][:, 0]
        return points

    def part_costs(self, features: Features) -> Array | None:
        return None

    def save(self, folder: Path) -> None:
        assert self.network is not None, "fit first"
        content = {"settings": self.settings, "tokens": self.tokens.to_json(), "spread": self.spread}
        write_json(folder / "sequence.json", content)
        self.network.save(folder / "network.onnx.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "sequence.json")
        loaded = cls(**content["settings"])
        loaded.tokens, loaded.spread = Tokens.from_json(content["tokens"]), content["spread"]
        loaded.network = OnnxModel.load(folder / "network.onnx.zst")
        return loaded


class Conv1d(_TokenRegressor):
    """Six stacked convolutions, the maximum over the program, three dense layers: the paper's best model."""

    name = "conv1d"

    def _module(self) -> Any:
        from costmodel.regressors.sequence.module import ConvNetwork

        return ConvNetwork


class Lstm(_TokenRegressor):
    """An LSTM and three dense layers."""

    name = "lstm"

    def _module(self) -> Any:
        from costmodel.regressors.sequence.module import LstmNetwork

        return LstmNetwork
