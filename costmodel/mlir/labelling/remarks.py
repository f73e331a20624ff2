"""LLVM's optimisation remarks (``-pass-remarks-output``): exact counts of the register allocator and the printer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILTER = "regalloc|asm-printer|prologepilog"
"""Passes whose remarks are asked for. Counting the word Spill in the assembly text is wrong: folded reloads lack it."""

_FUNCTION = re.compile(r"^Function: +'?([^'\n]+)'?$", re.MULTILINE)
_COUNTS = {
    "instructions": ("asm-printer", "InstructionCount", re.compile(r"NumInstructions: +'(\d+)'")),
    "register_spills": ("regalloc", "SpillReloadCopies", re.compile(r"NumSpills: +'(\d+)'")),
    "folded_spills": ("regalloc", "SpillReloadCopies", re.compile(r"NumFoldedSpills: +'(\d+)'")),
    "register_reloads": ("regalloc", "SpillReloadCopies", re.compile(r"NumReloads: +'(\d+)'")),
    "folded_reloads": ("regalloc", "SpillReloadCopies", re.compile(r"NumFoldedReloads: +'(\d+)'")),
    "stack_bytes": ("prologepilog", "StackSize", re.compile(r"NumStackBytes: +'(\d+)'")),
}
_WANTED = {(which[0], which[1]) for which in _COUNTS.values()}
_HEAD = re.compile(r"Pass: +(\S+)\nName: +(\S+)\n")


@dataclass
class Counts:
    """Static counts of one function."""

    instructions: int = 0
    register_spills: int = 0
    folded_spills: int = 0
    register_reloads: int = 0
    folded_reloads: int = 0
    stack_bytes: int = 0


def read_remarks(path: Path) -> dict[str, Counts]:
    """Function to counts, from a file of YAML documents by llc. Those per loop and per block are passed over."""
    counts: dict[str, Counts] = {}
    for document in path.read_text().split("\n--- "):
        head = _HEAD.search(document)
        if head is None or (head[1], head[2]) not in _WANTED:
            continue
        function = _FUNCTION.search(document)
        if function is not None:
            _add(counts.setdefault(function[1], Counts()), head[1], head[2], document)
    return counts


def _add(counts: Counts, pass_name: str, name: str, document: str) -> None:
    for field, (wanted_pass, wanted_name, pattern) in _COUNTS.items():
        if (pass_name, name) != (wanted_pass, wanted_name):
            continue
        found = pattern.search(document)
        if found:
            setattr(counts, field, getattr(counts, field) + int(found[1]))
