"""What a campaign was measured on and with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from costmodel.measure.devices import DEVICES, cpu_fields, host_name
from costmodel.measure.runtimes import runtime
from costmodel.measure.runtimes.base import write_atomically

_FILE = "machine.json"


class OtherMachineError(RuntimeError):
    """A campaign was begun on another CPU model; its rows and this machine's must not be mixed."""


def describe(keys: Iterable[str]) -> dict[str, Any]:
    """CPU, system and the versions of the runtimes of the given devices."""
    fields = cpu_fields()
    return {
        "host": host_name(),
        "cpu": fields.get("model name", platform.processor()),
        "cpu_family_model_stepping": [fields.get(k, "") for k in ("cpu family", "model", "stepping")],
        "cpu_flags": sorted(f for f in fields.get("flags", "").split() if f.startswith(("avx", "amx", "fma", "sse4"))),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "virtual": "hypervisor" in fields.get("flags", "").split(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "runtimes": {key: runtime(DEVICES[key].runtime).version() for key in keys},
        "threads": 1,
        "begun_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def claim_machine(folder: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Write the description into a campaign's folder, or check that the one there is of this CPU.

    Raises
    ------
    OtherMachineError
        If the campaign was begun on another CPU model.
    """
    path = folder / _FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(describe(keys), indent=1).encode())
    machine: dict[str, Any] = json.loads(path.read_text())
    if machine["host"] != host_name():
        raise OtherMachineError(f"{folder} was measured on {machine['host']!r}, this machine is {host_name()!r}.")
    return machine
