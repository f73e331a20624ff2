"""Devices: a runtime, a precision and a batch size on this host's CPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from featurizers.errors import UnknownNameError

_CPU_NAMES = {
    ("GenuineIntel", 6, 85): "xeon-skx",
    ("GenuineIntel", 6, 106): "xeon-icx",
    ("GenuineIntel", 6, 143): "xeon-spr",
    ("GenuineIntel", 6, 173): "xeon-gnr",
    ("GenuineIntel", 6, 207): "xeon-emr",
    ("AuthenticAMD", 23, 49): "epyc-rome",
    ("AuthenticAMD", 25, 1): "epyc-milan",
    ("AuthenticAMD", 25, 17): "epyc-genoa",
}
_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}


@dataclass(frozen=True, slots=True)
class Device:
    """`key` is the name without the host's CPU; rows of another CPU are another device."""

    runtime: str
    batch: int

    @property
    def key(self) -> str:
        """Such as ``ort-fp32-b1``."""
        return f"{self.runtime}-b{self.batch}"


DEVICES: dict[str, Device] = {
    device.key: device
    for device in (
        Device("ort-fp32", 1),
        Device("ort-fp32-noopt", 1),
        Device("ort-int8", 1),
        Device("openvino-fp32", 1),
        Device("torch-eager-fp32", 1),
        Device("ort-fp32", 8),
    )
}


def cpu_name(vendor: str, family: int, model: int) -> str:
    """A short name of a CPU model; vendor-family-model for one that the table does not know."""
    return _CPU_NAMES.get((vendor, family, model), f"{_VENDORS.get(vendor, vendor.lower())}-{family}-{model}")


def cpu_fields() -> dict[str, str]:
    """The first processor's fields of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def host_name() -> str:
    """The short name of this machine's CPU."""
    fields = cpu_fields()
    if "vendor_id" not in fields:
        import platform

        return platform.machine().lower() or "unknown"
    return cpu_name(fields["vendor_id"], int(fields["cpu family"]), int(fields["model"]))


def device_name(key: str) -> str:
    """The full name of a device of this host."""
    return f"{host_name()}-{key}"


def find_device(name: str) -> Device:
    """A device by its key or by its full name on this host.

    Raises
    ------
    UnknownNameError
        Also for a device of another CPU: it cannot be measured here.
    """
    key = name.removeprefix(host_name() + "-")
    if key not in DEVICES:
        raise UnknownNameError("device of this host", name, [device_name(k) for k in DEVICES])
    return DEVICES[key]


def pin_to(core: int | None) -> None:
    """Bind this process to one core; None leaves it where it is. Threads of the maths libraries are held to one."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    if core is not None:
        os.sched_setaffinity(0, {core})
