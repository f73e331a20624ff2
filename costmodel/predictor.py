"""The third seam: featurizer + a regressor per target and device + calibration + domain check + card.

REST, the MLflow flavour, the CLI and compiler passes all call this one class.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import erf, exp, log, sqrt
from pathlib import Path
from typing import Any, Self

from costmodel.bundle_format import BundleError, read_manifest, write_manifest
from costmodel.calibration import NORMAL_90
from costmodel.kinds import kind_of
from costmodel.mix import MIX, check_weights, mixed
from costmodel.operations import KindOperation
from costmodel.pieces import apart, whole_of
from costmodel.prediction import Explanation, Prediction, Share, Target
from costmodel.regressors import extras_of
from costmodel.regressors.native_lightgbm import read_waiting
from costmodel.target_model import Answers, TargetModel
from featurizers.core import Features, Raw
from featurizers.errors import InputError, UnknownNameError

Outcome = tuple[Prediction, ...] | InputError
"""Per input: one prediction per (device, target) asked for, or what is wrong with that input."""

_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Device:
    """Hardware and the conditions under which it was measured; `profile` names the runtime's execution rules."""

    name: str
    profile: str
    targets: tuple[str, ...]
    descriptor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One input's place: 0 is best. `p_better_than_next`: probability that it truly beats the next one (None last).

    expected_regret : of a positive quantity of which less is better, how much more than its strongest rival (the best
    of the others) it is expected to cost if it is taken, as a fraction; None where that has no meaning.
    """

    index: int
    place: int
    prediction: Prediction
    p_better_than_next: float | None
    expected_regret: float | None = None


class Predictor:
    """Answers for one kind of input. Thread-safe; models are read from the bundle when a device is first asked for.

    default_device : the one that is meant where none is named, for kinds whose users would not know of a device.
    folder : where it was read from, if it was.
    """

    default_device: str | None = None
    folder: Path | None = None

    def __init__(
        self,
        kind: str,
        name: str,
        version: str,
        devices: Mapping[str, Device],
        targets: Mapping[str, Target],
        models: Mapping[tuple[str, str], TargetModel | Path],
        card: Mapping[str, Any],
    ):
        self.kind = kind
        self.name = name
        self.version = version
        self.devices = devices
        self.targets = targets
        self.card = card
        self.featurizer = kind_of(kind).featurizer()
        self._models = dict(models)
        self._lock = threading.Lock()

    @property
    def operations(self) -> Mapping[str, KindOperation]:
        """What this kind answers beside predict, rank and explain, by name."""
        return kind_of(self.kind).operations()

    def model(self, device: str, target: str) -> TargetModel:
        """The model of one target on one device, read from disk the first time."""
        found = self._models[device, target]
        if isinstance(found, Path):
            with self._lock:
                found = self._models[device, target]
                if isinstance(found, Path):
                    place, found = found, TargetModel.load(found)
                    # Devices that share a model name one folder: it is read once.
                    for key, other in self._models.items():
                        if other == place:
                            self._models[key] = found
        return found

    def load_models(self) -> None:
        """Read every model now instead of at first use."""
        for device, target in list(self._models):
            self.model(device, target)

    def warm_up(self) -> None:
        """Read every model and compute every table now instead of at first use."""
        self.load_models()
        read_waiting()
        self.featurizer.warm(sorted({device.profile for device in self.devices.values()}))

    def predict(
        self, raws: Sequence[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> list[Outcome]:
        """Per raw an Outcome, in order. Raises UnknownNameError for an unknown device or target."""
        return list(self.predict_stream(raws, devices, targets))

    def predict_stream(
        self, raws: Iterable[Raw], devices: Sequence[str], targets: Sequence[str] | None = None
    ) -> Iterator[Outcome]:
        """As `predict`, lazily: memory does not grow with the number of inputs."""
        asked = self._asked(devices, targets)
        iterator = iter(raws)
        while chunk := list(islice(iterator, _CHUNK)):
            yield from self._predict_chunk(chunk, asked)

    def _predict_chunk(
        self, raws: Sequence[Raw], asked: list[tuple[Device, Target]], together: bool = False
    ) -> list[Outcome]:
        parsed = [self._parse(raw) for raw in raws]
        good = [i for i, subject in enumerate(parsed) if not isinstance(subject, InputError)]
        outcomes: list[Any] = list(parsed)
        if good:
            predicted = self._of_pieces([parsed[i] for i in good], asked, together)
            for i, predictions in zip(good, predicted, strict=True):
                outcomes[i] = predictions
        return outcomes

    def _of_pieces(
        self, subjects: Sequence[Any], asked: Sequence[tuple[Device, Target]], together: bool = False
    ) -> list[tuple[Prediction, ...]]:
        """As `_predicted`; subjects that consist of pieces are answered by these, and not compared as variants."""
        pieces, each = apart(self.featurizer, subjects)
        if not any(pieces):
            return self._predicted(subjects, asked, together)
        predicted = iter(self._predicted(each, asked))
        targets = [target for _, target in asked]
        return [
            whole_of({name: next(predicted) for name in own}, targets) if own else next(predicted) for own in pieces
        ]

    def _predicted(
        self, subjects: Sequence[Any], asked: Sequence[tuple[Device, Target]], together: bool = False
    ) -> list[tuple[Prediction, ...]]:
        """Of each subject what the model of each (device, target) says, in order; `together` as in `TargetModel`."""
        columns = []
        features: dict[tuple[str, frozenset[str]], Features] = {}
        checked: dict[tuple[int, int], list[tuple[str, ...]]] = {}
        for device, target in asked:
            model = self.model(device.name, target.name)
            key = device.profile, extras_of(model.regressor)
            if key not in features:
                features[key] = self.featurizer.features(subjects, profile=key[0], extras=key[1])
            # Targets that look at the same features share one domain, and so one check.
            domain = id(model.domain), id(features[key])
            if domain not in checked:
                checked[domain] = self._reasons(subjects, model.domain.check(features[key]))
            answers = model.answer(features[key], checked[domain], together)
            columns.append(self._predictions(answers, device, target))
        return list(zip(*columns, strict=True))

    def _reasons(self, subjects: Sequence[Any], found: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """`found` by the domain check; a kind may add reasons of its own not to trust an answer."""
        return found

    def _predictions(self, answers: Answers, device: Device, target: Target) -> list[Prediction]:
        coverage = self.model(device.name, target.name).calibration.coverage
        rows = zip(answers.value.tolist(), answers.low.tolist(), answers.high.tolist(), answers.reasons, strict=True)
        return [self._prediction_of(device, target, value, low, high, coverage, why) for value, low, high, why in rows]

    def _prediction_of(
        self,
        device: Device,
        target: Target,
        value: float,
        low: float,
        high: float,
        coverage: float,
        reasons: tuple[str, ...],
    ) -> Prediction:
        return Prediction(
            target.name, value, target.unit, low, high, coverage, not reasons, reasons,
            device.name, self.name, self.version, target.higher_is_better,
        )  # fmt: skip

    def rank(
        self,
        raws: Sequence[Raw],
        device: str,
        target: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[list[Ranked], dict[int, InputError]]:
        """Best first by one target (the device's first) or by a mix of several, and by index the inputs that failed.

        Where the inputs are variants of one function and the model knows how such differ, that decides the order, and
        values which contradict it are moved as little as may be: see `TargetModel.answer`.
        weights : by target; see `costmodel.mix` for what the mix means. Not together with `target`.
        """
        if weights is not None and target is not None:
            raise InputError("The 'weights'", "must not stand beside a target", target)
        asked = self._asked([device], [target] if target is not None else list(weights or ()) or None)
        if weights is None:
            asked = asked[:1]
        else:
            check_weights(weights, {name: self.targets[name] for name in self.devices[device].targets})
        outcomes: list[Outcome] = []
        for start in range(0, len(raws), _CHUNK):
            outcomes += self._predict_chunk(raws[start : start + _CHUNK], asked, together=True)
        errors = {i: outcome for i, outcome in enumerate(outcomes) if isinstance(outcome, InputError)}
        parts = [(i, outcome) for i, outcome in enumerate(outcomes) if not isinstance(outcome, InputError)]
        if weights is None:
            return _in_order([(i, outcome[0]) for i, outcome in parts], asked[0][1]), errors
        mixes = mixed([outcome for _, outcome in parts], weights, self.targets)
        return _in_order([(i, mix) for (i, _), mix in zip(parts, mixes, strict=True)], MIX), errors

    def explain(self, raw: Raw, device: str, target: str | None = None) -> Explanation:
        """The predicted total shared among the parts. Raises InputError, also where no sum of parts is modelled."""
        wanted, quantity = self._asked([device], None if target is None else [target])[0]
        subject = self.featurizer.parse(raw)
        pieces = self.featurizer.pieces(subject)
        if not pieces:
            return self._explained(subject, wanted, quantity)
        explained = {name: self._explained(piece, wanted, quantity) for name, piece in pieces.items()}
        (whole,) = whole_of({name: (own.prediction,) for name, own in explained.items()}, [quantity])
        shares = [share for own in explained.values() for share in own.shares]
        total = max(sum(share.value for share in shares), 1e-300)
        return Explanation(whole, tuple(replace(share, fraction=share.value / total) for share in shares))

    def _explained(self, subject: Any, wanted: Device, quantity: Target) -> Explanation:
        model = self.model(wanted.name, quantity.name)
        extras = extras_of(model.regressor)
        features = self.featurizer.features([subject], profile=wanted.profile, names=True, extras=extras)
        prediction = self._predictions(model.answer(features), wanted, quantity)[0]
        costs = model.regressor.part_costs(features)
        if costs is None or features.parts is None:
            rule = f"has no breakdown: its learner '{model.regressor.name}' does not model a sum of parts"
            raise InputError(f"The target '{quantity.name}' on device '{wanted.name}'", rule)
        parts = features.parts
        entries = costs[parts.part] * parts.count
        fractions = entries / max(float(entries.sum()), 1e-300)
        ops = self.featurizer.part_ops(features)
        shares = tuple(
            Share(names, ops[part], float(fraction * prediction.value), float(fraction))
            for names, part, fraction in zip(parts.names, parts.part.tolist(), fractions, strict=True)
        )
        return Explanation(prediction, shares)

    def _parse(self, raw: Raw) -> Any:
        try:
            return self.featurizer.parse(raw)
        except InputError as error:
            return error

    def _asked(self, devices: Sequence[str], targets: Sequence[str] | None) -> list[tuple[Device, Target]]:
        devices = [name for name in devices if name] or [self.default_device or ""]
        if devices == [""]:
            raise InputError("'devices'", f"must name at least one of: {', '.join(sorted(self.devices))}", [])
        asked: list[tuple[Device, Target]] = []
        for name in devices:
            if name not in self.devices:
                raise UnknownNameError("device", name, self.devices)
            device = self.devices[name]
            for target in targets or ():
                if target not in device.targets:
                    raise UnknownNameError(f"target of device '{name}'", target, device.targets)
            asked += [(device, self.targets[target]) for target in targets or device.targets]
        return asked

    def save(self, folder: Path) -> None:
        """Write the bundle into an existing empty folder."""
        places: dict[str, str] = {}
        written: dict[int, str] = {}
        for device, target in sorted(self._models):
            model = self.model(device, target)
            if id(model) not in written:
                place = written[id(model)] = f"models/{len(written):03d}"
                (folder / place).mkdir(parents=True)
                model.save(folder / place)
            places[f"{device}|{target}"] = written[id(model)]
        content = {
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "featurizer_version": self.featurizer.version,
            "columns": [column.name for column in self.featurizer.columns],
            "part_columns": [column.name for column in self.featurizer.part_columns],
            "devices": {name: asdict(device) for name, device in self.devices.items()},
            "targets": {name: asdict(target) for name, target in self.targets.items()},
            "models": places,
            "card": dict(self.card),
        }
        write_manifest(folder, content)

    @classmethod
    def load(cls, folder: Path, version: str | None = None) -> Self:
        """Read a bundle, after its checksums. `version`: the registry's number, in place of the one written.

        Raises BundleError when it is damaged, or was made by another version of the featurizer.
        """
        content = read_manifest(folder)
        devices = {
            name: Device(entry["name"], entry["profile"], tuple(entry["targets"]), entry["descriptor"])
            for name, entry in content["devices"].items()
        }
        targets = {name: Target(**entry) for name, entry in content["targets"].items()}
        models = {}
        for key, place in content["models"].items():
            device, target = key.split("|")
            models[device, target] = folder / place
        loaded = cls(
            content["kind"], content["name"], version or content["version"], devices, targets, models, content["card"]
        )
        _check_columns(loaded, content, folder)
        loaded.folder = folder
        return loaded


def _check_columns(predictor: Predictor, content: Mapping[str, Any], folder: Path) -> None:
    featurizer = predictor.featurizer
    if content["featurizer_version"] != featurizer.version:
        raise BundleError(
            f"{folder}: trained on version {content['featurizer_version']} of the {predictor.kind} featurizer; "
            f"this one is version {featurizer.version}. Train again: costmodel train --kind {predictor.kind}."
        )
    for key, columns in (("columns", featurizer.columns), ("part_columns", featurizer.part_columns)):
        if content[key] != [column.name for column in columns]:
            raise BundleError(f"{folder}: its {key} are not those of the {predictor.kind} featurizer.")


def _in_order(answered: list[tuple[int, Prediction]], target: Target) -> list[Ranked]:
    sign = -1.0 if target.higher_is_better else 1.0
    answered.sort(key=lambda pair: (sign * pair[1].value, pair[0]))
    ranked = []
    for place, (index, prediction) in enumerate(answered):
        following = answered[place + 1][1] if place + 1 < len(answered) else None
        chance = None if following is None else _p_better(prediction, following, sign, target.positive)
        rival = None if len(answered) < 2 else answered[1 if place == 0 else 0][1]
        known = rival is not None and target.positive and not target.higher_is_better
        regret = _regret(prediction, rival) if known and rival is not None else None
        ranked.append(Ranked(index, place, prediction, chance, regret))
    return ranked


def _regret(taken: Prediction, rival: Prediction) -> float:
    """E[max(taken / rival - 1, 0)] of a log-normal ratio, errors as in `_p_better`."""
    (mean_a, sigma_a), (mean_b, sigma_b) = _in_logs(taken), _in_logs(rival)
    mean, variance = mean_a - mean_b, sigma_a**2 + sigma_b**2
    sigma = sqrt(variance)
    if mean + variance / 2 > _MAX_LOG:
        return exp(_MAX_LOG)

    def below(x: float) -> float:
        return 0.5 * (1 + erf(x / sqrt(2)))

    return max(exp(mean + variance / 2) * below((mean + variance) / sigma) - below(mean / sigma), 0.0)


def _in_logs(p: Prediction) -> tuple[float, float]:
    low, value, high = (log(max(x, _TINY)) for x in (p.low, p.value, p.high))
    return value, max((high - low) / 2 / NORMAL_90, 1e-9)


_MAX_LOG, _TINY = 50.0, 1e-300


def _p_better(a: Prediction, b: Prediction, sign: float, positive: bool) -> float:
    """Errors taken as independent and normal in learning space: cautious, since variants share most of their error."""

    def place(p: Prediction) -> tuple[float, float]:
        low, value, high = (log(x) if positive else x for x in (p.low, p.value, p.high))
        return value, max((high - low) / 2 / NORMAL_90, 1e-9)

    (mean_a, sigma_a), (mean_b, sigma_b) = place(a), place(b)
    return 0.5 * (1 + erf(sign * (mean_b - mean_a) / sqrt(2 * (sigma_a**2 + sigma_b**2))))
