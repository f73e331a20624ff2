"""Cycles of an iteration that SLP packs, by the busiest resource."""

from __future__ import annotations

from featurizers.mlir.cpus import Cpu
from featurizers.mlir.loop import Loop
from featurizers.mlir.ports import calls_of, ports_of
from featurizers.mlir.slp import Packed, gathers, runs

_FIXED_BITS = 128


def packed_ports(loop: Loop, cpu: Cpu, packed: Packed, scalar: float, uops: float) -> float:
    """Cycles of a body of which so much is packed: in order, a whole vector takes its unit twice, and so does each
    register of a group of RISC-V's."""
    called = calls_of(loop, cpu)
    twice = 1.0
    if cpu.in_order or cpu.isa == "riscv":
        twice = max(cpu.passes * min(packed.lanes * max(loop.bits, 8) / cpu.vector_bits, 1.0), 1.0)
    units = (scalar - called) * min(packed.ratio * (1.0 + packed.share * (twice - 1.0)), 1.0)
    if packed.share and not loop.is_float and cpu.isa == "aarch64" and not cpu.in_order:  # more units than scalars have
        alone = 1.0 - packed.share
        vectors = ports_of(loop, cpu, uops, 0, 1.0) * max(packed.ratio - alone, 0.0)
        units = min((scalar - called) * alone + vectors, units)
    if packed.share:
        units = max(units, _loaded_in_pairs(loop, cpu), _gathered(loop, cpu, packed))
    return called + units


def _gathered(loop: Loop, cpu: Cpu, packed: Packed) -> float:
    """Cycles of the lanes of gathers."""
    if not gathers(cpu, packed.lanes, runs(loop).bits):
        return 0.0
    looked_up = sum([access.moving is None and not access.store for access in loop.accesses])
    return looked_up * packed.share * cpu.gather_lane / 100


def _loaded_in_pairs(loop: Loop, cpu: Cpu) -> float:
    """Cycles of the load unit for the neighbours of a packed body: two whole vectors are one load, of six cycles to
    Cortex-A55."""
    if not cpu.in_order:
        return 0.0
    found = runs(loop)
    if not found.alike:
        return 0.0
    vectors = [length // max(_FIXED_BITS // found.bits, 1) for length in found.loads]
    return float(sum([number // 2 * cpu.pair_cycles + number % 2 for number in vectors]))
