"""`CostModel` in process: the predictor's numbers, without what a server needs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from costmodel.passes import CostModel, normalised
from costmodel.predictor import Predictor
from featurizers.errors import InputError, UnknownNameError
from tests.costmodel.passes.conftest import MATMUL


def test_costs_are_the_values_that_the_predictor_gives(box_training: tuple[Path, object]) -> None:
    predictor = Predictor.load(box_training[0])
    model = CostModel(predictor, "slow")
    raws = [{"sides": [3, 4, 5]}, {"sides": [2, 2, 2]}, {"sides": [9, 9, 9]}]
    values = [outcome[0].value for outcome in predictor.predict(raws, ["slow"])]  # type: ignore[index]
    np.testing.assert_allclose(model.costs(raws), values, rtol=1e-12)
    assert model.best(raws) == 1
    assert model.scores(raws).tolist() == pytest.approx((min(values) / np.array(values)).tolist())
    assert (model.unit, model.target) == ("ns", "latency_ns")
    assert len(model.costs([])) == 0


def test_what_is_wrong_is_said_by_name(box_training: tuple[Path, object], tmp_path: Path) -> None:
    predictor = Predictor.load(box_training[0])
    with pytest.raises(UnknownNameError, match="device 'slwo'"):
        CostModel(predictor, "slwo")
    with pytest.raises(InputError, match="list of three numbers"):
        CostModel(predictor, "slow").cost({"sides": [1]})
    with pytest.raises(InputError, match="need a model of the kind 'mlir'"):
        CostModel(predictor, "slow").of_modules([object()])
    with pytest.raises(LookupError, match="There is no bundle"):
        CostModel.load("znver4", bundle=tmp_path)


def test_threads_get_the_answers_that_one_gets(estimate: CostModel) -> None:
    texts = [MATMUL.replace("96", str(size)) for size in range(80, 100)]
    alone = estimate.costs(texts)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(estimate.cost, texts * 3))
    assert found == [*alone, *alone, *alone]


def test_text_and_modules_in_memory_cost_the_same(estimate: CostModel) -> None:
    from iree.compiler import ir

    with ir.Context():
        module = ir.Module.parse(MATMUL)
    assert estimate.of_modules([module])[0] == estimate.cost(MATMUL)


def test_scores_of_rates_and_of_nothing() -> None:
    assert normalised(np.array([2.0, 4.0]), higher_is_better=True).tolist() == [0.5, 1.0]
    assert len(normalised(np.empty(0))) == 0


def test_nothing_heavy_is_imported(box_training: tuple[Path, object]) -> None:
    code = """
import sys
from costmodel.passes import CostModel
model = CostModel.load("xeon-emr-ort-fp32-b1", kind="network")
print(model.cost({"fbnet": [0] * 22}) > 0)
print(sorted({"torch", "pandas", "sklearn", "mlflow", "fastapi", "httpx", "lightgbm"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[]"]
