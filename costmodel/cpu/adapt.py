"""``adapt``: run three quick benchmarks on a new machine, get the other hundreds with narrower intervals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from costmodel.calibration import NORMAL_90
from costmodel.cpu.factors import Factors
from costmodel.cpu.kernel import Shape, Support, shape_from_json
from costmodel.cpu.process import fit_together, law_of
from costmodel.cpu.sparecores import ScoreTable
from costmodel.prediction import Prediction, Target
from costmodel.regressors import Array
from costmodel.regressors.base import Groups
from featurizers.core import Features, FloatArray
from featurizers.errors import InputError, UnknownNameError

RANK = 100
MIN_SERVERS = 400
"""Benchmarks that fewer servers ran are left out: their factors could not be told from noise."""

_OUTSIDE = 1.5
"""How much wider the interval of a machine outside of the domain is, as for a prediction."""


QUICK = ("redis:SET:threads=1:pipeline=1", "passmark:CPU_SINGLETHREAD", "bw_mem:rd:64.00MB")
"""Three quick benchmarks (a server program, one core, memory) for which the intervals after adapting are calibrated:
of the triples that were tried, the one after which the errors in the others fell most."""


@dataclass(frozen=True)
class Adapter:
    """The process of every benchmark on one support (`weights` float32 (s, t)), and the factors of their errors.

    quantile : |error| / standard deviation that 90% of unseen CPU models stay within after adapting.
    """

    targets: tuple[Target, ...]
    laws: tuple[str, ...]
    support: Support
    shape: Shape
    weights: FloatArray
    factors: Factors
    quantile: float

    @classmethod
    def fit(cls, features: Features, table: ScoreTable, seed: int) -> Self:
        """From all of a table's benchmarks that enough servers ran."""
        return cls.fit_scores(features, table.scores, table.targets, table.cpu_model, seed)

    @classmethod
    def fit_scores(
        cls, features: Features, scores: Array, targets: tuple[Target, ...], groups: Groups, seed: int
    ) -> Self:
        chosen = often_run(scores)
        y = np.log(scores[:, chosen])
        shape = Shape()
        models = fit_together(features, y, groups, seed, shape, spread=False)
        errors = y - np.stack([model.out_of_fold for model in models], axis=1)
        _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
        factors = Factors.fit(errors, 1.0 / size[code], RANK)
        assert models[0].support is not None
        return cls(
            tuple(targets[i] for i in chosen),
            tuple(model.law for model in models),
            models[0].support,
            shape,
            np.stack([model.weights for model in models], axis=1),
            factors,
            half_width_quantile(factors, errors, [targets[i].name for i in chosen], QUICK, seed),
        )

    def suggest(self, targets: Sequence[str], known: Collection[str] = (), count: int = 3) -> list[str]:
        """The `count` quick benchmarks that say most about `targets` beside what is `known`, the best first."""
        names = [target.name for target in self.targets]
        return suggested(self.factors, names, targets, [name for name in known if name in names], count)

    def prior(self, features: Features) -> Array:
        """Log scores from the specification alone, (n, t)."""
        covariances = self.support.covariances(self.support.scaling.apply(features), self.shape)
        laws = np.stack([law_of(features, law) for law in self.laws], axis=1)
        return np.asarray(covariances @ self.weights + laws, dtype=np.float64)

    def posterior(self, features: Features, known: Mapping[str, float]) -> tuple[Array, Array]:
        """Log score and its standard deviation per target (t,), given known scores of the one machine in `features`.

        Raises UnknownNameError for a benchmark that is not known, InputError for a score that is not positive.
        """
        place = {target.name: i for i, target in enumerate(self.targets)}
        prior = self.prior(features)[0]
        errors = np.full(len(self.targets), np.nan)
        for name, score in known.items():
            if name not in place:
                raise UnknownNameError("benchmark", name, place)
            if not (isinstance(score, int | float) and math.isfinite(score) and score > 0):
                raise InputError(f"The known score of '{name}'", "must be a positive number", score, where="$.known")
            errors[place[name]] = math.log(score) - prior[place[name]]
        mean, deviation = self.factors.posterior(errors)
        return prior + mean, deviation

    def adapt(
        self, features: Features, known: Mapping[str, float], version: str = "", reasons: tuple[str, ...] = ()
    ) -> list[Prediction]:
        """All benchmarks of one machine but the known ones. reasons : why the machine is out of domain."""
        log_score, deviation = self.posterior(features, known)
        out = []
        for i, target in enumerate(self.targets):
            if target.name in known:
                continue
            half = self.quantile * deviation[i] * (_OUTSIDE if reasons else 1.0)
            value, low, high = (float(np.exp(log_score[i] + sign * half)) for sign in (0, -1, 1))
            out.append(
                Prediction(
                    target.name, value, target.unit, low, high, 0.9, not reasons, reasons,
                    "spare-cores", "costmodel-cpu", version, target.higher_is_better,
                )
            )  # fmt: skip
        return out

    def save(self, folder: Path) -> None:
        """factors.json and factors.safetensors."""
        from safetensors.numpy import save_file

        content = {
            "targets": [asdict(target) for target in self.targets],
            "laws": list(self.laws),
            "shape": asdict(self.shape),
            "quantile": self.quantile,
        }
        (folder / "factors.json").write_text(json.dumps(content, sort_keys=True, indent=0) + "\n")
        self.support.save(folder)
        tensors = {
            "weights": self.weights,
            "loadings": self.factors.loadings.astype(np.float32),
            "noise": self.factors.noise.astype(np.float32),
            "offset": self.factors.offset.astype(np.float32),
        }
        save_file(tensors, str(folder / "factors.safetensors"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        from safetensors.numpy import load_file

        content = json.loads((folder / "factors.json").read_text())
        tensors = load_file(str(folder / "factors.safetensors"))
        factors = Factors(*(tensors[key].astype(np.float64) for key in ("loadings", "noise", "offset")))
        return cls(
            tuple(Target(**entry) for entry in content["targets"]),
            tuple(content["laws"]),
            Support.load(folder),
            shape_from_json(content["shape"]),
            tensors["weights"],
            factors,
            content["quantile"],
        )


def often_run(scores: Array) -> npt.NDArray[np.int64]:
    """Columns of `scores` (n, t) that enough servers ran."""
    return np.flatnonzero(np.isfinite(scores).sum(axis=0) >= min(MIN_SERVERS, len(scores) // 2))


def suggested(
    factors: Factors, names: Sequence[str], targets: Sequence[str], known: Sequence[str] = (), count: int = 3
) -> list[str]:
    """See `Adapter.suggest`. A benchmark that the run of a target gives too is not suggested for it."""
    place = {name: i for i, name in enumerate(names)}
    own = {program for program in (name.split(":")[0] for name in targets) if program in _ONE_RUN}
    other = [name for name in names if name.split(":")[0] not in own and name not in targets]
    quick = [place[name] for name in other if _QUICK.match(name)]
    found = factors.informative([place[name] for name in targets], [place[name] for name in known], quick, count)
    return [names[i] for i in found]


_ONE_RUN = ("passmark", "static_web")
"""Programs whose one run gives all of their scores."""

_QUICK = re.compile(
    r"passmark:CPU_SINGLETHREAD$|stressng_cpu:cores=1$|redis:SET:threads=1:|bw_mem:(rd|wr|rdwr):(\d\.|16|32|64)|openssl:"
    r"|compression_text:"
)
"""What takes a minute at most."""


def half_width_quantile(
    factors: Factors, errors: Array, names: Sequence[str], known: Sequence[str], seed: int, machines: int = 300
) -> float:
    """|error| / standard deviation that 90% stay within when a machine's `known` scores are given.

    errors : (n, t) in log units, by fits that had not seen the CPU model; `machines` of them are looked at.
    """
    quick = [list(names).index(name) for name in known if name in names]
    sample = np.random.default_rng(seed).permutation(len(errors))[:machines]
    ratios = []
    for machine in errors[sample]:
        shown = np.full_like(machine, np.nan)
        shown[quick] = machine[quick]
        mean, deviation = factors.posterior(shown)
        hidden = np.isfinite(machine) & np.isnan(shown)
        ratios.append((np.abs(machine - mean) / deviation)[hidden])
    return max(1.0, float(np.quantile(np.concatenate(ratios), 0.9))) if ratios else NORMAL_90
