"""The seam through which a kind of input learns new devices: `Adapter` and what it makes.

A kind offers its adapters in its entry of `costmodel.kinds`: ``Kind(..., adapters=...)``, a function that gives, by the
name of the space of inputs, a function from the kind's predictor to the `Adapter`. A kind whose known devices answer
every input needs no code of its own: `costmodel.devices.transfer.transfer_adapter(target=...)` learns a new device from
their predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from costmodel.prediction import Target
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError

if TYPE_CHECKING:
    from costmodel.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Answer:
    """One predicted value with the interval of one future measurement, in the target's unit."""

    value: float
    low: float
    high: float
    reasons: tuple[str, ...] = ()


class Adapted(Protocol):
    """A device after its measurements."""

    @property
    def learner(self) -> str:
        """Which learner answers: of several the one that the measurements speak for."""
        ...

    @property
    def trust(self) -> Array:
        """(n,) weight that each measurement got, towards 0 for those that the others make implausible."""
        ...

    def answer(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        """Per raw input its value or what is wrong with it."""
        ...


class Adapter(Protocol):
    """Learns new devices for one space of inputs. Thread-safe."""

    space: str
    target: Target
    coverage: float

    def identity(self, raw: Raw) -> str:
        """The same for two inputs that are the same architecture. Raises InputError for what is not of the space."""
        ...

    def kept(self, raw: Raw) -> Raw:
        """What has to be stored of a measured input to learn from it again, e.g. a file without its weights."""
        ...

    def adapt(
        self, raws: Sequence[Raw], values: Sequence[float], *, any_scale: bool = False,
        descriptor: Mapping[str, Any] | None = None,
    ) -> Adapted:  # fmt: skip
        """A device from distinct inputs and their measured values. any_scale : do not doubt the unit. descriptor : what
        its owner says of it; what a space does not understand it ignores.

        Raises InputError: too few, not positive, another unit.
        """
        ...

    def plan(
        self, n: int, measured: Sequence[Raw], adapted: Adapted | None, candidates: Sequence[Raw] | None, seed: int
    ) -> list[Raw]:
        """Which `n` inputs to measure next, best first. adapted : the device as `measured` made it, if values came."""
        ...


AdapterMaker = Callable[["Predictor"], Adapter]
"""From the kind's predictor, whose devices are the known ones."""

BATCH = "batch"


def batch_of(fields: Raw) -> int | None:
    """The batch size that an input or a list of conditions names, None where it names none that could be one."""
    batch = fields.get(BATCH)
    whole = isinstance(batch, int | float) and not isinstance(batch, bool) and float(batch).is_integer()
    return int(batch) if whole and batch >= 1 else None  # type: ignore[arg-type,operator]
