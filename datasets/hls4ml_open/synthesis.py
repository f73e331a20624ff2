"""Yosys on a batch of designs: its cell libraries take seconds to read, so several designs share one run.

Every design is a module of its own that is kept apart (``keep_hierarchy``), so that nothing is shared between them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LIMIT_CPU_S = 90
_SYNTH = "synth_xilinx -top top -flatten -family xcup -noiopad -noclkbuf"
_FLOW = (
    "read_verilog -defer -sv {sources}",
    "hierarchy -top top",
    f"{_SYNTH} -run begin:prepare",
    "delete =A:src=*cells_xtra.v* =RAMB18E2 %d =RAMB36E2 %d =URAM288 %d =DSP48E2 %d",
    f"{_SYNTH} -run prepare:edif",
    "tee -q -o {report} stat -json",
)
"""Its 300 cells that no flow for UltraScale+ infers are dropped: every pass visits all modules, and the counts stay."""


def synthesise(sources: Mapping[str, Sequence[Path]], scratch: Path) -> dict[str, dict[str, int]]:
    """Cells by kind of each top module, from Yosys in a process of its own. Raises RuntimeError."""
    files = {path.name: path for paths in sources.values() for path in paths}
    for name in sources:
        _keep_apart(files[f"{name}.v"], name)
    top = scratch / "top.v"
    instances = "\n".join(f"(* keep *) {name} u_{name}();" for name in sources)
    top.write_text(f"module top();\n{instances}\nendmodule\n")
    report = scratch / "stat.json"
    steps = [step.format(sources=" ".join(map(str, [*files.values(), top])), report=report) for step in _FLOW]
    _run(steps, _LIMIT_CPU_S * (1 + len(sources) // 4))
    modules = json.loads(report.read_text())["modules"]
    return {name: count(modules[f"\\{name}"]["num_cells_by_type"]) for name in sources}


def _keep_apart(path: Path, name: str) -> None:
    text = path.read_text()
    path.write_text(re.sub(rf"^module {name}\b", f"(* keep_hierarchy *) module {name}", text, count=1, flags=re.M))


def _run(steps: Sequence[str], limit_cpu_s: int) -> None:
    """Each step in one process, which the system ends after `limit_cpu_s` of computing, however busy the machine is."""
    script = "; ".join(
        ["import pyosys.libyosys as y", "d = y.Design()", *(f"y.run_pass({step!r}, d)" for step in steps)]
    )
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({limit_cpu_s}, {limit_cpu_s})); "
    done = subprocess.run([sys.executable, "-c", limit + script], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip()[-200:]
        raise RuntimeError(told or f"Yosys ended with {done.returncode}")


def count(cells: Mapping[str, int]) -> dict[str, int]:
    """LUT, FF, DSP, CARRY8 and 18 Kb memory blocks of Yosys' cell counts; a RAM of LUTs counts by its LUTs."""
    return {
        "lut": _sum(cells, "LUT", "INV", "SRL") + 4 * _sum(cells, "RAM32M", "RAM64M"),
        "ff": _sum(cells, "FD", "LD"),
        "dsp": _sum(cells, "DSP"),
        "carry": _sum(cells, "CARRY"),
        "bram_18k": _sum(cells, "RAMB18") + 2 * _sum(cells, "RAMB36"),
    }


def _sum(cells: Mapping[str, int], *starts: str) -> int:
    return sum(number for kind, number in cells.items() if kind.startswith(starts))
