"""``costmodel describe-host``: this machine as a raw input of the `cpu` kind."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

from featurizers.errors import InputError

_DMI = Path("/sys/class/dmi/id")
_CLOUD_BY_DMI = {
    "Amazon EC2": "aws",
    "Google": "gcp",
    "Microsoft Corporation": "azure",
    "Alibaba Cloud": "alicloud",
    "Hetzner": "hcloud",
    "UpCloud": "upcloud",
    "Vultr": "vultr",
    "OpenStack Foundation": "",
}
_SECONDS = 20


def describe_host() -> dict[str, Any]:
    """``lscpu -J``, memory and, where the firmware names it, cloud and server type. Reads, and changes nothing.

    Raises InputError where there is no working ``lscpu``.
    """
    described: dict[str, Any] = {"lscpu": json.loads(_run("lscpu", "-J"))["lscpu"]}
    for name, path in (("meminfo", Path("/proc/meminfo")), ("cpuinfo", Path("/proc/cpuinfo"))):
        if path.is_file():
            described[name] = _relevant(name, path.read_text())
    cloud = _CLOUD_BY_DMI.get(_dmi("sys_vendor"), "")
    if cloud:
        described["cloud"] = cloud
    if cloud == "aws" and _dmi("product_name"):
        described["server"] = _dmi("product_name")
    # Needs root, and is not installed everywhere; memory speed is then the processor's typical one.
    with contextlib.suppress(InputError):
        described["dmidecode"] = _run("dmidecode", "-t", "memory")
    return {name: value for name, value in described.items() if value}


def _relevant(name: str, text: str) -> str:
    """Total memory; an Arm core's identity. The rest changes from minute to minute and describes no machine."""
    starts = ("MemTotal",) if name == "meminfo" else ("CPU implementer", "CPU part")
    lines = [line for line in text.splitlines() if line.startswith(starts)]
    return "\n".join(dict.fromkeys(lines))


def _dmi(name: str) -> str:
    try:
        return (_DMI / name).read_text().strip()
    except OSError:
        return ""


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"The command '{' '.join(command)}'", f"must run: {error}") from None
    return done.stdout
