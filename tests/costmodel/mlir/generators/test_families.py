"""Every family: the same seed the same programs, distinct ones, that the parser of mlir-opt takes."""

from __future__ import annotations

import pytest

from costmodel.mlir.generators import FAMILIES, TEST_UNSEEN, expand, sample_groups
from costmodel.mlir.generators.expanding import portable, transform
from costmodel.mlir.labelling import missing_tools
from featurizers.errors import UnknownNameError

needs_tools = pytest.mark.skipif("mlir-opt" in missing_tools(), reason="mlir-opt-22 (mlir-22-tools) is not installed")


def test_there_are_at_least_twelve_families_and_three_are_kept_apart():
    assert len(FAMILIES) >= 12
    assert set(TEST_UNSEEN) < set(FAMILIES)
    assert len(TEST_UNSEEN) == 3


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_seed_says_which_groups_and_they_are_distinct(family):
    first, again, other = (sample_groups(family, 8, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len({group.key for group in first}) == len({group.text for group in first}) == 8


def test_an_unknown_family_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="matmul"):
        sample_groups("matmull", 1, 0)


@needs_tools
def test_every_family_parses_and_its_variants_are_distinct_texts():
    groups = [group for family in FAMILIES for group in sample_groups(family, 2, seed=11)]
    programs = expand(groups)
    plain = {program.group for program in programs if program.variant == ""}
    assert plain == {f"{group.family}/{group.key}" for group in groups}
    assert len({program.text for program in programs}) == len(programs) > 2 * len(groups)
    assert programs == expand(groups)
    assert "dense_resource" not in "".join(program.text for program in programs)


@needs_tools
def test_a_text_that_a_pass_refuses_is_left_out_and_its_neighbours_stay():
    good = "func.func @f() {\n  return\n}\n"
    first, bad, last = transform([good, "func.func @g( {", good], "")
    assert bad is None
    assert first == last
    assert "@f" in first


def test_texts_are_written_so_that_newer_parsers_read_them():
    assert (
        portable("%0 = memref.alloc() {alignment = 64 : i64} : memref<4xf32>")
        == "%0 = memref.alloc() : memref<4xf32>\n"
    )
    assert portable("%1 = tosa.reduce_sum %0 {axis = 1 : i32} : (t) -> t").startswith(
        '%1 = "tosa.reduce_sum"(%0) <{axis = 1 : i32}> :'
    )
