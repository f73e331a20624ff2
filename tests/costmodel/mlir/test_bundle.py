"""One model for all CPUs: training, saving, answering, ranking, explaining, adapting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.corpora.mlir_programs import load_corpus
from costmodel.corpus import CorpusError
from costmodel.mlir.adapt import MIN_PROGRAMS, adapt, fit
from costmodel.predictor import Predictor
from featurizers.errors import InputError, UnknownNameError
from tests.costmodel.mlir.conftest import CPUS, text_of


def test_the_corpus_has_labels_per_cpu_and_target(data: Path) -> None:
    corpus = load_corpus(data)
    assert {(own.device.name, own.target.name) for own in corpus.labels} == {
        (cpu, target) for cpu in CPUS for target in ("instructions", "cycles", "register_spills", "code_bytes")
    }
    spills = next(own for own in corpus.labels if own.target.name == "register_spills")
    assert spills.target.count
    assert 0 in spills.value


def test_a_label_without_its_program_is_named(data: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "programs.parquet").write_bytes((data / "programs.parquet").read_bytes())
    pq.write_table(
        pa.table({"program_id": ["nobody"], "cpu": ["znver4"], "cycles": [1.0]}), tmp_path / "labels.parquet"
    )
    with pytest.raises(CorpusError, match="row 0: the program 'nobody'"):
        load_corpus(tmp_path)


def test_cpus_share_one_model_on_disk_and_in_memory(bundle: Path, predictor: Predictor) -> None:
    assert len(list((bundle / "models").iterdir())) == 4, "a model per target, not per CPU"
    assert predictor.model(CPUS[0], "cycles") is predictor.model(CPUS[1], "cycles")
    assert predictor.model(CPUS[0], "cycles") is not predictor.model(CPUS[0], "instructions")


def test_answers_are_near_the_labels_and_counts_are_whole(predictor: Predictor) -> None:
    raws = [{"mlir": text_of(length, chain)} for length, chain in ((300, 3), (1500, 12), (900, 1))]
    outcomes = predictor.predict(raws, list(CPUS))
    for (length, chain), outcome in zip(((300, 3), (1500, 12), (900, 1)), outcomes, strict=True):
        assert not isinstance(outcome, InputError)
        found = {(p.device, p.target): p for p in outcome}
        for cpu, slow in zip(CPUS, (1, 3), strict=True):
            assert found[cpu, "cycles"].value == pytest.approx(length * chain * slow / 4, rel=0.5)
            spills = found[cpu, "register_spills"]
            assert spills.value == round(spills.value)
            assert 0 <= spills.low <= spills.value <= spills.high
            assert (spills.value > 0) == (chain > 8)


def test_a_bad_program_costs_only_its_own_answer(predictor: Predictor) -> None:
    good = {"mlir": text_of(300, 3)}
    first, bad, second = predictor.predict([good, {"mlir": "func.func @f() {"}, good], [CPUS[0]])
    assert isinstance(bad, InputError)
    assert first == second


def test_rank_and_explain(predictor: Predictor) -> None:
    raws = [{"mlir": text_of(1000, chain)} for chain in (9, 2, 5)]
    ranked, errors = predictor.rank(raws, CPUS[0], "cycles")
    assert errors == {}
    assert [entry.index for entry in ranked] == [1, 2, 0]
    explanation = predictor.explain(raws[0], CPUS[0], "cycles")
    assert sum(share.value for share in explanation.shares) == pytest.approx(explanation.prediction.value)
    assert any("line 2" in name for share in explanation.shares for name in share.names)
    assert {"fadd", "load", "store"} <= {share.op for share in explanation.shares}


def test_adapt_to_a_cpu_that_was_never_labelled(predictor: Predictor) -> None:
    sizes = [(100 + 50 * n, 1 + n % 9) for n in range(20)]
    raws = [{"mlir": text_of(*size)} for size in sizes]
    values = [7.0 * length * chain / 4 for length, chain in sizes]
    adapted = adapt(predictor, "neoverse-v1", raws, values)
    assert adapted.error < 0.35
    assert set(adapted.weights) == set(CPUS)
    with pytest.raises(UnknownNameError, match="486"):
        adapt(predictor, "486", raws, values)
    with pytest.raises(InputError, match=str(MIN_PROGRAMS)):
        adapt(predictor, "neoverse-v1", raws[:2], values[:2])


def test_adapt_recovers_a_mix_of_known_cpus() -> None:
    rng = np.random.default_rng(0)
    known = {name: rng.normal(5, 1, 40) for name in ("a", "b", "c")}
    y = np.exp(0.2 * known["a"] + 0.8 * known["b"] + 0.3)
    start = np.mean(list(known.values()), axis=0)
    rows = np.arange(40) < 20
    adapted = fit("new", "cycles", start[rows], {k: v[rows] for k, v in known.items()}, y[rows])
    said = adapted.values(start[~rows], {k: v[~rows] for k, v in known.items()})
    assert np.median(np.abs(said / y[~rows] - 1)) < 0.1


def test_a_count_is_answered_as_a_whole_number_with_a_whole_interval(predictor: Predictor) -> None:
    target = predictor.targets["register_spills"]
    assert target.answered(target.learned(np.array([0.0, 3.0]))) == pytest.approx([0.0, 3.0])
    assert not replace(target, count=False).count
