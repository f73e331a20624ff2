"""What a cloud server type's name alone says: its family's processor, its number of vCPUs, often its memory."""

from __future__ import annotations

import csv
import functools
import math
import re
from collections.abc import Mapping
from importlib import resources

from featurizers.cpu.clouds import CLOUDS
from featurizers.cpu.tables import find_microarchitecture, microarchitectures
from featurizers.errors import InputError, UnknownNameError

_AWS = re.compile(r"^(?P<family>[a-z0-9-]+)\.(?:(?P<times>\d*)xlarge|(?P<small>nano|micro|small|medium|large))$")
_GCP = re.compile(r"^(?P<family>[a-z0-9]+)-(?P<shape>standard|highcpu|highmem)-(?P<cpus>\d+)(-\w*lssd)?$")
_AZURE = re.compile(
    r"^(?:Standard_)?(?P<letters>[A-Z]+)(?P<full>\d+)(?:-(?P<cpus>\d+))?(?P<features>[a-z]*)_v(?P<version>\d+)$"
)
_AWS_GIB_PER_CPU = {"c": 2.0, "m": 4.0, "r": 8.0, "x": 16.0, "i": 8.0, "t": 4.0}
_AWS_OWN_GIB_PER_CPU = {
    **dict.fromkeys(("a1", "g5g", "vt1"), 2.0),
    **dict.fromkeys(("d2", "g3", "p3"), 7.625),
    **dict.fromkeys(("f1", "p2", "x1"), 15.25),
    **dict.fromkeys(("x2iedn", "x2iezn", "x8aedz"), 32.0),
    **{"c3": 1.875, "c4": 1.875, "c5n": 2.625, "d3": 8.0, "im4gn": 4.0, "is4gen": 6.0, "x1e": 30.5},
}
_AWS_SMALL_GIB = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0}
"""In all, of the burstable types."""
_AWS_OWN_CPUS = {"c4.8xlarge": 36, "d2.8xlarge": 36}
_AWS_XEN = re.compile(r"^([mrc][34]|t2|d2|f1|g[23]|h1|i[23]|p[23]|x1e?)$")
_CLOCK = re.compile(r"@ ([0-9.]+)GHz$")
_GCP_GIB_PER_CPU = {"standard": 4.0, "highcpu": 2.0, "highmem": 8.0}
_GCP_OWN_GIB_PER_CPU = {
    **dict.fromkeys((("n2", "highcpu"), ("n2d", "highcpu")), 1.0),
    **{("c4", "standard"): 3.75, ("c4", "highmem"): 7.75, ("h4d", "standard"): 3.75},
    **{("c4d", "standard"): 3.875, ("c4d", "highcpu"): 1.875, ("c4d", "highmem"): 7.875},
}
_AZURE_GIB_PER_CPU = {"B": 4.0, "D": 4.0, "DC": 8.0, "E": 8.0, "F": 4.0, "FX": 21.0, "L": 8.0}
_AZURE_FEATURE_GIB_PER_CPU = {"t": 0.5, "l": 2.0, "m": 8.0}
_AZURE_LARGE = 64
"""Sizes of the E series and of Arm from here on have less memory than their vCPUs say, each its own."""


@functools.cache
def families() -> Mapping[tuple[str, str], tuple[str, int]]:
    """(cloud, family) -> CPU model name and threads per core as the guest sees them."""
    text = (resources.files("featurizers.cpu") / "tables" / "families.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(r["cloud"], r["family"]): (r["cpu_name"], int(r["threads_per_core"])) for r in rows}


def read_server_type(given: Mapping[str, object]) -> dict[str, object]:
    """Fields that follow from ``server`` ("aws/m7i.large", or "m7i.large", where ``cloud`` may be given as well).

    None without a server.

    Raises UnknownNameError for a family that is not in our table: its size and processor are then for the caller to
    give as fields.
    """
    name = str(given.get("server", ""))
    if not name:
        return {}
    cloud, _, server = name.rpartition("/")
    cloud = cloud or str(given.get("cloud", "")) or _cloud_of(server)
    if cloud not in CLOUDS:
        raise UnknownNameError("cloud", cloud, CLOUDS, where="$.server")
    family, cpus, gib = _size(cloud, server)
    known = families()
    if (cloud, family) not in known:
        here = [f for c, f in known if c == cloud]
        raise UnknownNameError(f"server family of '{cloud}'", family, here, where="$.server")
    cpu_name, threads = known[cloud, family]
    architecture = find_microarchitecture("", "", "", "", cpu_name) or _HIDDEN.get((cloud, family), "")
    row = microarchitectures().get(architecture)
    vendor = row.vendor if row else ""
    clock = _CLOCK.search(cpu_name)
    return {
        "cpu_name": cpu_name,
        "cpu_vendor": vendor,
        "microarchitecture": architecture,
        "cloud": cloud,
        "server": server,
        "instance_family": family,
        "logical_cpus": float(cpus),
        "threads_per_core": float(min(threads, cpus)),
        "memory_gb": gib * cpus,
        "tsc_ghz": float(clock[1]) if clock else math.nan,
        "hypervisor": _hypervisor(cloud, family, vendor),
        "flags": (),
    }


def _cloud_of(server: str) -> str:
    """The only cloud that writes its types so."""
    fitting = [cloud for cloud, size in _SIZES.items() if size(server) is not None]
    if len(fitting) != 1:
        rule = "must be named with its cloud, e.g. aws/m7i.large: no cloud of ours writes its types so"
        raise InputError("The 'server'", rule, server, where="$.server")
    return fitting[0]


def _hypervisor(cloud: str, family: str, vendor: str) -> str:
    """As lscpu prints it in a guest: on Arm it does not."""
    if vendor == "arm":
        return ""
    if cloud == "azure":
        return "Microsoft"
    return "Xen" if cloud == "aws" and _AWS_XEN.match(family) else "KVM"


_HIDDEN = dict.fromkeys((("gcp", "c2"), ("gcp", "g2"), ("gcp", "n2")), "cascade-lake")
"""Families whose CPU name hides the model."""


def _size(cloud: str, server: str) -> tuple[str, int, float]:
    """Family, vCPUs and GiB per vCPU (NaN where the name does not tell)."""
    found = _SIZES[cloud](server) if cloud in _SIZES else None
    if found is None:
        rule = f"must be one whose name tells its size ({_EXAMPLES}); give the fields instead"
        raise InputError("The 'server'", rule, f"{cloud}/{server}", where="$.server")
    return found


def _aws_size(server: str) -> tuple[str, int, float] | None:
    found = _AWS.match(server)
    if found is None:
        return None
    family, small = found["family"], found["small"]
    per_cpu = _AWS_OWN_GIB_PER_CPU.get(family, _AWS_GIB_PER_CPU.get(family[0], math.nan))
    if not small:
        cpus = 4 * int(found["times"] or 1)
        own = _AWS_OWN_CPUS.get(server, cpus)
        return family, own, per_cpu * cpus / own  # the largest of old families gives 36 of 40 threads, all the memory
    burstable = family.startswith("t")
    one = small in ("nano", "micro", "small") if family == "t2" else small == "medium" and not burstable
    cpus = 1 if one else 2
    return family, cpus, _AWS_SMALL_GIB[small] / cpus if burstable and small in _AWS_SMALL_GIB else per_cpu


def _gcp_size(server: str) -> tuple[str, int, float] | None:
    found = _GCP.match(server)
    if found is None:
        return None
    family, shape = found["family"], found["shape"]
    return family, int(found["cpus"]), _GCP_OWN_GIB_PER_CPU.get((family, shape), _GCP_GIB_PER_CPU[shape])


def _azure_size(server: str) -> tuple[str, int, float] | None:
    """Of a size with fewer vCPUs than its memory is for (``Standard_E32-8s_v5``) both numbers count."""
    found = _AZURE.match(server)
    if found is None:
        return None
    letters, features, full = found["letters"], found["features"], int(found["full"])
    cpus = int(found["cpus"] or full)
    per_cpu = _AZURE_GIB_PER_CPU.get(letters, math.nan)
    if letters in ("B", "D", "F"):
        per_cpu = next((gib for mark, gib in _AZURE_FEATURE_GIB_PER_CPU.items() if mark in features), per_cpu)
    if full >= _AZURE_LARGE and (letters == "E" or "p" in features):
        per_cpu = math.nan
    return f"{letters}{features}v{found['version']}", cpus, per_cpu * full / max(cpus, 1)


_SIZES = {"aws": _aws_size, "gcp": _gcp_size, "azure": _azure_size}
_EXAMPLES = "aws: m7i.large, azure: Standard_D8as_v5, gcp: n2-standard-8"
