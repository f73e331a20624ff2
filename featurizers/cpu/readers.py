"""What a user's own machine prints: ``lscpu -J``, ``/proc/meminfo``, ``dmidecode -t memory``, ``/proc/cpuinfo``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from featurizers.cpu.rows import VENDORS
from featurizers.cpu.spec import NAN
from featurizers.cpu.units import ghz, instances, kib, number
from featurizers.errors import InputError, LimitError

MAX_TEXT_BYTES = 4 << 20
_MAX_DEPTH = 16

_OLD_STYLE = re.compile(r"^\s*[0-9.]+[KMG]?\s*$")
_PART = re.compile(r"^CPU (implementer|part)\s*:\s*(0x[0-9a-fA-F]+)", re.MULTILINE)
_MEM_TOTAL = re.compile(r"^MemTotal:\s*([0-9]+)\s*kB", re.MULTILINE)
_CHANNEL = re.compile(
    r"(?:CHANNEL[_ ]?|DIMM[_ ]?)([A-Z])(?![A-Z])|(?:CPU|P)\d+[_ ](?:DIMM[_ ]?)?([A-Z])\d", re.IGNORECASE
)


def read_lscpu(document: object) -> dict[str, object]:
    """Fields of a `ServerSpec` from the output of ``lscpu -J``: its text, or the parsed JSON (flat or nested).

    Raises InputError where it is not lscpu's output.
    """
    found = dict(_entries(_parsed(document), 0))
    if "CPU(s)" not in found:
        raise InputError("The 'lscpu'", "must be the output of 'lscpu -J': it has no field 'CPU(s):'", where="$.lscpu")
    vendor = VENDORS.get(found.get("Vendor ID", ""), "")
    cores = number(found.get("Core(s) per socket", found.get("Core(s) per cluster")))
    sockets = number(found.get("Socket(s)", "-"))
    sockets = sockets if sockets > 0 else number(found.get("Cluster(s)"))
    bogomips = number(found.get("BogoMIPS"))
    fields: dict[str, object] = {
        "cpu_name": found.get("Model name", ""),
        "cpu_vendor": vendor,
        "cpu_family": found.get("CPU family", "").replace("-", ""),
        "cpu_model": found.get("Model", ""),
        "cpu_stepping": found.get("Stepping", ""),
        "logical_cpus": number(found["CPU(s)"]),
        "threads_per_core": number(found.get("Thread(s) per core")),
        "cores_per_socket": cores,
        "sockets": sockets,
        "numa_nodes": number(found.get("NUMA node(s)")),
        "max_ghz": _ghz(found.get("CPU max MHz")),
        "tsc_ghz": bogomips / 2000 if vendor != "arm" else NAN,
        "hypervisor": found.get("Hypervisor vendor", ""),
        "flags": found.get("Flags", "").split(),
    }
    return fields | _caches(found, cores * sockets)


def _ghz(text: str | None) -> float:
    return ghz(text, where="$.lscpu") if text else NAN


def _parsed(document: object) -> object:
    if isinstance(document, str | bytes):
        _check_length("lscpu", document)
        try:
            document = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise InputError("The 'lscpu'", f"must be JSON (lscpu -J): {error}", where="$.lscpu") from None
    if isinstance(document, Mapping):
        document = document.get("lscpu")
    if not isinstance(document, list):
        raise InputError("The 'lscpu'", "must be the object or list that 'lscpu -J' prints", where="$.lscpu")
    return document


def _check_length(name: str, text: str | bytes) -> None:
    if len(text) > MAX_TEXT_BYTES:
        raise LimitError(f"The '{name}'", f"must be at most {MAX_TEXT_BYTES} bytes", len(text), where=f"$.{name}")


def _entries(items: object, depth: int) -> Iterator[tuple[str, str]]:
    """Field and value of flat and of nested (util-linux 2.38 and later) output."""
    if depth > _MAX_DEPTH or not isinstance(items, list):
        raise InputError("The 'lscpu'", "must be a list of fields", where="$.lscpu")
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("field"), str):
            rule = "must be an object with 'field' and 'data'"
            raise InputError("Each entry of 'lscpu'", rule, item, where="$.lscpu")
        name, data = item["field"].strip().rstrip(":"), item.get("data")
        if isinstance(data, str | int | float):
            yield (f"{name} cache" if name in ("L1d", "L1i", "L2", "L3") else name), str(data)
        if item.get("children"):
            yield from _entries(item["children"], depth + 1)


def _caches(found: Mapping[str, str], cores: float) -> dict[str, object]:
    """L1 and L2 per core, L3 in all. "32K" (before util-linux 2.34) is one cache; "96 KiB" is the sum of all."""
    out: dict[str, object] = {}
    for level, name in (("L1d", "l1d_kb"), ("L1i", "l1i_kb"), ("L2", "l2_kb"), ("L3", "l3_mb")):
        text = found.get(f"{level} cache")
        if not text or text.strip() in ("-", "unknown size"):
            continue
        size = kib(text, what=f"{level} cache", where="$.lscpu")
        if level == "L3":
            out[name] = size / 1024
        elif _OLD_STYLE.match(text):
            out[name] = size
        else:
            out[name] = size / (instances(text) or (cores if cores > 0 else 1))
    return out


def read_meminfo(text: str) -> dict[str, object]:
    """Memory in GiB from ``/proc/meminfo``."""
    _check_length("meminfo", text)
    match = _MEM_TOTAL.search(text)
    if match is None:
        raise InputError("The 'meminfo'", "must hold a line 'MemTotal: <number> kB'", where="$.meminfo")
    return {"memory_gb": float(match.group(1)) / 1024**2}


def read_cpuinfo(text: str) -> dict[str, object]:
    """Implementer and part of an Arm core from ``/proc/cpuinfo``; nothing elsewhere."""
    _check_length("cpuinfo", text)
    found = {name: value.lower() for name, value in _PART.findall(text)}
    if set(found) != {"implementer", "part"}:
        return {}
    return {"cpu_vendor": "arm", "cpu_family": found["implementer"], "cpu_model": found["part"]}


def read_dmidecode(text: str, sockets: float) -> dict[str, object]:
    """Speed and channels per socket from ``dmidecode -t memory``. A hypervisor's invented module gives nothing."""
    _check_length("dmidecode", text)
    modules = [_module(block) for block in re.split(r"\n\s*\n", text) if "Memory Device" in block.split("\n\n")[0]]
    modules = [m for m in modules if m.get("Size", "No Module").split()[0].isdigit()]
    texts = [m.get("Configured Memory Speed", m.get("Configured Clock Speed", "")) for m in modules]
    known = [speed for speed in (number(text.split(" ")[0]) for text in texts) if speed > 0]
    if not known:
        return {}
    per_socket = max(1.0, len({_channel(m, i) for i, m in enumerate(modules)}) / (sockets if sockets > 0 else 1))
    size = sum(kib(m["Size"], what="module size", where="$.dmidecode") for m in modules) / 1024**2
    return {"memory_mts": min(known), "memory_channels": per_socket, "memory_gb": size}


def _module(block: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _channel(module: Mapping[str, str], index: int) -> tuple[str, str]:
    """Modules of one channel share its letter; where no label names one, every module counts as a channel."""
    locator, bank = module.get("Locator", ""), module.get("Bank Locator", "")
    for label in (bank, locator):
        match = _CHANNEL.search(label)
        if match is not None:
            cpu = re.search(r"(?:CPU|P|NODE)[_ ]?(\d+)", f"{locator} {bank}", re.IGNORECASE)
            return (cpu.group(1) if cpu else "", (match.group(1) or match.group(2)).upper())
    return ("", str(index))


def merged(raw: Mapping[str, Any]) -> dict[str, object]:
    """Fields from whichever of ``lscpu``, ``meminfo``, ``cpuinfo`` and ``dmidecode`` are in `raw`; later ones win."""
    fields: dict[str, object] = {}
    if "lscpu" in raw:
        fields |= read_lscpu(raw["lscpu"])
    for name, reader in (("meminfo", read_meminfo), ("cpuinfo", read_cpuinfo)):
        if raw.get(name):
            fields |= reader(_required_text(raw, name))
    if raw.get("dmidecode"):
        fields |= read_dmidecode(_required_text(raw, "dmidecode"), float(str(fields.get("sockets", NAN))))
    return fields


def _required_text(raw: Mapping[str, Any], name: str) -> str:
    if not isinstance(raw[name], str):
        raise InputError(f"The '{name}'", "must be text", raw[name], where=f"$.{name}")
    return str(raw[name])
