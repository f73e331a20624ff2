"""The named numbers of a `ServerSpec`, in groups: processor, caches, memory, isa, platform, physics."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from featurizers.core import Column, FloatArray
from featurizers.cpu.clouds import CLOUDS, CloudFacts, cloud_facts
from featurizers.cpu.spec import NAN, ServerSpec
from featurizers.cpu.tables import microarchitectures

FLAGS: tuple[str, ...] = (
    *("avx", "avx2", "avx512f", "avx512_vnni", "avx512_fp16", "amx_tile", "vaes", "sha_ni", "gfni"),
    *("sve", "sve2", "i8mm", "aes"),
)
_FACTS: tuple[str, ...] = (
    *("int_div_cycles", "dram_latency_ns", "year", "process_nm", "decode_width", "rob_entries"),
    *("vector_bits", "fp64_per_cycle", "chiplet", "server"),
)


def first_known(*values: float) -> float:
    """The first that is not NaN."""
    for value in values:
        if value == value:
            return value
    return NAN


def _log(value: float) -> float:
    return math.log(value) if value > 0 else NAN


class Resolved:
    """A spec with everything that the tables add (`arch`, `part`, `cloud`), one number per fact, NaN where unknown.

    base_ghz : nominal clock. boost_ghz : highest clock of one core. allcore_ghz : clock with every core busy; the base
    clock scaled as its micro-architecture does where unknown. core_equivalents : physical cores behind the logical CPUs
    (a thread that shares its core counts as half of one). host_cores : cores of one socket of the host, at least those
    that the guest has on a socket. socket_share : part of its sockets' cores that the machine has, 0 to 1.
    socket_bandwidth_gbs : peak memory bandwidth of one socket, channels x MT/s x 8 bytes. l3_fair_mb : L3 that falls to
    the machine when its neighbours use theirs, MiB. l3_reach_mb : L3 that one core can fill: that of its complex, not
    of the whole socket. isa : its flags, those of its design where nobody gave any; None where neither is known.
    """

    def __init__(self, spec: ServerSpec, arch: Mapping[str, float], part: Mapping[str, float], cloud: CloudFacts):
        self.spec, self.arch, self.part, self.cloud = spec, arch, part, cloud
        self._clocks()
        self._cores()
        self._memory()
        design = None if spec.flags else microarchitectures().get(spec.microarchitecture)
        # No flags at all means that nobody gave them, not that the machine has none.
        self.isa = spec.flags or (None if design is None else design.isa)

    def fact(self, name: str) -> float:
        """A fact of the processor model, else of its micro-architecture."""
        return first_known(self.part.get(name, NAN), self.arch.get(name, NAN))

    def _clocks(self) -> None:
        spec, arch, part = self.spec, self.arch, self.part
        typical = arch.get("base_ghz", NAN)
        self.base_ghz = base = first_known(part.get("base_ghz", NAN), spec.base_ghz, spec.tsc_ghz, typical)
        self.boost_ghz = first_known(part.get("boost_ghz", NAN), spec.max_ghz, arch.get("boost_ghz", NAN), base)
        scaled = base * arch.get("allcore_ghz", NAN) / typical
        self.allcore_ghz = first_known(part.get("allcore_ghz", NAN), spec.allcore_ghz, scaled, base)

    def _cores(self) -> None:
        spec = self.spec
        self.core_equivalents = spec.logical_cpus / 2 if self.cloud.smt_shared == 1 else spec.logical_cpus
        seen = self.core_equivalents / first_known(spec.sockets, 1.0)
        known = first_known(self.part.get("cores", NAN), self.arch.get("cores_per_l3", NAN), seen)
        self.host_cores = max(known, seen)
        filled = math.ceil(self.core_equivalents / self.host_cores - 1e-9)
        self.sockets = max(first_known(spec.sockets, 1.0), filled)
        self.socket_share = min(1.0, self.core_equivalents / (self.host_cores * self.sockets))

    def _memory(self) -> None:
        spec, arch = self.spec, self.arch
        self.memory_mts = first_known(spec.memory_mts, self.fact("memory_mts"))
        channels = first_known(spec.memory_channels, self.fact("channels"))
        self.socket_bandwidth_gbs = channels * self.memory_mts * 8e-3
        self.l3_host_mb = first_known(self.part.get("l3_mb", NAN), arch.get("l3_mb_per_core", NAN) * self.host_cores)
        self.l3_fair_mb = first_known(self.l3_host_mb * self.core_equivalents / self.host_cores, spec.l3_mb)
        self.l3_reach_mb = self.l3_host_mb * min(1.0, arch.get("cores_per_l3", NAN) / self.host_cores)

    @property
    def qemu_model(self) -> float:
        """1 when the CPU name is QEMU's generic one: its clock and caches are then invented by the hypervisor."""
        name = self.spec.cpu_name
        generic = name.startswith(("Intel Core Processor", "Intel Xeon Processor")) or name.startswith("AMD EPYC-")
        return float(generic or name == "AMD EPYC Processor")


@functools.lru_cache(maxsize=4096)
def resolved(spec: ServerSpec) -> Resolved:
    """`spec` with the facts of its micro-architecture, processor and cloud."""
    row = microarchitectures().get(spec.microarchitecture)
    arch = row.facts if row else {}
    part = spec.processor.facts if spec.processor else {}
    return Resolved(spec, arch, part, cloud_facts(spec, arch.get("smt", NAN)))


_Fill = Callable[[Resolved], float]


def _flag(name: str) -> _Fill:
    return lambda r: NAN if r.isa is None else float(name in r.isa)


def _fact(name: str) -> _Fill:
    return lambda r: r.arch.get(name, NAN)


def _cloud(name: str) -> _Fill:
    return lambda r: float(r.spec.cloud == name)


def _vendor(name: str) -> _Fill:
    return lambda r: float(r.spec.cpu_vendor == name)


def _field(name: str) -> _Fill:
    return lambda r: float(getattr(r.spec, name))


_PROCESSOR: list[tuple[str, str, _Fill]] = [
    ("logical_cpus", "1", _field("logical_cpus")),
    ("threads_per_core", "1", _field("threads_per_core")),
    ("sockets", "1", lambda r: r.sockets),
    ("numa_nodes", "1", _field("numa_nodes")),
    ("core_equivalents", "1", lambda r: r.core_equivalents),
    ("host_cores", "1", lambda r: r.host_cores),
    ("base_ghz", "GHz", lambda r: r.base_ghz),
    ("allcore_ghz", "GHz", lambda r: r.allcore_ghz),
    ("boost_ghz", "GHz", lambda r: r.boost_ghz),
    ("tsc_ghz", "GHz", _field("tsc_ghz")),
    ("tdp_w_per_core", "W", lambda r: first_known(r.spec.tdp_w, r.part.get("tdp_w", NAN)) / r.host_cores),
    *((name, "1", _fact(name)) for name in _FACTS),
    ("smt", "1", _fact("smt")),
    *((f"vendor_{name}", "1", _vendor(name)) for name in ("intel", "amd", "arm")),
    ("known_processor", "1", lambda r: float(r.spec.processor is not None and bool(r.spec.processor.designator))),
    ("qemu_model", "1", lambda r: r.qemu_model),
]
_CACHES: list[tuple[str, str, _Fill]] = [
    ("l1d_kb", "KiB", lambda r: first_known(r.arch.get("l1d_kb", NAN), r.spec.l1d_kb)),
    ("l2_kb", "KiB", lambda r: first_known(r.arch.get("l2_kb", NAN), r.spec.l2_kb)),
    ("l3_seen_mb", "MiB", _field("l3_mb")),
    ("l3_seen_mb_per_core", "MiB", lambda r: r.spec.l3_mb / r.core_equivalents),
    ("l3_host_mb", "MiB", lambda r: r.l3_host_mb),
    ("l3_fair_mb", "MiB", lambda r: r.l3_fair_mb),
    ("l3_reach_mb", "MiB", lambda r: r.l3_reach_mb),
    ("cores_per_l3", "1", _fact("cores_per_l3")),
]
_MEMORY: list[tuple[str, str, _Fill]] = [
    ("memory_gb", "GiB", _field("memory_gb")),
    ("memory_gb_per_cpu", "GiB", lambda r: r.spec.memory_gb / r.spec.logical_cpus),
    ("memory_mts", "MT/s", lambda r: r.memory_mts),
    ("memory_channels", "1", lambda r: first_known(r.spec.memory_channels, r.fact("channels"))),
]
_PLATFORM: list[tuple[str, str, _Fill]] = [
    ("burstable", "1", lambda r: r.cloud.burstable),
    ("shared", "1", lambda r: r.cloud.shared),
    ("smt_shared", "1", lambda r: r.cloud.smt_shared),
    ("floating", "1", lambda r: r.cloud.floating),
    ("mixed_hosts", "1", lambda r: r.cloud.mixed_hosts),
    ("cpu_share", "1", lambda r: r.cloud.cpu_share),
    ("small_pages", "1", lambda r: r.cloud.small_pages),
    ("many_sockets", "1", lambda r: r.cloud.many_sockets),
    ("bare_metal", "1", lambda r: r.cloud.bare_metal),
    ("network_gbps", "Gbit/s", _field("network_gbps")),
    ("gpu_count", "1", _field("gpu_count")),
    ("hypervisor_kvm", "1", lambda r: float(r.spec.hypervisor == "KVM")),
    ("hypervisor_microsoft", "1", lambda r: float(r.spec.hypervisor == "Microsoft")),
    ("hypervisor_xen", "1", lambda r: float(r.spec.hypervisor == "Xen")),
    *((f"cloud_{name}", "1", _cloud(name)) for name in CLOUDS),
]
_PHYSICS: list[tuple[str, str, _Fill]] = [
    ("log_cpus", "ln", lambda r: _log(r.spec.logical_cpus)),
    ("log_core_equivalents", "ln", lambda r: _log(r.core_equivalents)),
    ("log_boost_ghz", "ln GHz", lambda r: _log(r.cloud.cpu_share * r.boost_ghz)),
    ("log_allcore_ghz", "ln GHz", lambda r: _log(r.allcore_ghz)),
    ("log_core_ghz", "ln GHz", lambda r: _log(r.cloud.cpu_share * r.core_equivalents * r.allcore_ghz)),
    ("log_peak_gflops", "ln GFLOP/s", lambda r: _log(_peak_gflops(r))),
    ("log_bandwidth_gbs", "ln GB/s", lambda r: _log(r.socket_bandwidth_gbs * r.sockets)),
    ("log_fair_bandwidth_gbs", "ln GB/s", lambda r: _log(r.socket_bandwidth_gbs * r.sockets * r.socket_share)),
    ("log_bandwidth_gbs_per_core", "ln GB/s", lambda r: _log(r.socket_bandwidth_gbs / r.host_cores)),
    ("log_l3_seen_per_core", "ln MiB", lambda r: _log(r.spec.l3_mb / r.core_equivalents)),
    ("log_l3_fair_mb", "ln MiB", lambda r: _log(r.l3_fair_mb)),
    ("log_socket_share", "ln", lambda r: _log(r.socket_share)),
    ("socket_share", "1", lambda r: r.socket_share),
    ("boost_over_allcore", "1", lambda r: r.boost_ghz / r.allcore_ghz),
]


def _peak_gflops(r: Resolved) -> float:
    return r.core_equivalents * r.allcore_ghz * r.arch.get("fp64_per_cycle", NAN)


_GROUPS: tuple[tuple[str, list[tuple[str, str, _Fill]]], ...] = (
    ("processor", _PROCESSOR),
    ("caches", _CACHES),
    ("memory", _MEMORY),
    ("isa", [(f"flag_{name}", "1", _flag(name)) for name in FLAGS]),
    ("platform", _PLATFORM),
    ("physics", _PHYSICS),
)
COLUMNS = tuple(Column(name, unit, group) for group, rows in _GROUPS for name, unit, _ in rows)
_FILLS = tuple(fill for _, rows in _GROUPS for _, _, fill in rows)


def vectors(specs: Sequence[ServerSpec]) -> FloatArray:
    """float32 (n, columns); each distinct spec is worked out once."""
    out = np.empty((len(specs), len(_FILLS)), dtype=np.float32)
    for index, spec in enumerate(specs):
        out[index] = _vector(spec)
    return out


@functools.lru_cache(maxsize=16384)
def _vector(spec: ServerSpec) -> FloatArray:
    facts = resolved(spec)
    return np.array([fill(facts) for fill in _FILLS], dtype=np.float32)
