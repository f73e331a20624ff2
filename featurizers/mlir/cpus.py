"""Descriptors of target CPUs: the part of the columns that says which machine the code is for."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

from featurizers.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Cpu:
    """One row of ``tables/cpus.csv``, whose head says what each column means and where it is from."""

    name: str
    isa: str
    vector_bits: int
    prefer_bits: int
    int_registers: int
    vector_registers: int
    issue: int
    int_ports: int
    load_ports: int
    store_ports: int
    fp_ports: int
    fma: int
    fadd_latency: int
    fmul_latency: int
    fma_latency: int
    fdiv_latency: int
    load_latency: int
    imul_latency: int
    idiv_latency: int
    unroll_ops: int
    max_interleave: int
    ordered_reductions: int
    load_folding: int
    runtime_unroll: int
    in_order: int
    gather: int
    half: int
    l1_kib: int
    l2_kib: int
    scalable: int
    passes: int
    fdiv32_cycles: int
    fdiv64_cycles: int
    vdiv32_cycles: int
    vdiv64_cycles: int
    gather_lane: int
    fdiv64_latency: int
    fsqrt_latency: int
    fconvert_latency: int
    fmaximum_latency: int
    int_latency: int
    choice_latency: int
    fchoice_latency: int
    idiv_cycles: int
    half_latency: int
    shuffle_latency: int
    alu_cycles: int
    pair_cycles: int
    fp_split: int
    imul8_cycles: int
    insert_latency: int
    int_moves: int
    float_moves: int
    vector_moves: int
    int_store: int
    scatter_lane: int
    shuffle_ports: int
    fsqrt32_cycles: int
    fsqrt64_cycles: int

    def __hash__(self) -> int:
        """By name: tables are kept by CPU, and fifty numbers take longer to hash than to look up."""
        return hash(self.name)


NUMBERS = tuple(field.name for field in fields(Cpu) if field.name not in ("name", "isa"))
ISAS = ("x86", "aarch64", "riscv", "amdgpu")
DEFAULT = "skylake-avx512"
"""The CPU that columns are computed for when none is asked."""


@cache
def cpus() -> dict[str, Cpu]:
    """All CPUs of the table by name."""
    text = (resources.files("featurizers.mlir") / "tables/cpus.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["name"]: Cpu(row["name"], row["isa"], **{key: int(row[key]) for key in NUMBERS}) for row in rows}


def cpu(name: str) -> Cpu:
    """The descriptor of a CPU. Raises UnknownNameError with the known ones."""
    known = cpus()
    if name not in known:
        raise UnknownNameError("CPU", name, known)
    return known[name]


def vector(target: Cpu) -> list[float]:
    """Its numbers and its instruction set one-hot, in the order of `NUMBERS` and `ISAS`."""
    return [float(getattr(target, name)) for name in NUMBERS] + [float(target.isa == isa) for isa in ISAS]
