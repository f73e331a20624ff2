"""Which predictor answers for each kind: the MLflow champion where there is one, else the packaged bundle."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path

from costmodel.kinds import KINDS, kind_of
from costmodel.predictor import Predictor
from costmodel.tracking.store import store_exists

PRETRAINED = Path(__file__).with_name("pretrained")

_log = logging.getLogger(__name__)


class ModelStore:
    """Predictors by kind. `refresh` asks the registry and swaps in a new champion; what is in memory goes on answering.

    packaged : folder of bundles by kind. use_registry : whether `refresh` looks at MLflow at all.
    problem : in words, why the registry could not be asked or a champion not be loaded; None when all is well.
    """

    def __init__(self, packaged: Path = PRETRAINED, use_registry: bool = True):
        self._packaged = packaged
        self._use_registry = use_registry
        self._predictors: dict[str, Predictor] = {}
        self._champions: dict[str, str] = {}
        self._lock = threading.Lock()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.problem: str | None = None

    def kinds(self) -> list[str]:
        """Kinds that can answer: those with a packaged bundle, and those with a champion met so far."""
        packaged = (kind for kind in KINDS if (self._packaged / kind / "bundle.json").is_file())
        return sorted({*packaged, *self._predictors})

    def predictor(self, kind: str) -> Predictor:
        """The present predictor. UnknownNameError: no such kind; LookupError: a kind without any model."""
        found = self._predictors.get(kind)
        if found is not None:
            return found
        kind_of(kind)
        with self._lock:
            if kind not in self._predictors:
                folder = self._packaged / kind
                if not (folder / "bundle.json").is_file():
                    raise LookupError(
                        f"No model of kind '{kind}' is packaged or registered; costmodel train makes one."
                    )
                self._predictors[kind] = kind_of(kind).load(folder, None)
            return self._predictors[kind]

    def refresh(self) -> None:
        """Look at the registry once. Cheap when nothing moved; never raises: see `problem`."""
        if not self._use_registry or not store_exists():
            return
        problems = []
        for kind in KINDS:
            try:
                self._refresh_kind(kind)
            except Exception as error:
                # Whatever the store or a broken bundle raises, the model in memory must go on answering.
                _log.warning("champion of %s: %s", kind, error)
                problems.append(f"{kind}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        self.problem = f"The model registry: {'; '.join(problems)}" if problems else None

    def _refresh_kind(self, kind: str) -> None:
        from costmodel.tracking.champion import champion_of, download_bundle
        from costmodel.tracking.store import connect, registered_name

        champion = champion_of(kind)
        if champion is None or self._champions.get(kind) == champion.version:
            return
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="costmodel-champions-")
        folder = Path(self._scratch.name) / f"{kind}-{champion.version}"
        folder.mkdir(exist_ok=True)
        bundle = download_bundle(connect(), registered_name(kind), champion, folder)
        predictor = kind_of(kind).load(bundle, f"registry-{champion.version}")
        predictor.warm_up()
        self._predictors[kind], self._champions[kind] = predictor, str(champion.version)
        _log.info("%s answers with champion version %s", kind, champion.version)


def quiet_reference_ms(device: str, packaged: Path = PRETRAINED) -> float | None:
    """The reference's quiet time on which the packaged labels of `device` (key or full name) rest; None if unknown.

    Measured anew on a loud machine, the quiet state would be taken for slower than it is.
    """
    from costmodel.measure.devices import device_name, host_name

    if not (packaged / "network" / "bundle.json").is_file():
        return None
    full = device if device.startswith(host_name()) else device_name(device)
    known = Predictor.load(packaged / "network").devices.get(full)
    return None if known is None else known.descriptor.get("quiet_reference_ms")
