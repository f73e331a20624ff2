from __future__ import annotations

import json

import numpy as np

from costmodel.domain import Domain
from featurizers.core import Column, Features, Parts

OPS = ("Conv", "Gemm", "Add", "Mul", "Relu", "Tanh", "Erf", "Softmax")
COLUMNS = (Column("flops", "FLOP", "size"), Column("bytes", "B", "size"), Column("depth", "1", "shape"))


def subjects(n: int, seed: int = 0, classes: tuple[int, ...] = (0, 1)) -> Features:
    """Bytes follow FLOPs closely; depth is free."""
    rng = np.random.default_rng(seed)
    flops = np.exp(rng.uniform(10, 20, n))
    vectors = np.stack([flops, flops * np.exp(rng.normal(0, 0.2, n)), rng.uniform(5, 50, n)], axis=1)
    parts = Parts(
        np.array([[code] for code in classes], dtype=np.float32),
        np.arange(n),
        rng.integers(0, len(classes), n),
        np.ones(n, dtype=np.float32),
    )
    return Features(vectors.astype(np.float32), COLUMNS, parts, (Column("op", "1", "identity", OPS),))


def test_subjects_like_those_trained_on_are_inside() -> None:
    reasons = Domain.fit(subjects(1000)).check(subjects(500, seed=1))
    assert sum(bool(reason) for reason in reasons) <= 10


def test_a_value_out_of_range_is_named_with_the_range() -> None:
    strange = subjects(5, seed=1)
    strange.vectors[2, 2] = 5000
    reasons = Domain.fit(subjects(1000)).check(strange)
    assert reasons[0] == ()
    assert any(reason.startswith("depth = 5000 is outside 5") for reason in reasons[2])


def test_a_combination_never_seen_is_outside_though_each_value_is_common() -> None:
    strange = subjects(1, seed=1)
    strange.vectors[0] = [np.exp(11), np.exp(19), 20]
    (reasons,) = Domain.fit(subjects(1000)).check(strange)
    assert "combination" in reasons[0]
    assert "flops" in reasons[0] or "bytes" in reasons[0]


def test_a_part_class_never_seen_is_outside() -> None:
    reasons = Domain.fit(subjects(500)).check(subjects(50, seed=1, classes=(0, 7)))
    assert {bool(reason) for reason in reasons} == {True, False}
    assert set(sum(reasons, ())) == {"the op 'Softmax' was in no training subject"}


def test_json_round_trip_gives_the_same_verdicts() -> None:
    domain = Domain.fit(subjects(300))
    again = Domain.from_json(json.loads(json.dumps(domain.to_json())))
    probe = subjects(100, seed=4)
    probe.vectors[::7] *= 30
    assert again.check(probe) == domain.check(probe)


def test_a_missing_value_counts_as_the_mean_and_a_column_never_seen_as_outside() -> None:
    training = subjects(500)
    training.vectors[::3, 1] = np.nan
    training.vectors[:, 2] = np.nan
    domain = Domain.fit(training)
    probe = subjects(3, seed=1)
    probe.vectors[:2, 2] = np.nan
    probe.vectors[0, 1] = np.nan
    reasons = domain.check(probe)
    assert reasons[0] == reasons[1] == ()
    assert any(reason.startswith("depth = ") for reason in reasons[2])
    json.dumps(domain.to_json(), allow_nan=False)
