"""The figures of the `nas-search` benchmark, on cells small enough to be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.benchmarks.nas_search import _held, _hypervolume, proxy
from featurizers.network.nas_physics import space_of


def _proxy(text: str) -> float:
    return float(proxy(space_of("nasbench201").parse([text]))[0])


def test_quality_counts_what_the_cell_executes() -> None:
    nothing = _proxy("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert nothing == 0.0
    one = _proxy("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    assert one == pytest.approx(np.log(10) + 0.5 * np.log(2))
    dead = _proxy("|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    assert dead == one
    assert _proxy("|skip_connect~0|+|none~0|none~1|+|nor_conv_3x3~0|skip_connect~1|none~2|") > one


def test_hypervolume_of_a_staircase() -> None:
    quality, truth = np.array([1.0, 2.0, 1.5, 0.0]), np.array([1.0, 3.0, 3.5, 4.0])
    # Quality 1 from 1 to 4 ms, one more from 3 to 4 ms; the third is dominated.
    assert _hypervolume(np.arange(4), quality, truth) == pytest.approx(1 * 3 + 1 * 1)
    assert _hypervolume(np.array([1]), quality, truth) == pytest.approx(2 * 1)


def test_a_constraint_is_judged_by_what_was_measured() -> None:
    quality, truth = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.08])
    found = _held(np.array([1, 2]), quality, truth, limit=2.0)
    assert found == {
        "constraint_held": 0.5,
        "constraint_held_within_5pct": 1.0,
        "best_held": 0.0,
        "quality_reached": 1.0,
    }
