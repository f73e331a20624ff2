"""Measure this machine: description and quick single-thread benchmarks, each repeated, the best and the median kept.

    python datasets/host_microbench/build.py [--seconds 0.4] [--out datasets/host_microbench/data]

Writes <machine>.json (as `costmodel describe-host` gives it) and appends to scores.csv; a machine that is there already
is refused. The pointer chase needs a C compiler (`cc`); without one its rows are left out.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import zstandard

from featurizers.cpu import CpuFeaturizer, describe_host

REPEATS = 7
COLUMNS = ("machine", "benchmark", "config", "unit", "best", "median", "spread", "repeats", "load_average", "library")
CHASE = """
#include <stddef.h>
size_t chase(const size_t *next, size_t start, size_t steps) {
    size_t at = start;
    for (size_t i = 0; i < steps; ++i) at = next[at];
    return at;
}
"""
Timed = tuple[str, str, str, Callable[[], float], bool, str]
"""benchmark, config, unit, one timed repeat giving the value, higher is better, library and version"""


def per_second(work: float, run: Callable[[], object], seconds: float) -> Callable[[], float]:
    """A repeat that runs for about `seconds` and gives work done per second of the thread's own CPU time.

    CPU time, since other work may share the core: what they take of the caches still shows, what they take of the
    clock does not.
    """

    def repeat() -> float:
        count, started = 0, time.thread_time()
        while (elapsed := time.thread_time() - started) < seconds:
            run()
            count += 1
        return work * count / elapsed

    return repeat


def streams(seconds: float) -> Iterator[Timed]:
    """STREAM's copy and triad on 128 MiB arrays of doubles, in MB/s of bytes that the kernel names."""
    n = 16 << 20
    a, b, c = np.zeros(n), np.ones(n), np.full(n, 2.0)
    library = f"numpy {np.__version__}"
    yield "stream", "copy 128 MiB", "MB/s", per_second(16 * n / 1e6, lambda: np.copyto(a, b), seconds), True, library

    def triad() -> None:
        np.multiply(c, 3.0, out=a)
        np.add(a, b, out=a)

    # Two passes: numpy has no fused multiply-add over arrays, so five arrays are read or written instead of three.
    yield "stream", "triad 128 MiB, two passes", "MB/s", per_second(40 * n / 1e6, triad, seconds), True, library


def gemms(seconds: float) -> Iterator[Timed]:
    """Square matrix products on one thread."""
    library = f"numpy {np.__version__}"
    rng = np.random.default_rng(0)
    for size, kind in ((256, np.float32), (1024, np.float32), (1024, np.float64)):
        x, y = (rng.random((size, size)).astype(kind) for _ in range(2))
        out = np.empty_like(x)
        run = per_second(2 * size**3 / 1e9, lambda x=x, y=y, out=out: np.matmul(x, y, out=out), seconds)
        yield "gemm", f"{size} {np.dtype(kind).name}", "GFLOP/s", run, True, library


def text(size: int) -> bytes:
    """Pseudo-prose: words of a fixed vocabulary with a skewed frequency."""
    rng = np.random.default_rng(1)
    words = ["".join(chr(97 + c) for c in rng.integers(0, 26, rng.integers(2, 10))) for _ in range(4000)]
    picks = rng.zipf(1.3, size // 4) % len(words)
    return " ".join(words[i] for i in picks).encode()[:size]


def compressions(seconds: float) -> Iterator[Timed]:
    """zstd of 4 MB of text, one thread."""
    data = text(4_000_000)
    library = f"zstandard {zstandard.__version__}"
    for level in (1, 7):
        packer = zstandard.ZstdCompressor(level=level)
        run = per_second(len(data) / 1e6, lambda packer=packer: packer.compress(data), seconds)
        yield "zstd", f"compress level {level}", "MB/s", run, True, library
    packed, unpacker = zstandard.ZstdCompressor(level=7).compress(data), zstandard.ZstdDecompressor()
    yield (
        "zstd",
        "decompress",
        "MB/s",
        per_second(len(data) / 1e6, lambda: unpacker.decompress(packed), seconds),
        True,
        library,
    )


def hashes(seconds: float) -> Iterator[Timed]:
    """OpenSSL digests of 1 MiB blocks by hashlib."""
    import ssl

    block = bytes(1 << 20)
    for name in ("sha256", "sha512", "blake2b"):
        run = per_second(len(block) / 1e6, lambda name=name: hashlib.new(name, block).digest(), seconds)
        yield "hash", name, "MB/s", run, True, ssl.OPENSSL_VERSION


def chases(seconds: float) -> Iterator[Timed]:
    """Latency of dependent loads through a random cycle, by working-set size."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "chase.c", Path(folder) / "chase.so"
        source.write_text(CHASE)
        try:
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        except (OSError, subprocess.CalledProcessError):
            return
        chase = ctypes.CDLL(str(library)).chase
        chase.argtypes, chase.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t], ctypes.c_size_t
        for kib in (16, 256, 1024, 8192, 65536, 262144):
            lines = kib * 1024 // 64
            order = np.random.default_rng(kib).permutation(lines)
            following = np.zeros(lines * 8, dtype=np.uintp)
            following[order * 8] = np.roll(order, -1) * 8

            def repeat(following: np.ndarray = following, lines: int = lines) -> float:
                steps, start = max(lines, 1 << 18), time.thread_time()
                chase(following.ctypes.data, 0, steps)
                return (time.thread_time() - start) / steps * 1e9

            yield "pointer-chase", f"{kib} KiB", "ns", repeat, False, "cc -O2"


def machine_name(described: dict[str, object]) -> str:
    """Processor, CPUs and memory as a file name."""
    spec = CpuFeaturizer().parse(described)
    words = f"{spec.microarchitecture or platform.machine()}-{spec.logical_cpus:.0f}cpu-{spec.memory_gb:.0f}gb"
    return re.sub(r"[^a-z0-9]+", "-", words.lower())


def measure(machine: str, seconds: float) -> list[dict[str, object]]:
    """One row per benchmark; rounds are interleaved so that a busy minute does not hit one benchmark alone."""
    timed = [t for group in (streams, gemms, compressions, hashes) for t in group(seconds)]
    values: list[list[float]] = [[] for _ in timed]
    for _ in range(REPEATS):
        for one, found in zip(timed, values, strict=True):
            found.append(one[3]())
    for one in chases(seconds):
        timed.append(one)
        values.append([one[3]() for _ in range(REPEATS)])
    load = round(os.getloadavg()[0], 2)
    rows = []
    for (benchmark, config, unit, _, higher, library), found in zip(timed, values, strict=True):
        best, median = (max if higher else min)(found), float(np.median(found))
        row = (machine, benchmark, config, unit, f"{best:.5g}", f"{median:.5g}", f"{np.std(found) / median:.3f}")
        rows.append(dict(zip(COLUMNS, (*row, REPEATS, load, library), strict=True)))
    return rows


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.4, help="per repeat")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("data"))
    args = parser.parse_args()
    args.out.mkdir(exist_ok=True)
    described = describe_host()
    machine = machine_name(described)
    if (args.out / f"{machine}.json").exists():
        parser.error(f"{machine} is measured already: remove its file and rows to measure it again")
    rows = measure(machine, args.seconds)
    (args.out / f"{machine}.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
    table = args.out / "scores.csv"
    new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['benchmark']:14} {row['config']:28} {row['best']:>9} {row['unit']}  (median {row['median']})")


if __name__ == "__main__":
    main()
