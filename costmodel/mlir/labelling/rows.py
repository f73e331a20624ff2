"""One label: what the compiler made of one program for one CPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """Counts are of the whole program, static unless said otherwise; None where there is no label.

    Attributes
    ----------
    instructions
        Machine instructions after ``opt -O3`` and ``llc -O3`` (llc's ``InstructionCount`` remark).
    register_spills, register_reloads
        Instructions that the register allocator put in (its remark's ``NumSpills`` and ``NumReloads``).
    folded_spills, folded_reloads
        Those that it folded into a memory operand of another instruction; not part of the two above.
    stack_bytes
        Frame size (``StackSize`` remark).
    code_bytes
        Size of the functions' symbols in the assembled object.
    cycles
        llvm-mca's cycles per basic block times how often the block runs, for one call.
    executed_instructions
        Machine instructions times how often their block runs, for one call (library calls not entered).
    ipc
        ``executed_instructions / cycles``.
    bottleneck
        The scheduler resource with the highest trip-weighted pressure; ``dependencies`` if it is used less than half.
    trips
        ``exact`` if every loop's count is constant and no branch depends on data, ``averaged`` if some count
        varies with an outer loop, ``guessed`` if some count or branch could not be known.
    status, reason
        ``ok``, or ``failed`` and what the tool said.
    """

    cpu: str
    instructions: int | None = None
    register_spills: int | None = None
    register_reloads: int | None = None
    folded_spills: int | None = None
    folded_reloads: int | None = None
    stack_bytes: int | None = None
    code_bytes: int | None = None
    cycles: float | None = None
    executed_instructions: float | None = None
    ipc: float | None = None
    bottleneck: str | None = None
    trips: str | None = None
    status: str = "ok"
    reason: str = ""
