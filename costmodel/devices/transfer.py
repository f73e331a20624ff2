"""New devices for inputs of any kind, from what the kind's known devices would take for them.

    log y = mean of the known devices' log predictions + constant + contrasts . w + noise

The known devices' predictions already hold the rooflines, the fusion rules and the kernels of the input; ten
measurements only have to say how far the new device is from them (the constant) and which of them it resembles (the
contrasts, centred on their mean). For networks, also how it depends on the mix of work: `work.py`. The same Bayesian
regression with heavy tails as for NAS spaces (`costmodel.fewshot.posterior`), with broad priors set by hand; closed
form, numpy only.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.devices.protocol import BATCH, Adapted, Adapter, Answer
from costmodel.fewshot.calibrate import own_scale
from costmodel.fewshot.checks import MIN_MEASUREMENTS
from costmodel.fewshot.planning import greedy_plan
from costmodel.fewshot.posterior import CONSTANT_VARIANCE, Hypers, Posterior, infer
from costmodel.prediction import Prediction
from costmodel.predictor import Predictor
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError, UnknownNameError

LEARNER = "known-device-transfer"
_WIDER = {3: 2.0, 5: 1.5, 10: 1.5, 20: 1.25, 50: 1.1}
"""Half of a 90% interval in spreads at the device's own scale, by measurements: what covered 90% when each packaged
device in turn was taken for a new one (`costmodel benchmark own-networks`)."""
_DRAWS = 64
_PLANNING_VARIANCE, _PLANNING_NOISE = 0.25, 0.01
_FAR = 400.0
"""Times slower or faster than all known devices: another unit, unless the caller vouches for it."""
_RANGE = 4.0
"""Beyond so many times the measured range the device was not seen at work."""
_REMEMBERED = 4096


def transfer_adapter(
    space: str, fields: Sequence[str], target: str = "latency_ms", keep: Callable[[Raw], Raw] | None = None
) -> Callable[[Predictor], Adapter]:
    """An entry of `Kind.adapters`. fields : of the raw input that make an input of this space. keep : see `Adapter`."""
    return lambda predictor: TransferAdapter(space, tuple(fields), predictor, target, keep)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one input. log : (d,) the known devices' log predictions. reasons : why none may be trusted.
    work : (k,) what else the adapter reads of it."""

    log: Array
    reasons: tuple[str, ...]
    work: Array


class TransferAdapter:
    """See the module. Raises UnknownNameError where no known device has the target.

    A kind that knows more of an input than predictions overrides `work` and `design`, and the priors of its groups.
    """

    coverage = 0.9
    hypers: Hypers
    planning_variance: Array
    """Per group of features."""

    def __init__(
        self, space: str, fields: tuple[str, ...], predictor: Predictor, target: str,
        keep: Callable[[Raw], Raw] | None,
    ):  # fmt: skip
        self.space, self.fields, self.predictor = space, fields, predictor
        self.devices = [name for name, device in predictor.devices.items() if target in device.targets]
        if not self.devices:
            raise UnknownNameError("target of a new device", target, predictor.targets)
        self.target = predictor.targets[target]
        self.hypers, self.planning_variance = _HYPERS, np.array([_PLANNING_VARIANCE])
        self._keep = keep
        self._seen: OrderedDict[str, Known] = OrderedDict()
        self._lock = Lock()

    def identity(self, raw: Raw) -> str:
        self._checked(raw)
        digest = hashlib.sha256()
        for name in sorted(raw):
            if name != BATCH:
                value = raw[name]
                digest.update(f"{name}=".encode() + (value if isinstance(value, bytes) else repr(value).encode()))
        return digest.hexdigest()

    def _checked(self, raw: Raw) -> None:
        if not isinstance(raw, dict) or not any(field in raw for field in self.fields):
            given = sorted(map(str, raw)) if isinstance(raw, dict) else raw
            rule = f"must be given by {' or '.join(repr(field) for field in self.fields)}"
            raise InputError("An input of this device", rule, given)

    def kept(self, raw: Raw) -> Raw:
        return raw if self._keep is None else self._keep(raw)

    def known(self, raws: Sequence[Raw]) -> list[Known | InputError]:
        """Per input what the known devices say, remembered for repeated questions."""
        keys = [self._key(raw) for raw in raws]
        missing = {key: raw for key, raw in zip(keys, raws, strict=True) if isinstance(key, str)}
        with self._lock:
            found = {key: self._seen[key] for key in missing if key in self._seen}
        asked = {key: raw for key, raw in missing.items() if key not in found}
        outcomes = self.predictor.predict(list(asked.values()), self.devices, [self.target.name]) if asked else []
        errors = {key: outcome for key, outcome in zip(asked, outcomes, strict=True) if isinstance(outcome, InputError)}
        good = {key: outcome for key, outcome in zip(asked, outcomes, strict=True) if key not in errors}
        work = self.work([asked[key] for key in good]) if good else ()
        for (key, outcome), own in zip(good.items(), work, strict=True):
            found[key] = _known(outcome, own)  # type: ignore[arg-type]
        self._remember({key: found[key] for key in asked if key in found})
        return [key if isinstance(key, InputError) else errors.get(key) or found[key] for key in keys]

    def _key(self, raw: Raw) -> str | InputError:
        try:
            return self.identity(raw) + f"|{raw.get(BATCH)}"
        except InputError as error:
            return error

    def _remember(self, new: dict[str, Known]) -> None:
        with self._lock:
            self._seen.update(new)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def work(self, raws: Sequence[Raw]) -> Array:
        """What the adapter reads of inputs beside predictions, (n, k)."""
        return np.zeros((len(raws), 0))

    def design(self, logs: Array, work: Array) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """Offset (n,), features (n, p) and the group of each."""
        offset, contrasts = split(logs)
        return offset, contrasts, np.zeros(contrasts.shape[1], dtype=np.int64)

    def matrix(self, raws: Sequence[Raw]) -> Array:
        """Log predictions of the known devices, (n, d). Raises the InputError of the first input that has one."""
        return np.array([known.log for known in self._all_known(raws)])

    def _all_known(self, raws: Sequence[Raw]) -> list[Known]:
        rows = []
        for index, found in enumerate(self.known(raws)):
            if isinstance(found, InputError):
                found.where = f"measurement {index}" + (f", {found.where}" if found.where else "")
                raise found
            rows.append(found)
        return rows

    def designed(self, known: Sequence[Known]) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """`design` of known inputs."""
        return self.design(np.array([one.log for one in known]), np.array([one.work for one in known]))

    def adapt(
        self, raws: Sequence[Raw], values: Sequence[float], *, any_scale: bool = False,
        descriptor: Mapping[str, Any] | None = None,
    ) -> Adapted:  # fmt: skip
        if len(raws) < MIN_MEASUREMENTS:
            raise InputError("A new device", f"needs at least {MIN_MEASUREMENTS} measurements", len(raws))
        known, measured = self._all_known(raws), np.log(np.asarray(values, dtype=np.float64))
        if not any_scale:
            self.check_scale(np.array([one.log for one in known]), measured)
        offset, features, group_of = self.designed(known)
        posterior = infer(measured - offset, features, group_of, self.hypers)
        return TransferDevice(self, posterior, len(raws), (float(measured.min()), float(measured.max())))

    def check_scale(self, logs: Array, measured: Array) -> None:
        """InputError where measured log values (n,) lie far outside of all known devices' (n, d)."""
        ratios = np.median(measured[:, None] - logs, axis=0)
        outside = float(ratios.min()) if ratios.min() > 0 else float(ratios.max()) if ratios.max() < 0 else 0.0
        if abs(outside) <= math.log(_FAR):
            return
        way = "slower than the slowest" if outside > 0 else "faster than the fastest"
        raise InputError(
            "The measured values",
            f"make the device {math.exp(abs(outside)):.0f} times {way} known device: the unit is probably another one "
            "(give 'any_scale' if it is not)",
        )

    def plan(
        self, n: int, measured: Sequence[Raw], adapted: Adapted | None, candidates: Sequence[Raw] | None, seed: int
    ) -> list[Raw]:
        if n < 1:
            raise InputError("The number of inputs to plan", "is at least 1", n)
        if candidates is None:
            raise InputError(f"A plan for the space '{self.space}'", "needs candidates: the inputs to choose from")
        done = {self.identity(raw) for raw in measured}
        distinct = {self.identity(raw): raw for raw in candidates}
        offered = [raw for identity, raw in distinct.items() if identity not in done]
        if not offered:
            return []
        _, features, group_of = self.designed(self._all_known(offered))
        if isinstance(adapted, TransferDevice):
            covariance, noise, seen = adapted.posterior.covariance, adapted.posterior.noise, None
        else:
            covariance = np.diag([CONSTANT_VARIANCE, *self.planning_variance[group_of]])
            noise, seen = _PLANNING_NOISE, self.designed(self._all_known(measured))[1] if measured else None
        return [offered[i] for i in greedy_plan(features, features, covariance, noise, n, seen)]


def split(logs: Array) -> tuple[Array, Array]:
    """Log predictions (n, d) -> their mean (n,) and the devices' contrasts to it (n, d)."""
    offset = logs.mean(axis=1)
    return offset, logs - offset[:, None]


def _known(outcome: Sequence[Prediction], work: Array) -> Known:
    """Out of domain only where every known device is: one that knows the input is enough to learn from."""
    trusted = any(prediction.in_domain for prediction in outcome)
    reasons = () if trusted else min((p.reasons for p in outcome), key=len)
    return Known(np.log([prediction.value for prediction in outcome]), reasons, work)


def _hypers() -> Hypers:
    """Broad: contrasts may weigh nothing or all, noise from 1% to 30%, tails from heavy to nearly normal."""
    rng = np.random.default_rng(0)
    variance = rng.uniform(math.log(1e-3), math.log(1.0), (_DRAWS, 1))
    noise = 2 * rng.uniform(math.log(0.01), math.log(0.3), _DRAWS)
    return Hypers(variance, noise, rng.choice([3.0, 6.0, 15.0], _DRAWS))


_HYPERS = _hypers()


def half_width(posterior: Posterior, features: Array, measurements: int) -> Array:
    """Of a 90% interval of one future measurement, in log space, (n,)."""
    spread = np.sqrt(posterior.variance(features) + posterior.noise)
    wider = float(np.interp(np.log(measurements), np.log(list(_WIDER)), list(_WIDER.values())))
    return np.asarray(wider * own_scale(posterior.surprise, posterior.off) * spread)


@dataclass(frozen=True, slots=True)
class TransferDevice:
    """An `Adapted` by transfer. measured : range of its log values."""

    adapter: TransferAdapter
    posterior: Posterior
    measurements: int
    measured: tuple[float, float]
    learner: str = LEARNER

    @property
    def trust(self) -> Array:
        return self.posterior.trust

    def answer(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        known = self.adapter.known(raws)
        rows = [found for found in known if not isinstance(found, InputError)]
        answers = iter(self._answers(rows) if rows else [])
        return [found if isinstance(found, InputError) else next(answers) for found in known]

    def _answers(self, known: Sequence[Known]) -> list[Answer]:
        offset, features, _ = self.adapter.designed(known)
        point = self.posterior.point(offset, features)
        half = half_width(self.posterior, features, self.measurements)
        found = []
        for x, h, entry in zip(point.tolist(), half.tolist(), known, strict=True):
            reasons = entry.reasons + self._beyond(x)
            wide = h * (2.0 if reasons else 1.0)
            found.append(Answer(math.exp(x), math.exp(x - wide), math.exp(x + wide), reasons))
        return found

    def _beyond(self, log_value: float) -> tuple[str, ...]:
        low, high = self.measured
        if low - math.log(_RANGE) <= log_value <= high + math.log(_RANGE):
            return ()
        unit = self.adapter.target.unit
        shown = f"{math.exp(low):.3g} to {math.exp(high):.3g} {unit}"
        return (f"the answer is far outside of what was measured on this device ({shown})",)
