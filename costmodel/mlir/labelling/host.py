"""Executed instructions and time of programs on this host: LLVM's code in a small C driver, counted by callgrind.

Buffers have the sizes that the function's types say; floating-point numbers are between one half and one and a half,
integers between zero and seven (so that an index buffer never points outside of a table of eight). Instructions are
those of one call, library calls included. Times are of warm calls; `noise` says how far repeats lie apart.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from costmodel.mlir.labelling.lower import lower_batch, prefix
from costmodel.mlir.labelling.tools import ToolError, run

COMPILER = "llvm-22"
REPEATS = 7
_SIGNATURE = re.compile(r"func\.func @([\w.$-]+)\((.*?)\)(?: -> (.*?))?(?: attributes .*?)? \{\n", re.DOTALL)
_SHAPED = re.compile(r"(?:memref|tensor)<((?:\d+x)*)(f16|f32|f64|i8|i16|i32|i64)>")
_BYTES = {"f16": 2, "f32": 4, "f64": 8, "i8": 1, "i16": 2, "i32": 4, "i64": 8}
_C_TYPES = {
    "f16": "_Float16",
    "f32": "float",
    "f64": "double",
    "i8": "char",
    "i16": "short",
    "i32": "int",
    "i64": "long",
}
_DRIVER = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}
static unsigned long seed = 12345;
static unsigned draw(void) { seed = seed * 6364136223846793005UL + 1442695040888963407UL; return seed >> 40; }
static void *block(long n) { return aligned_alloc(64, (n + 127) / 64 * 64); }
static int order(const void *a, const void *b) { double d = *(double *)a - *(double *)b; return (d > 0) - (d < 0); }
static void report(int index, void (*call)(void)) {
  call();
  double start = now(); call(); double once = now() - start;
  int times = once > 500 ? 1 : (int)(500 / (once + 0.01)) + 1;
  double t[REPEATS];
  for (int r = 0; r < REPEATS; r++) {
    start = now();
    for (int i = 0; i < times; i++) call();
    t[r] = (now() - start) / times;
  }
  qsort(t, REPEATS, sizeof(double), order);
  printf("%d %.6f %.6f\\n", index, t[REPEATS / 4], (t[REPEATS / 2] - t[0]) / t[0]);
  fflush(stdout);
}
"""


@dataclass(frozen=True)
class HostLabel:
    """One call on this host, by `compiler`'s code."""

    host: str
    compiler: str
    executed_instructions: float | None = None
    time_us: float | None = None
    noise: float | None = None
    status: str = "ok"
    reason: str = ""


def host_name() -> str:
    """The CPU's model as the system names it."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return " ".join(found[1].split()) if found else "unknown"


def buffers_of(text: str) -> list[tuple[int, str]] | None:
    """(elements, element type) of each buffer of the function, results last; None if it has other arguments."""
    found = _SIGNATURE.search(text)
    if found is None:
        return None
    arguments = [part for part in re.split(r", (?=%)", found[2]) if part]
    results = re.findall(r"(?:tensor|memref)<[^>]*>", found[3] or "")
    shapes = [_SHAPED.search(part) for part in [*arguments, *results]]
    if not arguments or any(shape is None for shape in shapes) or (found[3] and not results):
        return None
    return [(_product(shape[1]), shape[2]) for shape in shapes if shape is not None]


def _product(shape: str) -> int:
    total = 1
    for extent in shape.split("x"):
        total *= int(extent) if extent else 1
    return total


def measure(texts: list[str], *, seconds: float = 120.0) -> list[HostLabel]:
    """One label per text; a batch that does not compile or crashes is halved.

    Raises
    ------
    ToolError
        clang or valgrind is not installed.
    """
    for tool in ("clang-22", "valgrind"):
        if shutil.which(tool) is None:
            raise ToolError(tool, f"'{tool}' is not installed. apt-get install clang-22 valgrind")
    host = host_name()
    try:
        return _measure_batch(texts, host, seconds)
    except (ToolError, subprocess.SubprocessError) as error:
        if len(texts) == 1:
            return [HostLabel(host, COMPILER, status="failed", reason=str(error)[:200])]
    middle = len(texts) // 2
    return measure(texts[:middle], seconds=seconds) + measure(texts[middle:], seconds=seconds)


def _measure_batch(texts: list[str], host: str, seconds: float) -> list[HostLabel]:
    with tempfile.TemporaryDirectory(prefix="mlir-host-") as name:
        folder = Path(name)
        program, symbols = _build(texts, folder, seconds)
        timed = subprocess.run([program, "time"], capture_output=True, text=True, timeout=seconds, check=True).stdout
        times = {int(line.split()[0]): line.split()[1:] for line in timed.splitlines()}
        counts = _count(program, folder, seconds)
    rows = []
    for index, symbol in enumerate(symbols):
        if symbol is None or symbol not in counts:
            rows.append(
                HostLabel(host, COMPILER, status="failed", reason="arguments are not all buffers of known size")
            )
        else:
            time_us, noise = map(float, times[index])
            rows.append(HostLabel(host, COMPILER, counts[symbol], time_us, noise))
    return rows


def _build(texts: list[str], folder: Path, seconds: float) -> tuple[str, list[str | None]]:
    bitcode = lower_batch(texts, folder, seconds=seconds)
    optimised, compiled, driver = folder / "o3.bc", folder / "code.o", folder / "driver.c"
    run("opt", ["-mcpu=native", "-passes=default<O3>", str(bitcode), "-o", str(optimised)], seconds=seconds)
    flags = ["-mcpu=native", "-O3", "-relocation-model=pic", "-filetype=obj"]
    run("llc", [*flags, str(optimised), "-o", str(compiled)], seconds=seconds)
    source, symbols = _driver(texts)
    driver.write_text(source)
    program = str(folder / "driver")
    command = ["clang-22", "-O1", "-w", "-static", str(driver), str(compiled), "-lm", "-o", program]
    subprocess.run(command, check=True, capture_output=True, timeout=seconds)
    return program, symbols


def _driver(texts: list[str]) -> tuple[str, list[str | None]]:
    lines, mains = [f"#define REPEATS {REPEATS}", _DRIVER], list[str]()
    symbols: list[str | None] = []
    for index, text in enumerate(texts):
        buffers, found = buffers_of(text), _SIGNATURE.search(text)
        if buffers is None or found is None:
            symbols.append(None)
            continue
        symbols.append(f"{prefix(index)}{found[1]}")
        pointers = ", ".join(["void *"] * len(buffers))
        lines.append(f'extern void f{index}({pointers}) __asm__("{symbols[-1]}");')
        lines.append(f"static void *b{index}[{len(buffers)}];")
        arguments = ", ".join(f"b{index}[{n}]" for n in range(len(buffers)))
        lines.append(f"static void c{index}(void) {{ f{index}({arguments}); }}")
        mains.extend(_fill(index, place, *buffer) for place, buffer in enumerate(buffers))
        mains.append(f"  if (argc > 1) report({index}, c{index}); else c{index}();")
        mains.extend(f"  free(b{index}[{n}]);" for n in range(len(buffers)))
    return "\n".join([*lines, "int main(int argc, char **argv) {", *mains, "  return 0;", "}", ""]), symbols


def _fill(index: int, place: int, elements: int, kind: str) -> str:
    value = "0.5 + (draw() & 1023) / 1024.0" if kind.startswith("f") else "draw() & 7"
    pointer = f"(({_C_TYPES[kind]} *)b{index}[{place}])"
    return (
        f"  b{index}[{place}] = block({elements}L * {_BYTES[kind]});"
        f" for (long i = 0; i < {elements}L; i++) {pointer}[i] = {value};"
    )


def _count(program: str, folder: Path, seconds: float) -> dict[str, float]:
    """Instructions of each program's call, its callees included."""
    out = folder / "callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program]
    subprocess.run(command, check=True, capture_output=True, timeout=seconds)
    listed = subprocess.run(
        ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds,
    ).stdout
    found = re.findall(r"^\s*([\d,]+) \([ \d.]+%\)\s+\S*?:(p\d+\.[\w.$-]+)", listed, re.MULTILINE)
    return {symbol: float(count.replace(",", "")) for count, symbol in found}
