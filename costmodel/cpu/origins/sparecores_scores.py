"""What each program of Spare Cores' inspector printed, as (benchmark, config, score, unit, higher is better)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Score = tuple[str, str, float, str, bool]
Reader = Callable[[str], Iterator[Score]]

_BLOCK = 16384
_PASSMARK = {
    **dict.fromkeys(("CPU_INTEGER_MATH", "CPU_FLOATINGPOINT_MATH", "CPU_SINGLETHREAD"), "Mops/s"),
    **dict.fromkeys(("CPU_MATRIX_MULT_SSE", "CPU_mm", "CPU_sse", "CPU_fma", "CPU_avx"), "million matrices/s"),
    **dict.fromkeys(("ME_READ_L", "ME_READ_S", "ME_WRITE", "ME_THREADED", "CPU_ENCRYPTION"), "MB/s"),
    **dict.fromkeys(("m_CPU_enc_AES", "m_CPU_enc_ECDSA", "m_CPU_enc_SHA"), "B/s"),
    **{"CPU_avx512": "million matrices/s", "CPU_PRIME": "million primes/s", "CPU_SORTING": "thousand strings/s"},
    **{"CPU_COMPRESSION": "KB/s", "CPU_PHYSICS": "frames/s", "ME_ALLOC_S": "thousand ops/s", "ME_LATENCY": "ns"},
    **{"SUMM_CPU": "CPU Mark", "SUMM_ME": "Memory Mark"},
}


def bw_mem(text: str) -> Iterator[Score]:
    """lmbench's bw_mem: ``rd 256.00 12345.67`` is operation, MB and MB/s."""
    for operation, size, rate in re.findall(r"^(rd|wr|rdwr) (\d+\.\d+) (\d+\.\d+)\s*$", text, re.MULTILINE):
        yield "bw_mem", f"{operation}|{size}MB", float(rate), "MB/s", True


def compression(text: str) -> Iterator[Score]:
    """{algorithm: {level: [{threads, compress, decompress, ...}]}}, rates in bytes per second; one thread only."""
    for algorithm, levels in json.loads(text).items():
        for level, entries in levels.items():
            for entry in (e for e in entries if e["threads"] == 1 and not e.get("extra_args")):
                for direction in ("compress", "decompress"):
                    config = f"{algorithm}|level={level}|threads=1|{direction}"
                    yield "compression_text", config, float(entry[direction]), "B/s", True


def geekbench(text: str) -> Iterator[Score]:
    """{single or multi: {workload: {score}}}."""
    for cores, workloads in json.loads(text).items():
        kind = "multi" if "multi" in cores.lower() else "single"
        for workload, entry in workloads.items():
            yield "geekbench6", f"{kind}|{workload}", float(entry["score"]), "score", True


def passmark(text: str) -> Iterator[Score]:
    """PerformanceTest's YAML: ``Results`` by key; a test that did not run has 0, the whole suite's mark included."""
    import yaml

    for key, value in (yaml.safe_load(text).get("Results") or {}).items():
        if key in _PASSMARK:
            yield "passmark", key, float(value), _PASSMARK[key], key != "ME_LATENCY"


def openssl(text: str) -> Iterator[Score]:
    """[{algo, block_size, speed}], bytes per second; the largest block."""
    for entry in json.loads(text):
        if entry["block_size"] == _BLOCK:
            yield "openssl", str(entry["algo"]), float(entry["speed"]), "B/s", True


def stressng(text: str) -> Iterator[Score]:
    """CSV of CPUs and bogo operations per second (method div16), from one CPU to all."""
    found = [(float(cpus), float(rate)) for cpus, rate in csv.reader(io.StringIO(text.strip()))]
    chosen = {"cores=1": found[0][1], "cores=all": found[-1][1], "best": max(rate for _, rate in found)}
    for config, rate in chosen.items():
        yield "stressng_cpu", config, rate, "bogo ops/s", True


def membench(text: str) -> Iterator[Score]:
    """CSV: size_kb, operation, bandwidth_mb_s, latency_ns, ..."""
    for row in csv.DictReader(io.StringIO(text)):
        latency = row["operation"] == "latency"
        value, unit = (row["latency_ns"], "ns") if latency else (row["bandwidth_mb_s"], "MB/s")
        yield "membench", f"{row['operation']}|{row['size_kb']}KB", float(value), unit, not latency


def redis(text: str) -> Iterator[Score]:
    """CSV: operation, threads, pipeline, rps, ..."""
    for row in csv.DictReader(io.StringIO(text)):
        config = f"{row['operation']}|threads={_whole(row['threads'])}|pipeline={_whole(row['pipeline'])}"
        yield "redis", config, float(row["rps"]), "requests/s", True


def static_web(text: str) -> Iterator[Score]:
    """CSV: size, threads, connections, rps, ...; the best rate of each page size."""
    best: dict[str, float] = {}
    for row in csv.DictReader(io.StringIO(text)):
        best[row["size"]] = max(best.get(row["size"], 0.0), float(row["rps"]))
    for size, rate in best.items():
        yield "static_web", f"max_rps|{size}", rate, "requests/s", True


def llama_bench(text: str) -> Iterator[Score]:
    """llama.cpp's llama-bench, a JSON object per line."""
    for line in text.splitlines():
        entry: dict[str, Any] = json.loads(line)
        kind = "prompt" if entry["n_prompt"] else "gen"
        place = "gpu" if entry.get("n_gpu_layers") and "CPU" not in str(entry.get("backends", "")) else "cpu"
        model = str(entry["model_filename"]).rsplit("/", 1)[-1]
        config = f"{model}|{kind}|{entry['n_prompt'] + entry['n_gen']}|{place}"
        yield "llama_bench", config, float(entry["avg_ts"]), "tokens/s", True


def _whole(value: str) -> str:
    return f"{float(value):g}"


READERS: dict[tuple[str, str], Reader] = {
    ("bw_mem", "stdout"): bw_mem,
    ("compression_text", "stdout"): compression,
    ("geekbench", "results.json"): geekbench,
    ("passmark", "stdout"): passmark,
    ("openssl", "parsed.json"): openssl,
    ("stressngfull", "stdout"): stressng,
    ("membench", "stdout"): membench,
    ("redis", "stdout"): redis,
    ("static_web", "stdout"): static_web,
    ("llm", "stdout"): llama_bench,
}
"""(folder of the program, file in it) -> reader. The stressor suite's JSON has no documented form: not read."""
