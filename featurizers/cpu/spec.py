"""`ServerSpec`: one machine as a performance engineer describes it, validated, in one set of units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from featurizers.cpu.tables import Processor, find_microarchitecture, find_processor
from featurizers.errors import InputError

NAN = math.nan


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What is known of a machine. NaN or "" is unknown, never zero.

    Caches are per core, but `l3_mb` is all that the machine's operating system sees (in a virtual machine that can be
    the host's). `tsc_ghz` is the time-stamp counter's rate (x86: the nominal clock). `cpu_vendor` is intel, amd or arm;
    `cpu_family`/`cpu_model` are CPUID numbers, on Arm the implementer and part (``0x41``, ``0xd0c``).
    `allocation` is dedicated, shared or burstable. `notes` say what had to be assumed.
    """

    cpu_name: str = ""
    cpu_vendor: str = ""
    cpu_family: str = ""
    cpu_model: str = ""
    cpu_stepping: str = ""
    logical_cpus: float = NAN
    threads_per_core: float = NAN
    cores_per_socket: float = NAN
    sockets: float = NAN
    numa_nodes: float = NAN
    base_ghz: float = NAN
    allcore_ghz: float = NAN
    max_ghz: float = NAN
    tsc_ghz: float = NAN
    l1d_kb: float = NAN
    l1i_kb: float = NAN
    l2_kb: float = NAN
    l3_mb: float = NAN
    memory_gb: float = NAN
    memory_channels: float = NAN
    memory_mts: float = NAN
    tdp_w: float = NAN
    hypervisor: str = ""
    cloud: str = ""
    server: str = ""
    instance_family: str = ""
    allocation: str = ""
    network_gbps: float = NAN
    gpu_count: float = NAN
    flags: frozenset[str] = frozenset()
    microarchitecture: str = ""
    notes: tuple[str, ...] = ()
    processor: Processor | None = field(default=None, compare=False)

    @property
    def cores(self) -> float:
        """Cores as the operating system sees them; falls back on what can be derived."""
        counted = self.cores_per_socket * self.sockets
        if math.isfinite(counted):
            return counted
        threads = self.threads_per_core if math.isfinite(self.threads_per_core) else 1.0
        return self.logical_cpus / threads


NUMBER_FIELDS = tuple(f.name for f in fields(ServerSpec) if f.type == "float")
TEXT_FIELDS = tuple(f.name for f in fields(ServerSpec) if f.type == "str")

# Outside of these ranges a value is a unit fault or a typing error, not a machine: (low, high, what it should be).
RANGES: dict[str, tuple[float, float, str]] = {
    "logical_cpus": (1, 8192, "threads"),
    "threads_per_core": (1, 8, "threads"),
    "cores_per_socket": (1, 1024, "cores"),
    "sockets": (1, 4096, "sockets"),
    "numa_nodes": (1, 256, "nodes"),
    "base_ghz": (0.1, 10, "GHz"),
    "allcore_ghz": (0.1, 10, "GHz"),
    "max_ghz": (0.1, 10, "GHz"),
    "tsc_ghz": (0.001, 10, "GHz"),
    "l1d_kb": (4, 512, "KiB per core"),
    "l1i_kb": (4, 512, "KiB per core"),
    "l2_kb": (64, 65536, "KiB per core"),
    "l3_mb": (0.5, 16384, "MiB in all"),
    "memory_gb": (0.1, 65536, "GiB"),
    "memory_channels": (1, 128, "channels per socket"),
    "memory_mts": (200, 20000, "MT/s"),
    "tdp_w": (1, 2000, "W"),
    "network_gbps": (0.001, 10000, "Gbit/s"),
    "gpu_count": (0, 64, "GPUs"),
}
WHOLE = ("logical_cpus", "threads_per_core", "cores_per_socket", "sockets", "numa_nodes")


def check(spec: ServerSpec, *, where: str | None = None, offline: bool = False) -> None:
    """Refuse what no machine can be.

    Parameters
    ----------
    offline : the counts were read from a running machine, where some CPUs may be switched off: fewer logical CPUs than
        cores x threads are then no contradiction.

    Raises
    ------
    InputError : a value outside of its range, contradicting counts or clocks, or no count of CPUs at all.
    """
    for name, (low, high, unit) in RANGES.items():
        value = getattr(spec, name)
        if value < low or value > high:  # neither where it is not known
            raise InputError(f"The '{name}'", f"must lie between {low:g} and {high:g} {unit}", value, where=where)
    for name in WHOLE:
        value = getattr(spec, name)
        if value == value and not value.is_integer():
            raise InputError(f"The '{name}'", "must be a whole number", value, where=where)
    if math.isnan(spec.logical_cpus):
        rule = "must be given (or threads_per_core, cores_per_socket and sockets): a name alone does not say the size"
        raise InputError("The 'logical_cpus'", rule, where=where)
    _check_counts(spec, where, offline)
    if spec.max_ghz < spec.base_ghz:
        raise InputError("The 'max_ghz'", f"must be at least base_ghz = {spec.base_ghz:g}", spec.max_ghz, where=where)


def _check_counts(spec: ServerSpec, where: str | None, offline: bool) -> None:
    product = spec.threads_per_core * spec.cores_per_socket * spec.sockets
    if math.isnan(product) or product == spec.logical_cpus or (offline and product >= spec.logical_cpus):
        return
    parts = f"{spec.threads_per_core:g} x {spec.cores_per_socket:g} x {spec.sockets:g} = {product:g}"
    rule = f"must equal threads_per_core x cores_per_socket x sockets = {parts}"
    raise InputError("The 'logical_cpus'", rule, int(spec.logical_cpus), where=where)


def resolve(values: dict[str, object], notes: tuple[str, ...] = ()) -> ServerSpec:
    """A spec with its micro-architecture and processor looked up, and the counts that follow from the others filled."""
    # One NaN object for all that is unknown, so that equal machines are equal, and found in caches.
    values = {name: NAN if value != value else value for name, value in values.items()}
    counts = {name: float(str(values.get(name, NAN))) for name in WHOLE}
    product = counts["threads_per_core"] * counts["cores_per_socket"] * counts["sockets"]
    if math.isnan(counts["logical_cpus"]) and not math.isnan(product):
        values = values | {"logical_cpus": product}
    text = {key: str(values.get(key, "")) for key in _LOOKED_UP}
    name = str(values.get("microarchitecture", "")) or find_microarchitecture(
        text["cpu_vendor"], text["cpu_family"], text["cpu_model"], text["cpu_stepping"], text["cpu_name"]
    )
    tsc_ghz = float(str(values.get("tsc_ghz", NAN)))
    clock = None if math.isnan(tsc_ghz) else round(tsc_ghz, 1)
    processor = find_processor(text["cpu_name"], name, text["cloud"], clock)
    if not name:
        notes += ("the CPU is not in our table of micro-architectures: answered from its fields alone",)
    if processor is None:
        notes += ("no facts about this CPU model: clocks typical of its micro-architecture",)
    resolved = {"flags": frozenset(), **values, "microarchitecture": name, "processor": processor, "notes": notes}
    resolved["flags"] = frozenset(resolved["flags"] or ())  # type: ignore[call-overload]
    return ServerSpec(**resolved)  # type: ignore[arg-type]


_LOOKED_UP = ("cpu_name", "cpu_vendor", "cpu_family", "cpu_model", "cpu_stepping", "cloud")
