"""Draw, write (da4ml) and synthesise (Yosys) small fixed-point dense networks; resumes where it was stopped.

python datasets/hls4ml_open/build.py --out DIR [--designs 3000]     (pip install da4ml==0.6.0 pyosys)
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20261122
_LIMIT_S = 120
_MOST_PRODUCTS = 400
_FLOW = (
    "read_verilog -defer -sv {sources}; hierarchy -top {top}; "
    "synth_xilinx -flatten -family xcup -noiopad -noclkbuf; tee -q -o {report} stat -json"
)


def draw(number: int) -> dict[str, Any]:
    """The parameters of design `number`: a function of it and `SEED`."""
    random = np.random.default_rng([SEED, number])
    while True:
        sizes = [int(n) for n in random.integers(4, 25, size=int(random.integers(2, 4)))]
        if sum(a * b for a, b in itertools.pairwise(sizes)) <= _MOST_PRODUCTS:
            break
    return {
        "number": number,
        "sizes": sizes,
        "weight_bits": int(random.integers(2, 7)),
        "input_bits": int(random.integers(3, 9)),
        "nonzero": round(float(random.uniform(0.4, 1.0)), 2),
        "latency_cutoff": int(random.choice([-1, 1, 2, 4])),
    }


def write_rtl(design: dict[str, Any], folder: Path) -> int:
    """RTL of the design into `folder`; the number of pipeline stages (0: combinational)."""
    from da4ml.codegen import RTLModel
    from da4ml.trace import FixedVariableArrayInput, comb_trace

    random = np.random.default_rng([SEED, design["number"], 1])
    values = first = FixedVariableArrayInput(design["sizes"][0])
    bits = design["input_bits"]
    shape = values.shape
    values = values.quantize(np.ones(shape, int), np.zeros(shape, int), np.full(shape, bits - 1))
    largest = 2 ** (design["weight_bits"] - 1)
    for n_in, n_out in zip(design["sizes"], design["sizes"][1:], strict=False):
        weights = random.integers(-largest, largest, size=(n_in, n_out)) / largest
        weights *= random.random((n_in, n_out)) < design["nonzero"]
        values = (values @ weights).relu(np.full(n_out, 3), np.full(n_out, max(bits - 1, 1)))
    logic = comb_trace(first, values)
    model = RTLModel(logic, "design", folder, flavor="verilog", latency_cutoff=design["latency_cutoff"],
                     print_latency=False)  # fmt: skip
    model.write()
    pipeline = getattr(model, "_pipe", None)
    return 0 if pipeline is None else len(pipeline.solutions)


def synthesise(folder: Path) -> dict[str, int]:
    """Cells by kind, from Yosys in a process of its own, which is ended after `_LIMIT_S` seconds."""
    sources = [str(path) for path in sorted((folder / "src").rglob("*.v"))]
    report = folder / "stat.json"
    flow = _FLOW.format(sources=" ".join(sources), top="design", report=report)
    script = f"import pyosys.libyosys as y; d = y.Design(); y.run_pass({flow!r}, d)"
    command = [sys.executable, "-c", "; ".join(_quiet(script, flow))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _, error = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    if process.returncode != 0 or not report.exists():
        raise RuntimeError(error.decode(errors="replace").strip()[-200:] or f"Yosys ended with {process.returncode}")
    return count(json.loads(report.read_text())["design"]["num_cells_by_type"])


def _quiet(script: str, flow: str) -> list[str]:
    """One `run_pass` per pass, since a list of passes in one call is not split by every version."""
    start = script.split("; y.run_pass", 1)[0]
    return [start, *(f"y.run_pass({one.strip()!r}, d)" for one in flow.split(";"))]


def count(cells: dict[str, int]) -> dict[str, int]:
    """LUT, FF, DSP and CARRY of Yosys' cell counts."""
    return {
        "lut": sum(n for kind, n in cells.items() if kind.startswith("LUT") or kind == "INV"),
        "ff": sum(n for kind, n in cells.items() if kind.startswith(("FD", "LD"))),
        "dsp": sum(n for kind, n in cells.items() if kind.startswith("DSP")),
        "carry": sum(n for kind, n in cells.items() if kind.startswith("CARRY")),
    }


def build_one(number: int) -> dict[str, Any]:
    """One line of the table; `status` says why there is no label."""
    row = draw(number)
    started = time.process_time()
    wall = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            row["stages"] = write_rtl(row, Path(scratch))
            row.update(synthesise(Path(scratch)))
            row["status"] = "ok"
        except (RuntimeError, ValueError, OSError, KeyError, subprocess.SubprocessError) as error:
            row["status"] = f"{type(error).__name__}: {error}"[:200]
    row["seconds"] = round(time.perf_counter() - wall, 2)
    row["own_cpu_seconds"] = round(time.process_time() - started, 2)
    return row


def main() -> int:
    """Append the designs that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--designs", type=int, default=3000)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = given.out / "designs.jsonl"
    done = set()
    if table.exists():
        for line in table.read_text().splitlines():
            with contextlib.suppress(ValueError, KeyError):
                done.add(json.loads(line)["number"])
    missing = [number for number in range(given.designs) if number not in done]
    started = time.perf_counter()
    for place, number in enumerate(missing, 1):
        row = build_one(number)
        with table.open("a") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        left_h = (time.perf_counter() - started) / place * (len(missing) - place) / 3600
        print(f"{place}/{len(missing)} design {number}: {row['status']}, {left_h:.1f} h left", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
