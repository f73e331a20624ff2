"""HELP's re-implementation: encodings by hand, an inner loop that adapts, training that learns, equal seeds equal."""

from pathlib import Path

import numpy as np
import pytest

from costmodel.evaluation.metrics import spearman
from costmodel.fewshot import KnownDevice
from featurizers.network.nas_physics import SPACES, OpIndices
from tests.costmodel.fewshot.conftest import DEVICES, SPACE, law

torch = pytest.importorskip("torch")
from costmodel.fewshot.help import Help, HelpSettings  # noqa: E402
from costmodel.fewshot.help_encoding import encode  # noqa: E402

SMALL = HelpSettings(hidden=16, episodes=60, devices=4, samples=10, queries=30, meta_rate=3e-3, kl_weight=1e-3)


def trained(pool: OpIndices, settings: HelpSettings = SMALL) -> tuple[Help, list[float]]:
    known = [KnownDevice(name, law(pool, *numbers), name, name) for name, numbers in DEVICES.items()]
    learner, losses = Help(SPACE, np.arange(10), settings), []
    learner.meta_train(pool, known, np.arange(10, len(pool)), progress=lambda _, loss: losses.append(loss))
    return learner, losses


def test_training_lowers_the_loss_and_ranks_a_new_device(pool: OpIndices) -> None:
    learner, losses = trained(pool)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    latency = law(pool, 20.0, 1e3, 9e3)
    ranked = learner.rank(pool[100:], latency[:10], pool[10:20], latency[10:20])
    assert spearman(ranked, latency[100:]) > 0.5


def test_the_same_seed_gives_the_same_learner(pool: OpIndices) -> None:
    short = HelpSettings(hidden=8, episodes=2, devices=2, samples=5, queries=5)
    latency = law(pool, 20.0, 1e3, 9e3)
    first, second = (
        trained(pool, short)[0].rank(pool[20:40], latency[:10], pool[10:20], latency[10:20]) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_gradients_reach_step_sizes_and_modulator(pool: OpIndices) -> None:
    """Second order: the meta-loss depends on how far and from where the inner loop steps."""
    short = HelpSettings(hidden=8, episodes=1, devices=2, samples=5, queries=5)
    learner, _ = trained(pool, short)
    untouched = Help(SPACE, np.arange(10), short)
    for name in ("rates", "modulator"):
        before = [p.detach().numpy() for p in getattr(untouched, name).parameters()]
        after = [p.detach().numpy() for p in getattr(learner, name).parameters()]
        assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)), name


def test_a_reloaded_learner_ranks_alike(pool: OpIndices, tmp_path: Path) -> None:
    learner = trained(pool, HelpSettings(hidden=8, episodes=2, devices=2, samples=5, queries=5))[0]
    learner.save(tmp_path)
    latency = law(pool, 20.0, 1e3, 9e3)
    given = (pool[20:40], latency[:10], pool[10:20], latency[10:20])
    np.testing.assert_array_equal(Help.load(tmp_path).rank(*given), learner.rank(*given))


def test_samples_change_the_answer(pool: OpIndices) -> None:
    learner = Help(SPACE, np.arange(10), HelpSettings(hidden=8, step_size=0.1))
    latency = law(pool, 20.0, 1e3, 9e3)
    one = learner.rank(pool[20:40], latency[:10], pool[10:15], latency[10:15])
    other = learner.rank(pool[20:40], latency[:10], pool[10:15], latency[10:15][::-1])
    assert not np.allclose(one, other)


def test_a_cell_is_read_along_its_edges() -> None:
    nodes, reads = encode("nasbench201", np.array([[3, 1, 0, 2, 4, 3]]))
    assert nodes.shape == (1, 9, 8)
    assert reads is not None
    assert nodes[0].argmax(axis=1).tolist() == [5, 3, 1, 0, 2, 4, 3, 6, 7]
    assert np.flatnonzero(reads[6]).tolist() == [2, 3, 6]
    assert np.flatnonzero(reads[7]).tolist() == [4, 5, 6, 7]
    assert reads[8].tolist() == [1] * 9


@pytest.mark.parametrize(("space", "width"), [("fbnet", 132), ("ofa", 121)])
def test_every_different_architecture_has_a_different_code(space: str, width: int) -> None:
    features, reads = encode(space, SPACES[space].sample(50, np.random.default_rng(0)))
    assert reads is None
    assert features.shape == (50, width)
    assert len(np.unique(features, axis=0)) == 50
