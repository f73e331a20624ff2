"""The table of errors by operator: shares, bias and order, on figures small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.benchmarks.host_operators import by_operator


def test_one_row_per_operator_with_its_share_bias_and_error() -> None:
    ops = np.array(["Conv", "Conv", "Softmax", "Tiny"])
    rows = by_operator(ops, np.array([4.0, 2.0, 4.0, 0.01]), np.array([4.0, 3.0, 1.0, 0.5]))
    assert [row["operator"] for row in rows] == ["Softmax", "Conv"], "dearest error first, negligible ones left out"
    softmax, conv = rows
    assert softmax["predicted_over_measured"] == pytest.approx(0.25)
    assert conv["predicted_over_measured"] == pytest.approx(7 / 6)
    assert conv["median_error"] == pytest.approx(0.25)
    assert (conv["n"], conv["time_share"]) == (2, pytest.approx(6 / 10.01))
