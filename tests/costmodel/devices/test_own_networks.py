"""New devices of own networks: what the mix of work teaches, and the benchmark that measures it."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.benchmarks import own_networks
from costmodel.corpus import Labels
from costmodel.devices.network import ADAPTERS
from costmodel.devices.own_networks import OwnNetworkAdapter
from costmodel.devices.protocol import Answer
from costmodel.prediction import Target
from costmodel.predictor import Device
from costmodel.registry import ModelStore
from costmodel.zoo import build, sample_specs
from featurizers.core import Raw
from featurizers.network.columns import GROUPS

COUNT, MEASURED = 32, 22


@pytest.fixture(scope="module")
def raws() -> list[Raw]:
    specs = np.random.default_rng(0).permutation(np.array(sample_specs(COUNT, 3), dtype=object))
    return [{"onnx": build(spec, weights=False).SerializeToString()} for spec in specs]


@pytest.fixture(scope="module")
def adapter(models: ModelStore) -> OwnNetworkAdapter:
    made = ADAPTERS["onnx"](models.predictor("network"))
    assert isinstance(made, OwnNetworkAdapter)
    return made


def test_shares_add_up_and_sizes_are_finite(adapter: OwnNetworkAdapter, raws: list[Raw]) -> None:
    work = adapter.work(raws[:5])
    assert work.shape == (5, len(GROUPS) + 6)
    np.testing.assert_allclose(work[:, : len(GROUPS)].sum(axis=1), 1)
    np.testing.assert_allclose(work[:, -3:].sum(axis=1), 1)
    assert np.isfinite(work).all()
    assert "sim" not in adapter.shares_of


def test_a_device_that_is_slow_at_one_sort_of_work_is_learned(adapter: OwnNetworkAdapter, raws: list[Raw]) -> None:
    logs, work = adapter.matrix(raws), adapter.work(raws)
    dense = work[:, [name in ("conv", "pointwise", "gemm") for name, _ in GROUPS].index(True)]
    latency = np.exp(logs.mean(axis=1) + 2.0 * dense + 0.02 * np.random.default_rng(0).standard_normal(len(raws)))
    adapted = adapter.adapt(raws[:MEASURED], latency[:MEASURED].tolist())
    answers = [answer for answer in adapted.answer(raws[MEASURED:]) if isinstance(answer, Answer)]
    found, truth = np.array([answer.value for answer in answers]), latency[MEASURED:]
    residual = np.log(latency) - logs.mean(axis=1)
    scaled = np.exp(logs.mean(axis=1)[MEASURED:] + np.median(residual[:MEASURED]))
    assert np.median(np.abs(found / truth - 1)) < 0.5 * np.median(np.abs(scaled / truth - 1))
    inside = [a.low <= t <= a.high for a, t in zip(answers, truth, strict=True)]
    assert np.mean(inside) >= 0.7
    planned = adapter.plan(3, raws[:5], None, raws, 0)
    assert len(planned) == 3
    assert all(raw not in raws[:5] for raw in planned)


class FakeKnown:
    """Sums of two sorts of work on six devices, as `own_networks._Known` gives them; notes who was asked."""

    devices = ("x-ort-fp32-b1", "x-ort-fp32-b8", "x-openvino-b1", "x-torch-eager-b1", "sim-a", "sim-b")

    def __init__(self) -> None:
        rng, n = np.random.default_rng(0), 200
        self.split = np.array(["validation", "test_seen", "test_unseen", "train"])[np.arange(n) % 4]
        dense, rest = np.exp(rng.normal(0, 1.5, (2, n)))
        self.cost = np.log(np.outer(dense, [1, 1.1, 0.7, 1.4, 0.1, 0.2]) + np.outer(rest, [1, 1, 2, 3, 0.5, 4]))
        self.logs = self.cost
        shares = np.zeros((n, len(GROUPS)))
        shares[:, 0], shares[:, 1] = dense / (dense + rest), rest / (dense + rest)
        sizes = np.column_stack([np.log(dense), rng.normal(4, 1, n), rng.normal(12, 1, n), np.full((n, 3), 1 / 3)])
        self.table = np.column_stack([shares, sizes])
        self.asked: list[list[str]] = []

    def work(self, devices: list[str]) -> np.ndarray:
        self.asked.append(list(devices))
        return self.table


def test_a_device_of_the_same_runtime_is_never_known() -> None:
    known, rows = FakeKnown(), []
    for i, name in enumerate(known.devices):
        device = Device(name, "", ("latency_ms",), {})
        own = Labels(device, Target("latency_ms", "ms"), np.arange(200), np.exp(known.cost[:, i]), np.zeros(200))
        rows += list(own_networks._New(known, own, seeds=2).rows())  # type: ignore[arg-type]
        runtime = own_networks.runtime_of(name)
        assert runtime not in {own_networks.runtime_of(other) for other in known.asked[-1]}
        assert len(known.asked[-1]) == (4 if runtime in ("ort-fp32", "sim-") else 5)
    summary = own_networks._summary(rows)
    assert summary["median_error_20"] < 0.5 * summary["flops_median_error_20"]
    assert summary["median_error_planned_20"] < 0.5 * summary["scaled_median_error_20"]
    assert summary["coverage_20"] > 0.8
