"""Simulated accelerators: which layers they are given, what a network costs, and the committed labels."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from costmodel.simulate import SIMULATORS, Cost, Layer, Workload, latency_ms, network_cost, simulator, workload_of
from costmodel.zoo import FAMILIES, NetworkSpec, build, sample_specs, size
from featurizers.errors import UnknownNameError
from featurizers.network import NetworkFeaturizer

DATA = Path(__file__).parents[2] / "datasets" / "host_networks" / "data"
RECURRENT = {"lstm", "gru"}


def workload(model: onnx.ModelProto) -> Workload:
    return workload_of(NetworkFeaturizer().parse({"onnx": model.SerializeToString()}))


def one_node(op: str, shapes: list[tuple[int, ...]], weights: list[tuple[int, ...]], **attributes: object) -> Workload:
    """The workload of a network of one node with activations of `shapes` and constants of `weights`."""
    inputs = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, s) for i, s in enumerate(shapes)]
    constants = [TensorProto(name=f"w{i}", dims=s, data_type=TensorProto.FLOAT) for i, s in enumerate(weights)]
    names = [f"x{i}" for i in range(len(shapes))] + [f"w{i}" for i in range(len(weights))]
    node = helper.make_node(op, names, ["y"], name="node", **attributes)
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "one", inputs, outputs, constants)
    return workload(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.parametrize(
    ("op", "shapes", "weights", "attributes", "layer", "count"),
    [
        ("Conv", [(1, 3, 32, 48)], [(16, 3, 5, 3)],
         {"strides": [2, 1], "pads": [2, 1, 2, 1]}, Layer(1, 1, 16, 3, 16, 48, 5, 3, 2, 1), 1),
        ("Conv", [(2, 24, 8, 8)], [(24, 1, 3, 3)],
         {"group": 24, "dilations": [2, 2]}, Layer(2, 24, 1, 1, 4, 4, 3, 3, 1, 1, 2, 2), 1),
        ("Conv", [(1, 24, 8, 8)], [(48, 6, 1, 1)], {"group": 4}, Layer(1, 4, 12, 6, 8, 8), 1),
        ("Conv", [(1, 8, 30)], [(4, 8, 3)], {}, Layer(1, 1, 4, 8, 1, 28, 1, 3), 1),
        ("ConvTranspose", [(1, 32, 7, 9)], [(32, 10, 2, 2)], {"strides": [2, 2]}, Layer(1, 1, 40, 32, 7, 9), 1),
        ("Gemm", [(5, 20)], [(30, 20), (30,)], {"transB": 1}, Layer.product(5, 30, 20), 1),
        ("MatMul", [(2, 50, 64)], [(64, 10)], {}, Layer.product(100, 10, 64), 1),
        ("MatMul", [(1, 8, 50, 64), (1, 8, 64, 70)], [], {}, Layer.product(50, 70, 64), 8),
    ],
)  # fmt: skip
def test_layer_of_a_node(op, shapes, weights, attributes, layer, count):
    found = one_node(op, shapes, weights, **attributes)
    assert found.layers == Counter({layer: count})
    assert not found.left_out


def test_what_is_no_layer_but_has_work_is_named():
    found = one_node("LSTM", [(6, 1, 4)], [(1, 32, 4), (1, 32, 8)], hidden_size=8)
    assert found.left_out == Counter({"LSTM": 1})
    assert not found.layers


def test_what_has_no_work_is_passed_over():
    found = one_node("Relu", [(1, 8, 4, 4)], [])
    assert not found.layers
    assert not found.left_out


def test_unrolled_window():
    layer = Layer(2, 3, outputs=8, inputs=4, height=5, width=6, kernel_h=3, kernel_w=2)
    assert layer.gemm == (60, 8, 24)
    assert layer.macs == 3 * 60 * 8 * 24


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - RECURRENT))
def test_layers_hold_all_work_of_a_family(family):
    spec = next(s for s in sample_specs(len(FAMILIES), seed=5) if s.family == family)
    found = workload(build(spec, batch=1, weights=False))
    assert not found.left_out
    assert 2 * found.macs == size(spec).flops


def test_a_network_is_the_sum_of_its_layers():
    small, large = Layer.product(1, 2, 3), Layer.product(10, 20, 30)
    both = Workload(Counter({small: 3, large: 1}), Counter())
    cost = network_cost(both, lambda layer: Cost(layer.macs, 0.5))
    assert cost == Cost(3 * 6 + 6000, 4 * 0.5)
    assert latency_ms(cost) == pytest.approx(6018e-6)
    assert network_cost(both, lambda layer: Cost(1.0)).energy_uj is None


def test_unknown_accelerator_is_named_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="sim-scalesim-ws64x64") as error:
        simulator("sim-scalesim-os64x64")
    assert "sim-scalesim-os64x64" in str(error.value)


@pytest.mark.parametrize(("device", "package"), [(d, d.split("-")[1]) for d in SIMULATORS])
def test_missing_package_says_what_to_install(device, package, monkeypatch):
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"costmodel\[simulate\]"):
        simulator(device)


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    return {n: pq.read_table(DATA / f"{n}.parquet").to_pylist() for n in ("networks", "latency_sim", "layers_sim")}


class TestCommittedLabels:
    """The tables in the data set agree with each other and with the networks."""

    def test_every_label_is_of_a_known_device_and_target(self, tables):
        assert {r["device"] for r in tables["latency_sim"]} == set(SIMULATORS)
        kinds = {(r["target"], r["unit"]) for r in tables["latency_sim"]}
        assert kinds == {("latency_ms", "ms"), ("energy_uj", "uJ")}
        keys = Counter((r["network_id"], r["device"], r["target"]) for r in tables["latency_sim"])
        assert max(keys.values()) == 1

    def test_families_of_layers_are_there_and_recurrent_ones_are_not(self, tables):
        family = {r["network_id"]: r["family"] for r in tables["networks"]}
        for device in SIMULATORS:
            found = {family[r["network_id"]] for r in tables["latency_sim"] if r["device"] == device}
            assert found == set(FAMILIES) - RECURRENT

    @pytest.mark.parametrize("device", sorted(SIMULATORS))
    def test_labels_are_the_sums_of_the_layer_table(self, tables, device):
        known = {}
        for row in tables["layers_sim"]:
            if row["device"] == device:
                layer = Layer(**{name: row[name] for name in Layer.__dataclass_fields__})
                known[layer] = Cost(row["cycles"], row["energy_uj"])
        labels: dict[str, dict[str, float]] = {}
        for row in tables["latency_sim"]:
            if row["device"] == device:
                labels.setdefault(row["network_id"], {})[row["target"]] = row["value"]
        chosen = sorted(labels)[::60]
        assert len(chosen) >= 7
        for network_id in chosen:
            cost = network_cost(network(tables, network_id), lambda layer: looked_up(device, known, layer))
            expected = {"latency_ms": latency_ms(cost)}
            if cost.energy_uj is not None:
                expected["energy_uj"] = cost.energy_uj
            assert labels[network_id] == pytest.approx(expected, rel=1e-12)


def network(tables, network_id: str) -> Workload:
    import json

    row = next(r for r in tables["networks"] if r["network_id"] == network_id)
    spec = NetworkSpec(network_id, row["family"], json.loads(row["params"]), row["seed"])
    return workload(build(spec, batch=1, weights=False))


def looked_up(device: str, known: dict[Layer, Cost], layer: Layer) -> Cost:
    """SCALE-Sim runs the groups of a convolution one after another, ZigZag takes the layer whole (1x1 as a product)."""
    if "scalesim" in device:
        return known[Layer.product(*layer.gemm)].times(layer.groups)
    return known[Layer.product(*layer.gemm) if layer.is_pointwise else layer]


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed (extra 'simulate')")


@needs("scalesim")
class TestScaleSim:
    def test_a_tile_takes_loading_streaming_and_draining(self):
        """64 cycles to load weights, 64 until the first sum leaves, then M - 1 more rows and 63 columns of skew."""
        cost = simulator("sim-scalesim-ws64x64").simulate(Layer.product(100, 64, 64))
        assert cost == Cost(64 + 64 + 99 + 63 - 1)

    def test_groups_run_one_after_another(self):
        depthwise = Layer(1, 144, 1, 1, 56, 56, 3, 3)
        assert simulator("sim-scalesim-ws64x64").pieces(depthwise) == (Layer.product(3136, 1, 9), 144)

    @pytest.mark.skipif(
        np.lib.NumpyVersion(np.__version__) >= "2.4.0", reason="SCALE-Sim 3.0.0's memory system needs numpy < 2.4"
    )
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize("mnk", [(1, 1, 1), (49, 20, 27), (17, 5, 100), (33, 40, 16)])
    def test_equal_to_total_cycles_of_a_whole_run(self, mnk):
        from costmodel.simulate.scale_sim import WeightStationaryArray

        array = WeightStationaryArray(16, 16)
        assert array.simulate(Layer.product(*mnk)).cycles == whole_scalesim_run(*mnk, rows=16, columns=16)


def whole_scalesim_run(m: int, n: int, k: int, rows: int, columns: int) -> int:
    """Total cycles of SCALE-Sim with its memories, which hold the layer and are as fast as the array asks."""
    from scalesim.layout_utils import layouts
    from scalesim.scale_config import scale_config
    from scalesim.single_layer_sim import single_layer_sim
    from scalesim.topology_utils import topologies

    config = scale_config()
    config.set_dataflow("ws")
    config.set_arr_dims(rows, columns)
    config.set_buffer_sizes_kb(512, 512, 256)
    config.set_bw_mode_to_calc()
    config.force_valid()
    topology = topologies()
    topology.load_layer_params_from_list("layer", ["layer", m, k, 1, k, 1, n, 1, 1, 1, 1])
    topology.topo_calc_hyperparams()
    run = single_layer_sim()
    run.set_params(0, config, topology, layouts(), verbose=False)
    run.run()
    _, total_cycles, stalls, *_ = run.get_compute_report_items()
    assert stalls == 0
    return int(total_cycles)


@needs("zigzag")
class TestZigZag:
    DEPTHWISE = Layer(1, 144, 1, 1, 56, 56, 3, 3)

    def test_equal_layers_cost_the_same_in_any_order(self):
        layers = [self.DEPTHWISE, Layer.product(197, 768, 192), Layer(1, 1, 64, 3, 112, 112, 7, 7, 2, 2)]
        first = [simulator("sim-zigzag-edge-tpu-like").simulate(layer) for layer in layers]
        one = simulator("sim-zigzag-edge-tpu-like")
        assert [one.simulate(layer) for layer in reversed(layers)] == first[::-1]

    def test_no_less_than_array_and_memory_allow(self):
        """1024 units; 0.04 pJ per product; DRAM moves 8 bytes per cycle, for 700 pJ read and 750 pJ written."""
        m, n, k = 208, 768, 192
        cost = simulator("sim-zigzag-edge-tpu-like").simulate(Layer.product(m, n, k))
        assert cost.cycles >= m * n * k / 1024 + m * k / 8
        assert cost.energy_uj is not None
        assert cost.energy_uj >= (0.04 * m * n * k + 700 * (m * k + k * n) / 8 + 750 * m * n / 8) / 1e6

    def test_a_product_costs_what_its_pixels_cost_as_an_image(self):
        one = simulator("sim-zigzag-edge-tpu-like")
        image = Layer(1, 1, 768, 192, height=52, width=4)
        assert one.simulate(image) == one.simulate(Layer.product(208, 768, 192))

    def test_free_search_finds_nothing_better(self, monkeypatch):
        from costmodel.simulate import zigzag_dse

        fixed = simulator("sim-zigzag-edge-tpu-like").simulate(self.DEPTHWISE)
        given = zigzag_dse.mapping_description
        monkeypatch.setattr(zigzag_dse, "mapping_description", lambda piece: {**given(piece), "temporal_ordering": []})
        assert simulator("sim-zigzag-edge-tpu-like").simulate(self.DEPTHWISE) == fixed
