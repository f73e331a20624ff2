"""Which columns a model's trees rest on."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.evaluation.importance import _effects, importance_of
from costmodel.kinds import kind_of
from costmodel.registry import PRETRAINED

CASES = {
    "network": ("xeon-emr-ort-fp32-b1", "latency_ms"),
    "mlir": ("znver4", "cycles"),
    "cpu": ("spare-cores", "passmark:SUMM_CPU"),
    "hls4ml": ("vivado-vitis", "lut_csynth"),
}


@pytest.mark.parametrize("kind", CASES)
def test_shares_of_a_packaged_model_add_up_to_one(kind: str) -> None:
    found = importance_of(kind_of(kind).load(PRETRAINED / kind, None), *CASES[kind])
    shares = [group.share for group in found.groups]
    assert found.trees > 0
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-2)
    for group in found.groups:
        assert group.share >= sum(group.columns.values()) - 1e-3


def test_a_split_weighs_what_the_answer_moves_and_how_often_it_is_met() -> None:
    # Split 0: left is split 1 (leaves 0 and 4), right is leaf 2 of value 10.
    effects = _effects([1, ~0], [~2, ~1], [0.0, 4.0, 10.0])
    np.testing.assert_allclose(effects, [(10 - 2) / 2, (4 - 0) / 2 / 2])


def test_what_no_trees_answer_has_no_groups() -> None:
    found = importance_of(kind_of("hls4ml").load(PRETRAINED / "hls4ml", None), "vivado-vitis", "latency_ns")
    assert (found.trees, found.groups) == (0, ())
