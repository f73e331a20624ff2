"""Our tables of public facts: micro-architectures and processors, each row with where its facts come from.

The numbers were transcribed by hand from the vendors' and clouds' public specification pages named in the `source`
column; what a cloud does not publish for its custom parts is the typical value of the public sibling.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

_NOISE = re.compile(r"\(R\)|\(TM\)|\bCPU\b|\bPROCESSOR\b|\b\d+-CORE\b|\bINTEL\b|\bAMD\b|\bXEON\b|\bGENUINE\b|\bCORE\b")
_AT_CLOCK = re.compile(r"@\s*[0-9.]+\s*GHZ")
_CODE_NAME = re.compile(r"code[ -]?named? ([a-z0-9 -]+)")
_CLASS_WORDS = ("GOLD", "SILVER", "BRONZE", "PLATINUM", "EPYC", "RYZEN")


@dataclass(frozen=True, slots=True)
class MicroArchitecture:
    """Facts of one core design: clocks typical of its server parts, caches per core, `l3_mb_per_core` nominal.

    isa : those of the features that our columns look at which every part of the design has.
    """

    name: str
    vendor: str
    family: str
    models: tuple[str, ...]
    steppings: tuple[str, ...]
    facts: Mapping[str, float]
    isa: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class Processor:
    """Facts of one processor model; `cloud` is empty unless the facts hold in that cloud only."""

    designator: str
    cloud: str
    facts: Mapping[str, float]
    source: str


def _rows(table: str) -> list[dict[str, str]]:
    text = (resources.files("featurizers.cpu") / "tables" / table).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@functools.cache
def microarchitectures() -> Mapping[str, MicroArchitecture]:
    """By name, in the order of the table (by vendor, then by year)."""
    identity = ("name", "vendor", "family", "models", "steppings", "isa", "source")
    return {
        row["name"]: MicroArchitecture(
            row["name"],
            row["vendor"],
            row["family"],
            tuple(row["models"].split(";")),
            tuple(s for s in row["steppings"].split(";") if s),
            {key: float(value) for key, value in row.items() if key not in identity},
            frozenset(row["isa"].split(";")),
            row["source"],
        )
        for row in _rows("microarchitectures.csv")
    }


@functools.cache
def processors() -> Mapping[tuple[str, str], Processor]:
    """By (designator, cloud)."""
    identity = ("designator", "cloud", "source")
    return {
        (row["designator"], row["cloud"]): Processor(
            row["designator"],
            row["cloud"],
            {key: float(value) for key, value in row.items() if key not in identity},
            row["source"],
        )
        for row in _rows("processors.csv")
    }


@functools.cache
def designator(cpu_name: str) -> str:
    """The part of a model name that names the model.

    >>> designator("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"), designator("AMD EPYC 9R14 96-Core Processor")
    ('PLATINUM 8375C', 'EPYC 9R14')
    """
    text = _AT_CLOCK.sub(" ", cpu_name.upper())
    text = _NOISE.sub(" ", text).replace("EPYC-", "EPYC ")
    text = re.sub(r"(\b8269CY)\s+T\s+[0-9.]+GHZ", r"\1 T", " ".join(text.split()))
    return " ".join(text.split())


@functools.cache
def find_microarchitecture(vendor: str, family: str, model: str, stepping: str, cpu_name: str) -> str:
    """Name of the micro-architecture, or "" when our table has none.

    x86 is known by CPUID family, model and, where one model number covers several designs, stepping. Arm by its
    implementer and part; where only the printed name is at hand (``Neoverse-N1``), by that.
    """
    for row in microarchitectures().values():
        same_model = row.vendor == vendor and row.family == family and model in row.models
        if same_model and (not row.steppings or not stepping or stepping in row.steppings):
            return row.name
    told = _CODE_NAME.search(cpu_name.lower())
    printed = (told.group(1) if told else cpu_name).strip().lower().replace(" ", "-")
    printed = printed.removeprefix("arm-")
    if printed.startswith("ampere-1"):
        return "ampereone"
    return printed if printed in microarchitectures() else _by_designator(cpu_name)


_BY_NAME = (
    (r"EPYC 97[0-9]4|EPYC 8\d\d4", "zen4c"),
    (r"EPYC (9965|9845|9825|9745|9645|9T95)", "zen5c"),
    (r"EPYC 4\d\d4P?X?$", "zen4-client"),
    (r"EPYC 4\d\d5P?X?$", "zen5-client"),
    (r"RYZEN \d( PRO)? 3\d00X?T?$", "zen2-client"),
    (r"RYZEN \d( PRO)? 5\d00X?(3D)?$", "zen3-client"),
    (r"RYZEN \d( PRO)? 7\d00X?(3D)?$|RYZEN \d( PRO)? 7[69]50X(3D)?", "zen4-client"),
    (r"RYZEN \d( PRO)? 9\d[05]0X?(3D)?$", "zen5-client"),
    (r"I[3579]-1[34]\d\d\d", "raptor-lake"),
    (r"I[3579]-12\d\d\d", "alder-lake"),
    (r"I[3579]-11\d\d\d", "rocket-lake"),
    (r"I[3579]-[89]\d\d\d", "coffee-lake"),
    (r"ULTRA \d 2\d\d", "arrow-lake"),
    (r"GRAVITON ?2|ALTRA", "neoverse-n1"),
    (r"GRAVITON ?3", "neoverse-v1"),
    (r"GRAVITON ?4|AXION|\bGRACE\b", "neoverse-v2"),
    (r"YITIAN|COBALT 100", "neoverse-n2"),
    (r"KUNPENG ?920", "tsv110"),
    (r"AMPEREONE", "ampereone"),
    (r"EPYC 7..1|EPYC 7[45]\d1", "zen1"),
    (r"EPYC (7...?2P?|7[BRHKV][13]2|ROME)$", "zen2"),
    (r"EPYC (7...?3[PX]?|7[BRJTV][189]3X?|7[0-9]F3|MILAN)$", "zen3"),
    (r"EPYC (9\d\d4[FPX]?|9[BJRTV][0-9]4H?|9V33X|GENOA)$", "zen4"),
    (r"EPYC (9\d\d5[FP]?|9[BJRTV][0-9]5|9R05|TURIN)$", "zen5"),
    (r"E5-.* V2|E7-.* V2", "ivy-bridge"),
    (r"E[57]-.* V3", "haswell"),
    (r"E[57]-.* V4", "broadwell"),
    (r"E5-\d+( 0)?$", "sandy-bridge"),
    (r"(PLATINUM|GOLD|SILVER|BRONZE) \d1\d\d", "skylake-sp"),
    (r"(PLATINUM|GOLD|SILVER|BRONZE) \d2\d\d", "cascade-lake"),
    (r"(PLATINUM|GOLD|SILVER|BRONZE) \d3\d\d", "ice-lake-sp"),
    (r"(PLATINUM|GOLD|SILVER|BRONZE) \d4\d\d", "sapphire-rapids"),
    (r"(PLATINUM|GOLD|SILVER|BRONZE) \d5\d\d", "emerald-rapids"),
    (r"\b6[3-9]\d\dP(-[A-Z])?\b", "granite-rapids"),
    (r"67\d\dE|69\d\dE", "sierra-forest"),
)


def _by_designator(cpu_name: str) -> str:
    name = designator(cpu_name)
    for pattern, architecture in _BY_NAME:
        if re.search(pattern, name):
            return architecture
    return ""


@functools.cache
def find_processor(cpu_name: str, microarchitecture: str, cloud: str, tsc_ghz: float | None) -> Processor | None:
    """Facts of the processor model, or None.

    A cloud may hide the model behind a bare ``Intel(R) Xeon(R) CPU @ 2.80GHz``, and Arm prints the core's name only:
    rows ``@design`` and ``@design@GHz`` of the table hold what that cloud publishes for that design.
    """
    table = processors()
    name = designator(cpu_name)
    keys = [name, name.removesuffix(" 0")]
    hidden = not any(word in name for word in _CLASS_WORDS) or name in _CLASS_WORDS
    if hidden and microarchitecture:
        clock = "" if tsc_ghz is None else f"@{tsc_ghz:.1f}"
        keys += [f"@{microarchitecture}{clock}", f"@{microarchitecture}"]
    for key in keys:
        for place in (cloud, ""):
            if (key, place) in table:
                return table[key, place]
    return None
