"""On a real cluster of two local workers: the same answers, features, labels and trees as without one, and a worker
may be killed half-way."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.cli import main
from costmodel.corpus import CorpusError
from costmodel.distributed import Here, active, connected
from costmodel.distributed.answering import ByCluster
from costmodel.distributed.boosting import fit_on_workers
from costmodel.distributed.featurising import features_by
from costmodel.paths import dataset_folder
from costmodel.prediction import Predictions
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from costmodel.regressors.native_lightgbm import DETERMINISTIC, NativeBooster
from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.network import NetworkFeaturizer

distributed = pytest.importorskip("distributed", reason="needs the extra 'distributed'")

_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = [
    {"nasbench201": f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"}
    for a, b, c, d, e, f in islice(product(_OPS, repeat=6), 0, 15_000, 10)
]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def _square(value: int) -> int:
    return value * value


def test_without_a_scheduler_work_is_done_here() -> None:
    with connected(None) as cluster:
        assert isinstance(cluster, Here)
        assert list(cluster.map(_square, range(5))) == [0, 1, 4, 9, 16]


def test_results_come_in_the_order_of_the_items_and_the_cluster_is_active_meanwhile(scheduler: str) -> None:
    with connected(scheduler) as cluster:
        assert active() is cluster
        assert cluster.workers == 2
        assert list(cluster.map(_square, range(50))) == [value * value for value in range(50)]
    assert isinstance(active(), Here)


def test_an_address_where_no_scheduler_answers_is_refused() -> None:
    with pytest.raises(InputError, match="must be the address of a Dask scheduler"), connected("tcp://127.0.0.1:9"):
        pass


def test_predictions_are_those_of_one_process_though_a_worker_is_killed_half_way(scheduler: str) -> None:
    inputs: list[Any] = [*CELLS, {"nasbench201": "|no_such_op~0|"}, *CELLS[:700]]
    predictor = Predictor.load(PRETRAINED / "network")
    device = sorted(predictor.devices)[0]
    expected = predictor.predict(inputs, [device])
    with connected(scheduler) as cluster:
        victim = next(iter(cluster.client.run(os.getpid).values()))  # type: ignore[attr-defined]
        answers = ByCluster(_KillsOne(cluster, victim), PRETRAINED).predict("network", inputs, [device])
    assert len(answers) == len(expected)
    assert sum(isinstance(answer, InputError) for answer in answers) == 1
    for got, want in zip(answers, expected, strict=True):
        if isinstance(want, InputError):
            assert (type(got), str(got)) == (type(want), str(want))
        else:
            assert tuple(got) == tuple(want)  # type: ignore[arg-type]


class _KillsOne:
    """A cluster of which one worker is killed when the first task is done."""

    def __init__(self, cluster: Any, victim: int):
        self.cluster, self.victim, self.workers = cluster, victim, cluster.workers

    def map(self, function: Any, items: Any) -> Iterator[Any]:
        for place, result in enumerate(self.cluster.map(function, items)):
            if place == 0:
                os.kill(self.victim, signal.SIGKILL)
            yield result


def test_features_are_those_of_one_process(scheduler: str) -> None:
    featurizer = NetworkFeaturizer()
    cells = CELLS[:300]
    alone = featurizer.features([featurizer.parse(cell) for cell in cells])
    with connected(scheduler) as cluster:
        together = features_by(cluster, "network", [str(i) for i in range(300)], cells, "", ())
    np.testing.assert_array_equal(together.vectors, alone.vectors)
    assert together.parts is not None
    assert alone.parts is not None
    np.testing.assert_array_equal(together.parts.matrix, alone.parts.matrix)
    for name in ("owner", "part", "count"):
        np.testing.assert_array_equal(getattr(together.parts, name), getattr(alone.parts, name))


def test_a_subject_that_is_refused_is_named(scheduler: str) -> None:
    wrong = [*CELLS[:3], {"nasbench201": -1}]
    with connected(scheduler) as cluster, pytest.raises(CorpusError, match="subject 'wrong'"):
        features_by(cluster, "network", ["a", "b", "c", "wrong"], wrong, "", ())


def test_trees_of_two_workers_are_as_good_as_those_of_one_process(scheduler: str) -> None:
    import lightgbm

    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 6)).astype(np.float32)
    y = x[:, 0] * 2 + np.sin(x[:, 1] * 3) + 0.1 * rng.normal(size=4000)
    w = np.ones(4000)
    parameters = {"objective": "regression", "num_leaves": 15, "learning_rate": 0.1, "seed": 1, **DETERMINISTIC}
    alone = lightgbm.train(parameters, lightgbm.Dataset(x[:3000], y[:3000]), 60)
    with connected(scheduler) as cluster:
        text = fit_on_workers(cluster, parameters, x[:3000], y[:3000], w[:3000], 60)  # type: ignore[arg-type]
    error = np.sqrt(np.mean((NativeBooster(text).predict(x[3000:]) - y[3000:]) ** 2))
    assert error == pytest.approx(np.sqrt(np.mean((alone.predict(x[3000:]) - y[3000:]) ** 2)), rel=0.1)
    assert error < 0.3


def _drawn(numbers: Sequence[int]) -> list[dict[str, Any]]:
    from designs import draw  # from the recipe's folder: workers are sent it

    return [draw(number) for number in numbers]


def test_a_recipe_with_an_environment_of_its_own_labels_there(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(dataset_folder("hls4ml_open")))
    recipe = importlib.import_module("build")
    batches = [range(place, place + 4) for place in range(0, 40, 4)]
    here = [row for rows in recipe.labelled(_drawn, batches, None) for row in rows]
    there = [row for rows in recipe.labelled(_drawn, batches, scheduler) for row in rows]
    assert [row["number"] for row in here] == list(range(40))
    assert sorted(there, key=lambda row: row["number"]) == here


def test_the_command_prints_what_it_prints_without_a_cluster(
    scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "cells.jsonl"
    listed.write_text("".join(json.dumps(cell) + "\n" for cell in CELLS[:40]))
    asked = [
        "predict",
        "--kind",
        "network",
        "--inputs",
        str(listed),
        "--device",
        "xeon-emr-ort-fp32-b1",
        "--models-dir",
        str(PRETRAINED),
    ]
    assert main(asked) == 0
    alone = capsys.readouterr().out
    assert main([*asked, "--scheduler", scheduler]) == 0
    assert capsys.readouterr().out == alone
    assert len(alone.splitlines()) > 40


@pytest.mark.parametrize(
    "error",
    [
        InputError("The 'batch' dimension", "must be at least 1", 0, where="input 'x'"),
        LimitError("The file", "must be smaller", 5),
        UnknownNameError("device", "pixel9", ["pixel2", "pixel3"]),
    ],
)
def test_errors_and_answers_survive_between_processes(error: InputError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    answer = Predictions((), lambda: {"fits": True})
    assert pickle.loads(pickle.dumps(answer)).details == {"fits": True}
