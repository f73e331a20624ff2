"""The paper's networks over token streams."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.regressors import learner
from costmodel.regressors.sequence.tokens import Tokens, padded
from featurizers.core import Column, Features
from featurizers.errors import InputError

WORDS = ("add", "mul", "div", "load")
SMALL = {"hidden": 8, "embedding": 4, "epochs": 25, "batch": 32, "learning_rate": 1e-2}


def programs(subjects: int, seed: int) -> tuple[Features, np.ndarray]:
    """Short programs; those that divide cost e^2 times as much."""
    rng = np.random.default_rng(seed)
    tokens = tuple(rng.choice([0, 1, 3], int(rng.integers(2, 20))) for _ in range(subjects))
    divides = rng.random(subjects) < 0.5
    for codes, divide in zip(tokens, divides, strict=True):
        codes[rng.integers(len(codes))] = 2 if divide else codes[0]
    vectors = np.ones((subjects, 1), dtype=np.float32)
    sequences = {"ops_operands": tokens}
    features = Features(vectors, (Column("x", "1", "x"),), sequences=sequences, vocabularies={"ops_operands": WORDS})
    return features, 2.0 * divides


@pytest.mark.parametrize("name", ["conv1d", "lstm"])
def test_it_learns_from_the_words_alone(name: str) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    features, y = programs(256, seed=0)
    fitted = learner(name)(**SMALL).fit(features, y, np.array([f"g{i}" for i in range(256)]), seed=0)
    test, truth = programs(64, seed=1)
    assert np.mean(np.abs(fitted.predict(test).point - truth)) < 0.3
    cut = learner(name)(**{**SMALL, "longest": 3})
    assert cut.settings["longest"] == 3


def test_words_travel_with_the_model_whatever_the_featurizer_calls_them_later() -> None:
    features, _ = programs(40, seed=2)
    tokens = Tokens.fit(features, "ops_operands", 512)
    again = Tokens.from_json(tokens.to_json())
    renamed = ("new", *WORDS)
    moved = Features(
        features.vectors, features.columns,
        sequences={"ops_operands": (np.array([0, 1, 4]),)}, vocabularies={"ops_operands": renamed},
    )  # fmt: skip
    plain = Features(
        features.vectors, features.columns,
        sequences={"ops_operands": (np.array([0, 3]),)}, vocabularies={"ops_operands": WORDS},
    )  # fmt: skip
    assert again.encode(moved)[0].tolist() == [1, *tokens.encode(plain)[0].tolist()]


def test_long_programs_are_cut_and_empty_ones_are_padding() -> None:
    features = Features(
        np.ones((2, 1), dtype=np.float32), (Column("x", "1", "x"),),
        sequences={"ops": (np.arange(4).repeat(100), np.empty(0, dtype=np.int64))}, vocabularies={"ops": WORDS},
    )  # fmt: skip
    batch = padded(Tokens.fit(features, "ops", 150).encode(features))
    assert batch["lengths"].tolist() == [150, 1]
    assert batch["tokens"].shape == (2, 150)


def test_a_stream_that_the_kind_does_not_have_is_refused() -> None:
    features, y = programs(20, seed=3)
    with pytest.raises(InputError, match="stream 'ops' must be a token stream of the kind: ops_operands"):
        learner("conv1d")(stream="ops").fit(features, y, np.array(["g"] * 20), seed=0)
