"""`CostModel`: one target on one device, asked inside a compiler's process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.kinds import kind_of
from costmodel.pieces import apart, costs_of_wholes
from costmodel.predictor import Predictor
from costmodel.regressors import extras_of
from costmodel.regressors.base import point_of
from featurizers.core import Features, Raw
from featurizers.errors import InputError

_PRETRAINED = Path(__file__).parents[1] / "pretrained"
Costs = npt.NDArray[np.float64]


class CostModel:
    """Predicted costs as plain numbers, in the target's unit: no HTTP, no interval, no pandas, no torch.

    Thread-safe. What it is given is trusted: it is parsed in this process.

    Parameters
    ----------
    predictor
        Any loaded bundle.
    device, target
        Hardware (for `mlir` a CPU) and quantity; the first target of the device when left out.

    Raises
    ------
    featurizers.errors.UnknownNameError
        An unknown device or target; the message lists the known ones.
    """

    def __init__(self, predictor: Predictor, device: str, target: str | None = None):
        own, quantity = predictor._asked([device], None if target is None else [target])[0]
        self.predictor = predictor
        self.kind = predictor.kind
        self.device, self.target, self.unit = own.name, quantity.name, quantity.unit
        self.name = f"{predictor.name} {predictor.version}"
        self._profile = own.profile
        self._model = predictor.model(own.name, quantity.name)
        self._extras = extras_of(self._model.regressor)
        self._of_pieces = quantity.of_pieces
        self._sign = -1.0 if quantity.higher_is_better else 1.0
        self.featurizer: Any = _in_process(predictor)

    @classmethod
    def load(cls, device: str, target: str | None = None, *, kind: str = "mlir", bundle: Path | None = None) -> Self:
        """From a bundle folder, or the packaged one of the kind. LookupError: the kind has none."""
        folder = bundle or _PRETRAINED / kind
        if not (folder / "bundle.json").is_file():
            raise LookupError(f"There is no bundle in {folder}; costmodel train --kind {kind} makes one.")
        return cls(kind_of(kind).load(folder, None), device, target)

    def costs(self, raws: Sequence[Raw | str]) -> Costs:
        """Of raw inputs (for `mlir` also bare text), float64 (n,). Raises InputError for the first that is refused."""
        return self.of_subjects([self.featurizer.parse({"mlir": r} if isinstance(r, str) else r) for r in raws])

    def cost(self, raw: Raw | str) -> float:
        """Of one raw input."""
        return float(self.costs([raw])[0])

    def of_modules(self, modules: Sequence[Any]) -> Costs:
        """Of modules or functions of MLIR's Python bindings (iree.compiler.ir) as they are in memory, (n,)."""
        return self.of_subjects(self._walked(modules))

    def of_variants(self, modules: Sequence[Any]) -> Costs:
        """As `of_modules`, of modules that are ways to write one function: what they differ by is asked of the model's
        knowledge of variants, where it has any."""
        return self.of_subjects(self._walked(modules), together=True)

    def _walked(self, modules: Sequence[Any]) -> list[Any]:
        from featurizers.mlir import featurize_module

        if self.kind != "mlir":
            raise InputError("Modules in memory", "need a model of the kind 'mlir'", self.kind)
        return [featurize_module(module) for module in modules]

    def of_subjects(self, subjects: Sequence[Any], together: bool = False) -> Costs:
        """Of what the featurizer's `parse` gave, (n,). together : they are variants of one function."""
        if not subjects:
            return np.empty(0)
        pieces, each = apart(self.featurizer, subjects)
        if any(pieces):
            return costs_of_wholes(self.of_subjects(each), [len(own) or 1 for own in pieces], self._of_pieces)
        features = self.featurizer.features(subjects, profile=self._profile, extras=self._extras)
        return self.of_features(features, together)

    def of_features(self, features: Features, together: bool = False) -> Costs:
        """Of columns that are there already, (n,). together : they are variants of one function."""
        point = point_of(self._model.regressor, features)
        if together:
            point = self._model.compared(features, point)
        point = point + self._model.calibration.shift
        if self._model.positive:
            return np.asarray(np.exp(point))
        return np.asarray(np.expm1(np.maximum(point, 0.0)) if getattr(self._model, "count", False) else point)

    def best(self, raws: Sequence[Raw | str]) -> int:
        """Index of the input that is predicted to be best; the first of equals."""
        return int(np.argmin(self._sign * self.costs(raws)))

    def scores(self, raws: Sequence[Raw | str]) -> Costs:
        """Normalised scores in (0, 1], higher is better: the best cost over each cost (its inverse for rates)."""
        return normalised(self.costs(raws), higher_is_better=self._sign < 0)


def normalised(costs: Costs, *, higher_is_better: bool = False) -> Costs:
    """Positive costs -> scores in (0, 1], 1 for the best.

    >>> normalised(np.array([2.0, 1.0, 4.0])).tolist()
    [0.5, 1.0, 0.25]
    """
    if not len(costs):
        return costs
    safe = np.maximum(costs, 1e-300)
    return np.asarray(safe / safe.max() if higher_is_better else safe.min() / safe)


def _in_process(predictor: Predictor) -> Any:
    """The kind's featurizer; that of MLIR parses in a process of its own unless told otherwise."""
    if predictor.kind != "mlir":
        return predictor.featurizer
    from featurizers.mlir import MlirFeaturizer

    return MlirFeaturizer(in_process=True)
