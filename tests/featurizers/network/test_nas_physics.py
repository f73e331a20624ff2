"""Physics columns of NAS spaces: golden counts, sums that must agree, encodings that must be refused."""

import numpy as np
import pytest

from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_physics import FBNET_OPS, SPACES, nasbench201_reach, space_of

ALL_CONV = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
DEAD_EDGE = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
BLOCKED = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|none~1|none~2|"


def columns(space: str, *encodings: object) -> dict[str, list[float]]:
    physics = SPACES[space].physics(SPACES[space].parse(encodings))
    return {column.name: physics.column(column.name).tolist() for column in physics.columns}


def test_nasbench201_counts_all_and_live_edges_apart() -> None:
    found = columns("nasbench201", ALL_CONV, DEAD_EDGE, BLOCKED)
    assert found["count_nor_conv_3x3"] == [6, 1, 2]
    assert found["live_nor_conv_3x3"] == [6, 0, 0]
    assert found["live_nor_conv_1x1"] == [0, 1, 0]
    assert found["output_depends_on_input"] == [1, 1, 0]
    assert found["critical_path"] == [3, 1, 0]


def test_nasbench201_macs_of_six_convolutions() -> None:
    per_edge = 9 * sum(channels**2 * size**2 for channels, size in ((16, 32), (32, 16), (64, 8))) * 5
    assert columns("nasbench201", ALL_CONV)["macs"] == [6 * per_edge]


def test_reach_of_a_cell_with_a_dead_edge() -> None:
    forward, backward, kept = nasbench201_reach(SPACES["nasbench201"].parse([DEAD_EDGE]))
    assert forward.tolist() == [[1, 1, 1, 1, 1, 0]]
    assert backward.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert kept.tolist() == [1]


def test_fbnet_of_skips_only_has_the_projections_that_change_shape() -> None:
    found = columns("fbnet", "|".join(["skip"] * 22))
    assert found["projecting_skips"] == [6]
    assert found["layers"] == [6]
    assert found["depthwise_macs"] == [0]
    shapes = ((16, 24, 32), (24, 32, 16), (32, 64, 8), (64, 112, 8), (112, 184, 4), (184, 352, 4))
    assert found["pointwise_macs"] == [sum(a * b * size**2 for a, b, size in shapes)]


def test_fbnet_first_block_by_hand() -> None:
    skips = ["skip"] * 21
    with_block = columns("fbnet", "|".join(["k5_e3", *skips]))
    without = columns("fbnet", "|".join(["skip", *skips]))
    added = {name: with_block[name][0] - without[name][0] for name in with_block}
    assert added["pointwise_macs"] == 2 * 16 * 48 * 32 * 32
    assert added["depthwise_macs"] == 25 * 48 * 32 * 32
    assert added["parameters"] == 2 * 16 * 48 + 25 * 48
    assert (added["layers"], added["large_kernels"], added["residual_adds"], added["shuffles"]) == (3, 1, 1, 0)


def test_misaligned_are_depthwise_kernels_of_24_channels_at_input_resolution() -> None:
    skips = ["skip"] * 22
    positions = {2: (24, 32), 3: (24, 32), 6: (32, 16)}
    for position, (channels, size) in positions.items():
        found = columns("fbnet", "|".join([*skips[:position], "k3_e1", *skips[position + 1 :]]))
        inside = channels * size * size if channels == 24 else 0
        assert found["misaligned_inputs"] == [inside]
        assert found["misaligned_taps"] == [9 * inside]
        assert found["depthwise_channels"] == [channels]
    expanded = columns("fbnet", "|".join([*skips[:2], "k3_e3", *skips[3:]]))
    assert expanded["misaligned_inputs"] == [0]


def test_spilled_is_what_a_kernel_touches_beyond_256_kilobytes() -> None:
    skips = ["skip"] * 22
    large = columns("fbnet", "|".join(["k3_e6", *skips[1:]]))
    assert large["spilled_depthwise"] == [6 * 16 * 2 * 32 * 32 - 65536]
    assert large["spilled_pointwise"] == [2 * (7 * 16 * 32 * 32 - 65536)]
    assert columns("fbnet", "|".join([*skips[:18], "k3_e6", *skips[19:]]))["spilled_depthwise"] == [0]


def test_grouped_fbnet_block_halves_the_pointwise_part_and_shuffles() -> None:
    plain, grouped = (columns("fbnet", "|".join([op] * 22)) for op in ("k3_e1", "k3_e1_g2"))
    assert grouped["pointwise_macs"][0] == plain["pointwise_macs"][0] / 2
    assert (grouped["shuffles"], plain["shuffles"]) == ([22], [0])


def test_ofa_depth_leaves_out_slots_and_resolution_scales_macs() -> None:
    def encoding(depth: int, resolution: int) -> dict[str, object]:
        return {"ks": [3] * 20, "e": [4] * 20, "d": [depth] * 5, "r": resolution}

    found = columns("ofa", encoding(2, 128), encoding(4, 128), encoding(4, 224))
    assert found["blocks"] == [10, 20, 20]
    assert found["squeeze_excites"] == [6, 12, 12]
    assert found["depthwise_macs"][2] == pytest.approx(found["depthwise_macs"][1] * (224 / 128) ** 2, rel=0.05)


@pytest.mark.parametrize("space", sorted(SPACES))
def test_stages_sum_to_the_network_and_units_are_what_is_counted(space: str) -> None:
    ops = SPACES[space].sample(40, np.random.default_rng(1))
    physics, composition = SPACES[space].physics(ops), SPACES[space].composition(ops)
    assert physics.matrix.shape == (40, len(physics.columns))
    assert len({column.name for column in physics.columns}) == len(physics.columns)
    assert (physics.matrix >= 0).all()
    assert composition.counts.shape == (40, len(composition.units))
    if space != "nasbench201":
        stages = [c.name for c in physics.columns if c.name.startswith("stage") and c.name.endswith("_parameters")]
        np.testing.assert_allclose(sum(physics.column(name) for name in stages), physics.column("parameters"))


@pytest.mark.parametrize("space", sorted(SPACES))
def test_parsing_indices_gives_them_back(space: str) -> None:
    ops = SPACES[space].sample(5, np.random.default_rng(2))
    np.testing.assert_array_equal(SPACES[space].parse(ops.tolist()), ops)


@pytest.mark.parametrize(
    ("space", "encoding", "message"),
    [
        ("nasbench201", "|nor_conv_3x3~0|", "reads"),
        ("nasbench201", ALL_CONV.replace("~2", "~1"), "sources"),
        ("nasbench201", ALL_CONV.replace("nor_conv_3x3~2", "conv~2"), "'conv'"),
        ("nasbench201", [0, 1, 2, 3, 4, 5], "0 to 4"),
        ("fbnet", "k3_e1|skip", "22"),
        ("fbnet", [9] * 22, "0 to 8"),
        ("fbnet", "|".join(["k7_e1"] * 22), "k7_e1"),
        ("fbnet", [True] * 22, "integers"),
        ("fbnet", None, "integers"),
        ("ofa", {"ks": [3] * 20}, "fields"),
        ("ofa", {"ks": [4] * 20, "e": [3] * 20, "d": [2] * 5, "r": 128}, "kernel sizes"),
        ("ofa", {"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": 130}, "resolution"),
    ],
)
def test_a_bad_encoding_is_refused_with_its_index(space: str, encoding: object, message: str) -> None:
    good = SPACES[space].sample(1, np.random.default_rng(0))[0].tolist()
    with pytest.raises(InputError, match=message) as caught:
        SPACES[space].parse([good, encoding])
    assert "architecture 1" in str(caught.value)


def test_an_unknown_space_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="nasbench101"):
        space_of("nasbench101")


def test_fbnet_operation_names_are_distinct() -> None:
    assert len(set(FBNET_OPS)) == 9
