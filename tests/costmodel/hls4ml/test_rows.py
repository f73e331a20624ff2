"""Loading labelled designs, and the benchmark's own figures."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from costmodel.benchmarks.hls4ml_scores import r_squared, smape
from costmodel.hls4ml.rows import find_folder, load_designs
from featurizers.errors import InputError
from featurizers.hls4ml import HlsFeaturizer

DENSE1 = {
    "design": "32-64", "d_in": 32, "d_out": 64, "weight_bits": 6, "reuse_factor": 1024, "strategy": "latency",
    "backend": "Vivado", "hls4ml_version": "0.8.1", "tool_version": "2020.1", "part": "xcu250-figd2104-2L-e",
    "io_type": "io_parallel", "synth_success": True, "latency_min_cycles": 1.0, "latency_max_cycles": 2.0,
    "interval_max_cycles": 3.0, "bram_18k": 4.0, "dsp": 5.0, "ff": 6.0, "lut": 7.0,
}  # fmt: skip
DENSE23 = {
    "design": "8-16-4", "layer_dims": json.dumps([8, 16, 4]), "reuse_factor_valid": json.dumps([8, 16]),
    "weight_bits": 4, "strategy": "resource", "target_clock_ns": 5.0, "latency_min_cycles": 27,
    "latency_max_cycles": 29, "bram": 0.5, "dsp": 0, "ff": 1, "lut": 2,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    pq.write_table(pa.Table.from_pylist([DENSE1, {**DENSE1, "synth_success": False}]),
                   tmp_path / "dense1_csynth.parquet")  # fmt: skip
    pq.write_table(pa.Table.from_pylist([DENSE23]), tmp_path / "dense23_vsynth_sample.parquet")
    return tmp_path


def test_rows_become_designs_with_the_reuse_factor_that_was_asked_for(folder):
    first, failed, chain = load_designs(folder)
    layer = HlsFeaturizer().parse(first.raw).layers[1]
    assert (layer.n_in, layer.n_out, layer.weight.width, layer.reuse_factor) == (32, 64, 6, 1023)
    assert first.labels["lut_csynth"] == 7.0
    assert (failed.success, dict(failed.labels)) == (False, {})
    built = [layer.reuse_factor for layer in HlsFeaturizer().parse(chain.raw).layers if layer.n_in]
    assert built == [8, 16]
    assert chain.labels["bram_vsynth"] == 0.5


def test_data_that_may_not_be_shipped_can_be_left_out(folder):
    assert {design.file for design in load_designs(folder, free_only=True)} == {"dense1"}


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="parquet"):
        load_designs(tmp_path)
    with pytest.raises(InputError, match="--mirror"):
        find_folder(None, tmp_path)


def test_smape_is_the_protocols():
    y, predicted = np.array([100.0, 0.0]), np.array([50.0, 1.0])
    assert smape(y, predicted) == pytest.approx(100 * (50 / 151 + 1 / 2))
    assert r_squared(np.array([1.0, 3.0]), np.array([1.0, 3.0])) == 1.0
    assert np.isnan(r_squared(np.array([2.0, 2.0]), np.array([2.0, 2.0])))
