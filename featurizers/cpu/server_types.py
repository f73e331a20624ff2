"""What a cloud server type's name alone says: its family's processor, its number of vCPUs, often its memory."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from importlib import resources

from featurizers.cpu.clouds import CLOUDS
from featurizers.cpu.tables import find_microarchitecture, microarchitectures
from featurizers.errors import InputError, UnknownNameError

_AWS = re.compile(r"^(?P<family>[a-z0-9-]+)\.(?:(?P<times>\d*)xlarge|(?P<small>nano|micro|small|medium|large))$")
_GCP = re.compile(r"^(?P<family>[a-z0-9]+)-(?P<shape>standard|highcpu|highmem)-(?P<cpus>\d+)$")
_AWS_GIB_PER_CPU = {"c": 2.0, "m": 4.0, "r": 8.0, "x": 16.0, "i": 8.0, "t": 4.0}
_GCP_GIB_PER_CPU = {"standard": 4.0, "highcpu": 1.0, "highmem": 8.0}


@functools.cache
def families() -> Mapping[tuple[str, str], tuple[str, int]]:
    """(cloud, family) -> CPU model name and threads per core as the guest sees them."""
    text = (resources.files("featurizers.cpu") / "tables" / "families.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(r["cloud"], r["family"]): (r["cpu_name"], int(r["threads_per_core"])) for r in rows}


def read_server_type(given: Mapping[str, object]) -> dict[str, object]:
    """Fields that follow from ``server`` ("m7i.large" with a ``cloud``, or "aws/m7i.large"); none without a server.

    Raises UnknownNameError for a family that is not in our table: its size and processor are then for the caller to
    give as fields.
    """
    name = str(given.get("server", ""))
    if not name:
        return {}
    cloud, _, server = name.rpartition("/")
    cloud = cloud or str(given.get("cloud", ""))
    if cloud not in CLOUDS:
        raise UnknownNameError("cloud", cloud, CLOUDS, where="$.server")
    family, cpus, gib = _size(cloud, server)
    known = families()
    if (cloud, family) not in known:
        here = [f for c, f in known if c == cloud]
        raise UnknownNameError(f"server family of '{cloud}'", family, here, where="$.server")
    cpu_name, threads = known[cloud, family]
    threads = min(threads, cpus)
    architecture = find_microarchitecture("", "", "", "", cpu_name) or _HIDDEN.get((cloud, family), "")
    row = microarchitectures().get(architecture)
    return {
        "cpu_name": cpu_name,
        "cpu_vendor": row.vendor if row else "",
        "microarchitecture": architecture,
        "cloud": cloud,
        "server": server,
        "instance_family": family,
        "logical_cpus": float(cpus),
        "threads_per_core": float(threads),
        "memory_gb": gib * cpus,
        "hypervisor": "KVM",
        "flags": (),
    }


_HIDDEN = {("gcp", "c2"): "cascade-lake", ("gcp", "n2"): "cascade-lake"}
"""Families whose CPU name hides the model."""


def _size(cloud: str, server: str) -> tuple[str, int, float]:
    """Family, vCPUs and GiB per vCPU."""
    aws, gcp = _AWS.match(server), _GCP.match(server)
    if cloud == "aws" and aws is not None:
        family = aws["family"]
        per_cpu = _AWS_GIB_PER_CPU.get(family[0], 4.0)
        if aws["small"]:
            one = aws["small"] == "medium" and not family.startswith("t")
            return family, 1 if one else 2, per_cpu
        return family, 4 * int(aws["times"] or 1), per_cpu
    if cloud == "gcp" and gcp is not None:
        return gcp["family"], int(gcp["cpus"]), _GCP_GIB_PER_CPU[gcp["shape"]]
    rule = "must be one whose name tells its size (aws: m7i.large, gcp: n2-standard-8); give the fields instead"
    raise InputError("The 'server'", rule, f"{cloud}/{server}", where="$.server")
