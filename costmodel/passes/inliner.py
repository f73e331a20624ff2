"""LLVM's ML inliner, answered from outside of an unmodified ``opt`` through its interactive channel.

``opt -enable-ml-inliner=release -inliner-interactive-channel-base=BASE`` writes to ``BASE.out`` a JSON line that names
the features and the advice, then for each call site a JSON line and the features' bytes, and reads from ``BASE.in`` one
number: 1 to inline, 0 not to (llvm/lib/Analysis/InteractiveModelRunner.cpp; utils/mlgo-utils in LLVM's sources).
"""

from __future__ import annotations

import json
import math
import os
import select
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Site = Mapping[str, int]
"""A call site: LLVM's inlining features by name (``cost_estimate``, ``callee_basic_block_count``, ...)."""
Policy = Callable[[Site], bool]

_FORMATS = {"int64_t": "q", "int32_t": "i", "float": "f", "double": "d"}
_POLL_S = 0.05
_CALL_BYTES = 25
"""LLVM's inline cost counts 5 for an instruction, which is about as many bytes of x86-64 code, and 25 for a call."""


@dataclass(slots=True)
class Advice:
    """What was asked and answered: a site and whether it was inlined, in order."""

    decisions: list[tuple[dict[str, int], bool]] = field(default_factory=list)

    @property
    def inlined(self) -> int:
        return sum(taken for _, taken in self.decisions)


def predicted_growth_bytes(site: Site) -> int:
    """Bytes of code that inlining this site is predicted to add; negative where it removes code.

    `cost_estimate` is LLVM's own account of the instructions that stay after simplification, less the call and its
    argument set-up. A function that nobody else calls moves into its caller: the call goes, and nothing is added.
    """
    if site.get("last_call_to_static_bonus"):
        return -_CALL_BYTES
    return site["cost_estimate"]


def by_size(budget_bytes: int = 0) -> Policy:
    """Inline where the code is predicted to grow by at most so many bytes."""
    return lambda site: predicted_growth_bytes(site) <= budget_bytes


def by_cycles(cycles_per_call: float = 6.0, bytes_per_cycle: float = 8.0, most_bytes: int = 1500) -> Policy:
    """Inline where saved cycles are worth the growth: calls on hot paths of small callees.

    cycles_per_call : that a call and its return cost. bytes_per_cycle : growth that one saved cycle is worth. Each
    argument known to be constant counts as one more saved cycle; a callee with loops runs long beside its call.
    """

    def decide(site: Site) -> bool:
        growth = predicted_growth_bytes(site)
        loops = site.get("num_loops", 0)
        saved = cycles_per_call / (1 + loops) + site.get("constant_args", 0)
        return growth <= min(bytes_per_cycle * saved, most_bytes)

    return decide


def optimise(
    ir_file: Path,
    output: Path,
    policy: Policy,
    *,
    passes: str = "default<Oz>",
    opt: str = "opt-22",
    flags: Sequence[str] = (),
    seconds: float = 120.0,
) -> Advice:
    """Run ``opt`` on an IR file with every inlining decision taken by `policy`; `output` is LLVM assembly.

    Raises RuntimeError when `opt` is not installed, fails, or takes longer than `seconds` between two questions.
    """
    binary = shutil.which(opt)
    if binary is None:
        raise RuntimeError(f"'{opt}' is not installed: apt-get install llvm-22.")
    with tempfile.TemporaryDirectory(prefix="inliner-") as folder:
        base = Path(folder) / "channel"
        for suffix in (".in", ".out"):
            os.mkfifo(f"{base}{suffix}")
        channel = [f"-passes={passes}", "-enable-ml-inliner=release", f"-inliner-interactive-channel-base={base}"]
        command = [binary, *channel, *flags, "-S", str(ir_file), "-o", str(output)]
        # Both ends that cannot block: opt opens its own in an order that is not ours to know.
        reader = os.open(f"{base}.out", os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(f"{base}.in", os.O_RDWR)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            return _answer(_Channel(reader, writer, process, seconds), policy)
        finally:
            process.kill()
            process.communicate()
            os.close(reader)
            os.close(writer)


@dataclass(slots=True)
class _Channel:
    reader: int
    writer: int
    process: subprocess.Popen[str]
    seconds: float
    waiting: bytes = b""

    def line(self) -> dict[str, Any] | None:
        """The next JSON line, None at the end."""
        while b"\n" not in self.waiting:
            if not self._more():
                return None
        text, self.waiting = self.waiting.split(b"\n", 1)
        found: dict[str, Any] = json.loads(text)
        return found

    def take(self, size: int) -> bytes:
        while len(self.waiting) < size:
            if not self._more():
                raise RuntimeError("opt closed the channel in the middle of a call site.")
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def _more(self) -> bool:
        waited = 0.0
        while waited < self.seconds:
            ready, _, _ = select.select([self.reader], [], [], _POLL_S)
            data = os.read(self.reader, 1 << 16) if ready else b""
            if data:
                self.waiting += data
                return True
            if self.process.poll() is not None:
                return False
            if ready:  # opt has not opened its end yet, or closed it and is finishing
                select.select([], [], [], _POLL_S)
            waited += _POLL_S
        raise RuntimeError(f"opt asked nothing for {self.seconds:g} seconds.")


def _answer(channel: _Channel, policy: Policy) -> Advice:
    advice = Advice()
    header = channel.line()
    while header is not None and (line := channel.line()) is not None:
        if "observation" in line:
            site = _site(channel, header["features"])
            taken = policy(site)
            advice.decisions.append((site, taken))
            os.write(channel.writer, struct.pack(f"<{_FORMATS[header['advice']['type']]}", int(taken)))
    if channel.process.wait() != 0:
        assert channel.process.stderr is not None
        raise RuntimeError(f"opt failed: {channel.process.stderr.read().strip()[:500]}")
    return advice


def _site(channel: _Channel, features: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found = {}
    for feature in features:
        count = math.prod(feature["shape"])
        layout = f"<{count}{_FORMATS[feature['type']]}"
        values = struct.unpack(layout, channel.take(struct.calcsize(layout)))
        found[feature["name"]] = int(values[0])
    channel.take(1)  # the line end after the tensors
    return found
