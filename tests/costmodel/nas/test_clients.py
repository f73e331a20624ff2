"""Each client of a search framework asks the same oracle; its example runs where the framework is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from costmodel.nas import DeviceOracle, Latency, oracle
from costmodel.nas.cells import CHOICES, cell
from costmodel.nas.naslib import LatencyPredictor
from costmodel.nas.nn_meter import load_latency_predictor
from featurizers.errors import InputError, UnknownNameError
from tests.measured_phone import cells, latency_ms

EXAMPLES = Path(__file__).parents[3] / "examples" / "nas"
DEVICE = "xeon-emr-ort-fp32-b1"
OTHERS_WARN = pytest.mark.filterwarnings("ignore")
"""Frameworks warn about themselves; what they do with our answers is what is tested."""


class CountingOracle:
    """A convolution takes a millisecond, known within 10%."""

    def latency(self, raws: Sequence[Any]) -> list[Latency]:
        counts = [1.0 + raw["nasbench201"].count("conv") for raw in raws]
        return [Latency(ms, 0.9 * ms, 1.1 * ms) for ms in counts]


@pytest.fixture(scope="module")
def asked() -> DeviceOracle:
    return oracle(DEVICE)


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_oracle_says_what_the_predictor_says(asked: DeviceOracle) -> None:
    (latency,) = asked.latency([cells(1)[0]])
    assert latency.low_ms < latency.ms < latency.high_ms
    with pytest.raises(InputError, match="must have three nodes"):
        asked.latency([{"nasbench201": "nonsense"}])
    with pytest.raises(UnknownNameError, match="device 'none'"):
        oracle("none").latency([cells(1)[0]])


def test_six_choices_make_a_cell() -> None:
    assert len(CHOICES) == 6
    assert cell(dict.fromkeys(CHOICES, "none"))["nasbench201"] == "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.mark.parametrize(("surely", "most"), [(False, 4.0), (True, 3.6)])
def test_optuna_constraint(surely: bool, most: float) -> None:
    optuna = pytest.importorskip("optuna")
    from costmodel.nas.optuna import LatencyObjective

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.NSGAIISampler(population_size=10, seed=0)
    )
    objective = LatencyObjective(
        CountingOracle(), lambda raw: raw["nasbench201"].count("conv"), limit_ms=4.0, surely=surely
    )
    study.optimize(objective, n_trials=60)
    feasible = [trial for trial in study.trials if all(value <= 0 for value in trial.constraints.values())]
    assert 0 < len(feasible) < 60
    assert max(trial.values[1] for trial in feasible) <= most + 1e-9
    assert max(trial.values[1] for trial in study.best_trials) <= most + 1e-9


def test_optuna_example() -> None:
    pytest.importorskip("optuna")
    study = example("optuna_search").main(trials=40)
    assert len(study.trials) == 40


@OTHERS_WARN
def test_ax_metric_and_example() -> None:
    pytest.importorskip("ax.api.client")
    from costmodel.nas.ax import LatencyMetric

    mean, error = LatencyMetric(CountingOracle()).outcome(dict.fromkeys(CHOICES, "nor_conv_3x3"))
    assert (mean, error) == (7.0, pytest.approx(0.7 / 1.645, rel=1e-3))
    client = example("ax_search").main(trials=4)
    assert len(client.summarize()) == 4


@OTHERS_WARN
def test_syne_tune_blackbox_and_example() -> None:
    pytest.importorskip("syne_tune.blackbox_repository.blackbox")
    from costmodel.nas.syne_tune import LATENCY, LatencyBlackbox

    assert LatencyBlackbox(CountingOracle())(dict.fromkeys(CHOICES, "none")) == {LATENCY: 1.0}
    assert len(example("syne_tune_blackbox").main(trials=5)) == 5


@OTHERS_WARN
def test_archai_evaluator_and_example() -> None:
    pytest.importorskip("archai.discrete_search.api.model_evaluator")
    from archai.discrete_search.api.archai_model import ArchaiModel

    from costmodel.nas.archai import LatencyEvaluator

    model = ArchaiModel(None, "x", {"costmodel": dict(cells(1)[0])})
    expected = CountingOracle().latency([cells(1)[0]])[0].ms
    assert LatencyEvaluator(CountingOracle()).evaluate(model) == expected
    with pytest.raises(InputError, match="metadata"):
        LatencyEvaluator(CountingOracle()).evaluate(ArchaiModel(None, "x"))
    assert example("archai_evaluator").main() > 0


def test_naslib_fit_and_query() -> None:
    predictor = LatencyPredictor()
    with pytest.raises(InputError, match="must be fitted"):
        predictor.query(["x"])
    # As NASLib's predictor evaluator goes about it.
    predictor.set_ss_type("nasbench201")
    predictor.pre_process()
    needed = predictor.get_data_reqs()
    assert not any(needed[key] for key in ("requires_partial_lc", "requires_hyperparameters", "unlabeled"))
    assert not predictor.requires_partial_training()
    raws = list(cells(30))
    predictor.pre_compute(raws[:10], raws[10:], None)
    truth = np.array(latency_ms(raws))
    figures = predictor.fit([raw["nasbench201"] for raw in raws[:10]], truth[:10])
    assert figures["train_median_error"] < 0.1
    found = predictor.query([raw["nasbench201"] for raw in raws[10:]])
    assert np.median(np.abs(found / truth[10:] - 1)) < 0.1
    assert example("naslib_predictor").main().shape == (1,)


def test_naslib_query_by_an_oracle() -> None:
    expected = CountingOracle().latency([cells(1)[0]])[0].ms
    assert LatencyPredictor(CountingOracle()).query(list(cells(1))).tolist() == [expected]


def test_nn_meter_drop_in(asked: DeviceOracle) -> None:
    path = EXAMPLES.parent / "resnet.onnx"
    (expected,) = asked.latency([{"onnx": path.read_bytes()}])
    predictor = load_latency_predictor(DEVICE)
    assert predictor.predict(str(path), model_type="onnx") == expected.ms
    assert predictor.predict(path.read_bytes(), "onnx") == expected.ms
    assert example("nn_meter_drop_in").main() == expected.ms
    with pytest.raises(UnknownNameError, match="model_type 'pb'"):
        predictor.predict("model.pb", "pb")
    with pytest.raises(InputError, match="must be readable"):
        predictor.predict("none.onnx", "onnx")
    with pytest.raises(InputError, match="cannot be chosen"):
        load_latency_predictor(DEVICE, 1.0)
