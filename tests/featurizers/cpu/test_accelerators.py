"""Submitted accelerator names to chips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from featurizers.cpu.accelerators import SYSTEM_COLUMNS, accelerator_chip, system_from_mlperf, system_vectors


@pytest.mark.parametrize(
    ("submitted", "name"),
    [
        ("NVIDIA A100-SXM-80GB", "a100-sxm-80gb"),
        ("NVIDIA A100_PCIe_80GB", "a100-pcie-80gb"),
        ("NVIDIA A2", "a2"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4-PCIe-24GB", "l4"),
        ("Tesla T4", "t4"),
        ("AMD Instinct MI325X 256GB HBM3e", "mi325x"),
        ("QUALCOMM Cloud AI 100 DM.2e", "cloud-ai-100-dm2e"),
        ("NVIDIA GH200 Grace Hopper Superchip 144GB", "gh200-144gb"),
    ],
)
def test_names_of_one_chip_meet(submitted: str, name: str):
    chip = accelerator_chip(submitted)
    assert chip is not None
    assert (chip.name, chip.known) == (name, True)


def test_a_slice_has_its_share():
    whole, part = accelerator_chip("NVIDIA A30"), accelerator_chip("NVIDIA A30 (1x1g.6gb MIG)")
    assert whole is not None
    assert part is not None
    assert part.facts["int8_tops"] == pytest.approx(whole.facts["int8_tops"] / 7)


def test_an_unknown_chip_is_kept_by_its_own_name_without_facts():
    chip = accelerator_chip("Frobnicator 9000")
    assert chip is not None
    assert (chip.name, chip.known) == ("frobnicator 9000", False)
    assert math.isnan(chip.facts["int8_tops"])


def test_without_an_accelerator_the_processor_computes():
    row = {
        "accelerator": "N/A",
        "host_cpu": "Intel(R) Xeon(R) Platinum 8480+",
        "host_cpus_per_node": 2,
        "cores_per_host_cpu": 56,
        "nodes": 1,
    }
    system = system_from_mlperf(row)
    assert (system.chip.name, system.count, system.host_cores) == ("cpu:platinum 8480+", 2, 112)
    vectors = system_vectors([system])
    assert vectors.shape == (1, len(SYSTEM_COLUMNS))
    assert np.isfinite(vectors[0, 0])
