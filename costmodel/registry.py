"""Which predictor answers for each kind: the MLflow champion where there is one, else the packaged bundle."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from costmodel.bundle_format import BundleError
from costmodel.kinds import KINDS, kind_of
from costmodel.predictor import Predictor
from costmodel.tracking.local import fetch
from costmodel.tracking.store import store_exists
from costmodel.tracking.watch import State, store_state
from featurizers.errors import InputError

PRETRAINED = Path(__file__).with_name("pretrained")

_ASK_EVERY_S = 30.0
"""How often a store whose state cannot be looked at is asked: each time is a process of some seconds."""
_FETCH_LIMIT_S = 300.0

_log = logging.getLogger(__name__)


class ModelStore:
    """Predictors by kind. `refresh` asks the registry and swaps in a new champion; what is in memory goes on answering.

    packaged : folder of bundles by kind. use_registry : whether `refresh` looks at MLflow at all. prepare : done
    to each predictor before it answers. loaded : packaged predictors that were read before, by kind.
    problem : in words, why the registry could not be asked or a champion not be loaded; None when all is well.
    """

    def __init__(
        self,
        packaged: Path = PRETRAINED,
        use_registry: bool = True,
        prepare: Callable[[Predictor], None] = lambda _: None,
        loaded: Mapping[str, Predictor] = MappingProxyType({}),
    ):
        self._loaded = loaded
        self._packaged = packaged
        self._prepare = prepare
        self._use_registry = use_registry
        self._predictors: dict[str, Predictor] = {}
        self._champions: dict[str, str] = {}
        self._state: State | None = None
        self._ask_again_at = 0.0
        self._locks = {kind: threading.Lock() for kind in KINDS}
        self._scratch: Path | None = None
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
        with self._locks.setdefault(kind, threading.Lock()):
            if kind not in self._predictors:
                folder = self._packaged / kind
                if not (folder / "bundle.json").is_file():
                    raise LookupError(
                        f"No model of kind '{kind}' is packaged or registered; costmodel train makes one."
                    )
                predictor = self._loaded.get(kind) or kind_of(kind).load(folder, None)
                self._prepare(predictor)
                self._predictors[kind] = predictor
            return self._predictors[kind]

    def refresh(self) -> None:
        """Look at the registry once. Cheap when nothing moved; never raises: see `problem`."""
        if not self._use_registry:
            return
        if not store_exists():
            self.problem = "The model registry is gone: its file is no longer there" if self._champions else None
            self._state = None
            return
        state, now = store_state(), time.monotonic()
        settled = state is not None and self.problem is None
        if state == self._state and (settled or now < self._ask_again_at):
            return
        self._state, self._ask_again_at = state, now + _ASK_EVERY_S
        try:
            found = self._newer_champions()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            found = {"champions": {}, "problems": {"store": f"{type(error).__name__}: {error}"}}
        problems = dict(found["problems"])
        for kind, champion in found["champions"].items():
            try:
                self._swap_in(kind, Path(champion["folder"]), champion["version"])
            except (BundleError, InputError, OSError, RuntimeError, ValueError) as error:
                problems[kind] = f"champion {champion['version']} is refused: {error}"
        for kind, problem in problems.items():
            _log.warning("champion of %s: %s", kind, problem)
        told = "; ".join(f"{kind}: {problem}" for kind, problem in problems.items())
        self.problem = f"The model registry: {told}" if told else None

    def _newer_champions(self) -> dict[str, dict[str, Any]]:
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="costmodel-champions-"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        present = {kind: self._champions.get(kind, "") for kind in KINDS}
        at_hand = fetch(present, self._scratch)
        if at_hand is not None:
            return {"champions": at_hand, "problems": {}}
        known = [f"{kind}={version}" for kind, version in present.items()]
        command = [sys.executable, "-m", "costmodel.tracking.fetch", "--into", str(self._scratch), *known]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_LIMIT_S, check=False)
        if done.returncode != 0:
            raise ValueError((done.stderr.strip().splitlines() or ["no answer"])[-1])
        answer: dict[str, dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    def _swap_in(self, kind: str, folder: Path, version: str) -> None:
        self._champions[kind] = version  # a broken one is refused once, not every time
        predictor = kind_of(kind).load(folder, f"registry-{version}")
        self._prepare(predictor)
        predictor.warm_up()
        self._predictors[kind] = predictor
        _log.info("%s answers with champion version %s", kind, version)


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
