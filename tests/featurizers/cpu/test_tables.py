"""The tables of facts do not contradict themselves, what data sheets print in common, or what machines print."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import featurizers.cpu
from featurizers.cpu import CpuFeaturizer
from featurizers.cpu.columns import vectors
from featurizers.cpu.tables import microarchitectures, processors

TABLES = Path(featurizers.cpu.__file__).parent / "tables"
DDR_MTS = {3: (800, 2133), 4: (1600, 3200), 5: (4000, 8800), "multiplexed": (8000, 12800)}


def rows(name: str) -> list[dict[str, str]]:
    with (TABLES / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["microarchitectures.csv", "processors.csv", "accelerators.csv"])
def test_every_row_names_its_source(name: str):
    assert all(row["source"].strip() for row in rows(name))


def test_clocks_rise_from_base_over_all_cores_to_one():
    designs = [(row.name, row.facts) for row in microarchitectures().values()]
    parts = [(str(key), row.facts) for key, row in processors().items()]
    for name, facts in designs + parts:
        clocks = [facts[key] for key in ("base_ghz", "allcore_ghz", "boost_ghz") if key in facts]
        assert clocks == sorted(clocks), name


def test_peak_is_whole_vectors_times_multiply_and_add_times_units():
    for row in microarchitectures().values():
        units = row.facts["fp64_per_cycle"] / (row.facts["vector_bits"] / 64) / 2
        assert units in (0.5, 1, 2, 4), row.name
        if "avx512f" in row.isa:
            assert row.facts["fp64_per_cycle"] >= 16, row.name
        if row.vendor == "intel" and "avx" not in row.isa:
            assert row.facts["vector_bits"] == 128, row.name


def test_memory_is_of_a_generation_and_processors_do_not_outrun_their_design():
    for row in microarchitectures().values():
        assert any(low <= row.facts["memory_mts"] <= high for low, high in DDR_MTS.values()), row.name
    for key, part in processors().items():
        assert 1 <= part.facts.get("channels", 2) <= 12, key
        assert 1 <= part.facts.get("cores", 2) <= 288, key
        assert 0.9 < part.facts.get("boost_ghz", 3) < 6.3, key


def test_named_clocks_are_the_base_clocks():
    """``Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz``: rows that a clock in the name chooses."""
    for (designator, _), part in processors().items():
        told = re.search(r"@(\d\.\d)$", designator)
        if told and "base_ghz" in part.facts:
            assert part.facts["base_ghz"] == pytest.approx(float(told[1]), abs=0.11), designator


@pytest.mark.parametrize(
    ("fields", "gflops", "gbs"),
    [
        # 96 cores x 16 FLOP x 3.55 GHz; 12 channels of DDR5-4800 (AMD's data sheet: 460.8 GB/s per socket).
        ({"cpu_name": "AMD EPYC 9654", "logical_cpus": 192, "threads_per_core": 2}, None, 460.8),
        # 8 channels of DDR5-4800 (Intel ARK: 307.2 GB/s).
        ({"cpu_name": "Intel(R) Xeon(R) Platinum 8480+", "logical_cpus": 112, "threads_per_core": 2}, None, 307.2),
        # 8 channels of DDR4-3200 (AMD: 204.8 GB/s).
        ({"cpu_name": "AMD EPYC 7763", "logical_cpus": 128, "threads_per_core": 2}, None, 204.8),
        # LPDDR5X-8533 on 512 bits, counted as channels of 64 (NVIDIA: up to 546 GB/s).
        ({"microarchitecture": "neoverse-v2", "cpu_name": "Neoverse-V2", "logical_cpus": 72}, None, 546),
        # 64 cores x 3.5 GHz x 16 FLOP, given outright.
        ({"microarchitecture": "zen3", "logical_cpus": 64, "threads_per_core": 1, "allcore_ghz": 3.5}, 3584, None),
    ],
)
def test_derived_peaks_are_those_of_the_data_sheets(fields: dict[str, object], gflops: float | None, gbs: float | None):
    from math import exp

    featurizer = CpuFeaturizer()
    spec = featurizer.parse({"sockets": 1, **fields})
    found = dict(zip((column.name for column in featurizer.columns), vectors([spec])[0].tolist(), strict=True))
    if gbs is not None:
        assert exp(found["log_bandwidth_gbs"]) == pytest.approx(gbs, rel=0.01)
    if gflops is not None:
        assert exp(found["log_peak_gflops"]) == pytest.approx(gflops, rel=0.01)


def test_accelerators_compute_at_least_as_much_at_their_best():
    for row in rows("accelerators.csv"):
        peaks = [float(row[name]) for name in ("fp16_tflops", "int8_tops", "best_tops") if row[name]]
        assert not row["best_tops"] or peaks[-1] >= max(peaks) * 0.999, row["name"]
        if row["year"]:
            assert 2012 <= float(row["year"]) <= 2026, row["name"]
