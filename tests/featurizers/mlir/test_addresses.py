"""Registers for addresses, and sums that wait in registers: what llc-22 -O3 spilled (remarks)."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu
from featurizers.mlir.columns import codes
from tests.featurizers.mlir.generated import FEATURIZER, innermost

COLUMN, INSTRUCTIONS = (
    [column.name for column in FEATURIZER.columns].index(name) for name in ("est_spills", "est_instructions")
)


def spills(text: str, name: str) -> float:
    """The estimate of a program."""
    return float(FEATURIZER.features([FEATURIZER.parse({"mlir": text})], profile=name).vectors[0][COLUMN])


def scan(shape: str, index: str, rows: int, length: int, times: int) -> str:
    """Rows that are added up, each to the next: copies of a body that is vectorised along the rows."""
    return f"""func.func @f(%a: memref<{shape}xi32>, %b: memref<{shape}xi32>) {{
      %c = arith.constant 3 : i32
      affine.for %i = 0 to {times} {{ affine.for %j = 0 to {length} {{
        affine.for %k = 1 to {rows} {{
          %1 = affine.load %b[{index.replace("%k", "%k - 1")}] : memref<{shape}xi32>
          %2 = affine.load %a[{index}] : memref<{shape}xi32>
          %3 = arith.muli %1, %c : i32
          %4 = arith.addi %3, %2 : i32
          affine.store %4, %b[{index}] : memref<{shape}xi32> }} }} }}
      return }}"""


@pytest.mark.parametrize("name", ["neoverse-v1", "sifive-p670"])
def test_places_that_no_sum_reaches_have_a_pointer_each(name: str) -> None:
    """SVE and RISC-V's vectors add no bytes to an address, and sums no more than 4095 and 2047. llc counts 57 for
    RISC-V: its pointers are stored once more in the loop around."""
    far = scan("15x29x16", "%k, %i, %j", 15, 16, 29)
    assert 10 < spills(far, name) < 60
    assert spills(far, "znver4") < 0.5


def test_places_in_reach_are_sums_with_one_pointer() -> None:
    near = scan("24x12x16", "%i, %k, %j", 12, 16, 24)
    assert spills(near, "neoverse-v1") < 0.5
    assert spills(near, "sifive-p670") < 0.5


PRODUCT = """func.func @f(%a: memref<45x16xf64> {llvm.noalias}, %b: memref<16xf64> {llvm.noalias},
    %c: memref<45x3xf64> {llvm.noalias}) {
  affine.for %k = 0 to 16 { affine.for %i = 0 to 45 {
    %x = affine.load %a[%i, %k] : memref<45x16xf64>
    %y = affine.load %b[%k] : memref<16xf64>
    %m = arith.mulf %x, %y : f64
    STEPS } }
  return }""".replace(
    "STEPS",
    "\n".join(
        f"""%l{n} = affine.load %c[%i, {n}] : memref<45x3xf64>
        %s{n} = arith.addf %l{n}, %m : f64
        affine.store %s{n}, %c[%i, {n}] : memref<45x3xf64>"""
        for n in range(3)
    ),
)


def test_sums_that_the_loop_around_has_once_wait_in_registers_where_nothing_else_may_be_there() -> None:
    code = innermost(PRODUCT, "znver4")
    assert code.full
    assert code.spills >= 1
    assert innermost(PRODUCT.replace(" {llvm.noalias}", ""), "znver4").spills == 0


def test_what_waits_around_a_loop_is_its_index_more_than_the_ways_it_goes_through_buffers() -> None:
    """None is spilled of a scalar loop with six buffers; a vector loop of unknown length has the ends of its parts."""
    buffers = ", ".join(f"%b{n}: memref<20x40xi32> {{llvm.noalias}}" for n in range(6))
    body = "".join(
        f"""%x{n} = affine.load %b{n}[%i, %j] : memref<20x40xi32>
        %y{n} = arith.addi %x{n}, %c : i32
        affine.store %y{n}, %b{n}[%i, %j] : memref<20x40xi32>\n"""
        for n in range(6)
    )
    text = f"""func.func @f({buffers}, %c: i32) {{
      affine.for %i = 0 to 20 {{ affine.for %j = 0 to 40 {{ {body} }} }}
      return }}"""
    assert spills(text, "skylake-avx512") < 0.5


TILES = """func.func @f(%a: memref<188xSIZExi32>, %b: memref<188x16xi32>, %c: memref<SIZEx16xi32>) {
  affine.for %i = 0 to 188 step 32 { affine.for %k = 0 to SIZE step 32 {
    affine.for %ii = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + 32, 188)>(%i) {
      affine.for %j = 0 to 16 {
        affine.for %kk = affine_map<(d0) -> (d0)>(%k) to min affine_map<(d0) -> (d0 + 32, SIZE)>(%k) {
          %0 = affine.load %a[%ii, %kk] : memref<188xSIZExi32>
          %1 = affine.load %b[%ii, %j] : memref<188x16xi32>
          %2 = arith.muli %0, %1 : i32
          %3 = affine.load %c[%kk, %j] : memref<SIZEx16xi32>
          %4 = arith.addi %3, %2 : i32
          affine.store %4, %c[%kk, %j] : memref<SIZEx16xi32> } } } } }
  return }"""


@pytest.mark.parametrize("name", ["apple-m1", "sifive-p670"])
def test_copies_of_a_loop_of_unknown_length_have_pointers_each(name: str) -> None:
    """llc counts 107 and 114 where the last tile is cut off, 24 on AArch64 where all are whole."""
    assert 40 < spills(TILES.replace("SIZE", "53"), name) < 115
    if name == "apple-m1":
        assert spills(TILES.replace("SIZE", "64"), name) < 15


def test_pointers_on_the_stack_are_stored_and_loaded() -> None:
    program = FEATURIZER.parse({"mlir": TILES.replace("SIZE", "53")})
    row = FEATURIZER.features([program], profile="apple-m1").vectors[0]
    body = sum(code.instructions for code in codes(program, cpu("apple-m1")))
    assert row[INSTRUCTIONS] >= body + 2 * row[COLUMN]


def test_scalar_copies_of_x86_add_the_difference_to_the_address() -> None:
    """Each value needs the one before: no vectors. llc counts 18 for AArch64, and 32 for x86, whose indices wait."""
    text = TILES.replace("SIZEx16", "54x16").replace("SIZE", "53")
    text = text.replace("affine.store %4, %c[%kk,", "affine.store %4, %c[%kk + 1,")
    assert spills(text, "znver4") < 15
    assert 10 < spills(text, "apple-m1") < 40


def test_indices_of_sums_with_loops_around_wait_on_the_stack_on_risc_v() -> None:
    """Both buffers share a sum for each of the 19 copies: llc counts 82."""
    text = """func.func @f(%a: memref<27x16x19xf32>, %b: memref<27x16x19xf32>) {
      %c = arith.constant 2.0 : f32
      affine.for %i = 0 to 27 { affine.for %j = 0 to 16 { affine.for %k = 0 to 19 {
        %0 = affine.load %a[%i, %j, %k] : memref<27x16x19xf32>
        %1 = arith.mulf %0, %c : f32
        affine.store %1, %b[%i, %j, %k] : memref<27x16x19xf32> } } }
      return }"""
    assert spills(text, "sifive-p670") == 76
    assert spills(text, "neoverse-v1") < 0.5


def test_the_more_code_the_likelier_it_has_a_point_without_a_register_left() -> None:
    """The same values live at once in each of the nests, which make no spills."""
    nest = """affine.for %i = 0 to 1024 { %x = affine.load %a[%i] : memref<1024xf32>
      %y = arith.mulf %x, %x : f32
      affine.store %y, %b[%i] : memref<1024xf32> }"""
    short, long = (
        spills(f"func.func @f(%a: memref<1024xf32>, %b: memref<1024xf32>) {{ {nest * times} return }}", "znver4")
        for times in (1, 8)
    )
    assert short < long < 0.5


def rows(step: int, of: str) -> str:
    """48 places of a buffer, so far apart, in one body."""
    copies = "".join(
        f"%x{n} = affine.load %a[%i * 64 + {n * step}] : memref<16000x{of}> "
        f"affine.store %x{n}, %b[%i * 48 + {n}] : memref<2400x{of}>\n"
        for n in range(48)
    )
    return f"""func.func @f(%a: memref<16000x{of}> {{llvm.noalias}}, %b: memref<2400x{of}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 48 {{ {copies} }}
      return }}"""


def test_displacements_of_fixed_length_reach_many_places_from_a_pointer_further_on() -> None:
    """4096 elements from the first one there is a second pointer, not one for each place: llc spills none."""
    assert spills(rows(140, "i16"), "neoverse-v1") < 0.5
    assert spills(rows(240, "i1"), "neoverse-v1") < 1.0, "less than a byte"


CHAIN = """func.func @f(%a: tensor<5x15x18xf64>, %b: tensor<5x15x18xf64>, %c: tensor<5x15x18xf64>,
                      %d: tensor<5x15x18xf64>) -> tensor<5x15x18xf64> {
  %0 = stablehlo.divide %a, %b : tensor<5x15x18xf64>
  %1 = stablehlo.add %0, %c : tensor<5x15x18xf64>
  %2 = stablehlo.add %1, %d : tensor<5x15x18xf64>
  return %2 : tensor<5x15x18xf64> }"""


def test_a_value_that_lives_across_a_call_needs_a_saved_register_as_long_as_it_lives() -> None:
    """No more than six values live across any of the calls; seven that do so somewhere live in the first loop."""
    assert spills(CHAIN, "skylake-avx512") == 1
    assert spills(CHAIN.replace("stablehlo.add %1, %d", "stablehlo.add %1, %c"), "skylake-avx512") < 1


RESHAPED = """func.func @f(%a: tensor<5x15x18xf64>, %b: tensor<5x15x18xf64>, %c: tensor<75x18xf64>,
                      %d: tensor<75x18xf64>) -> tensor<75x18xf64> {
  %0 = stablehlo.divide %a, %b : tensor<5x15x18xf64>
  %1 = stablehlo.reshape %0 : (tensor<5x15x18xf64>) -> tensor<75x18xf64>
  %2 = stablehlo.add %1, %c : tensor<75x18xf64>
  %3 = stablehlo.add %2, %d : tensor<75x18xf64>
  return %3 : tensor<75x18xf64> }"""


def test_another_shape_of_a_tensor_is_the_same_buffer() -> None:
    """Two are made, and freed."""
    program = FEATURIZER.parse({"mlir": RESHAPED})
    assert program.allocations == FEATURIZER.parse({"mlir": CHAIN}).allocations
    assert spills(RESHAPED, "skylake-avx512") == 1


def scatter(length: int, unrolled: str) -> str:
    return f"""func.func @f(%at: memref<{length}xi64>, %a: memref<{length}xi16>, %b: memref<32xi16>) {{
      affine.for %i = 0 to {length} {{
        %0 = affine.load %a[%i] : memref<{length}xi16>
        %1 = affine.load %at[%i] : memref<{length}xi64>
        %2 = arith.index_cast %1 : i64 to index
        {unrolled}
        memref.store %0, %b[%2] : memref<32xi16> }}
      return }}"""


def test_risc_v_adds_loaded_indices_to_a_pointer() -> None:
    """llc makes four instructions of each of eight copies (33), and three for AArch64: its accesses have an index."""
    text = scatter(8, "")
    on = {name: innermost(text, name).instructions for name in ("sifive-p670", "cortex-a55")}
    assert 31 <= on["sifive-p670"] <= 35
    assert on["cortex-a55"] < 29


def test_what_is_loaded_and_stored_again_has_one_address() -> None:
    """One sum for both; the other load of the same element of another buffer would be one more."""
    again = "%3 = memref.load %b[%2] : memref<32xi16>\n%4 = arith.addi %0, %3 : i16"
    text = scatter(8, again).replace("memref.store %0", "memref.store %4")
    alone = innermost(scatter(8, ""), "sifive-p670").instructions
    assert innermost(text, "sifive-p670").instructions - alone == pytest.approx(16, abs=2)


def test_addresses_of_loaded_indices_count_to_the_unroller_of_risc_v() -> None:
    """Two pointers and the sum with what is loaded are one each (`getGEPCost`), and nothing on AArch64."""
    parsed = FEATURIZER.parse({"mlir": scatter(4096, "")})
    size = {isa: parsed.loops_on(isa)[0].children[0].size for isa in ("riscv", "aarch64")}
    assert size["riscv"] - size["aarch64"] == 3


def tiled(tiles: str) -> str:
    """A product of matrices, some of whose loops go through the points of tiles."""
    tile = "affine.for %t{0} = 0 to 100 step 16 {{ "
    points = "affine.for %{0} = affine_map<(d0) -> (d0)>(%t{0}) to min affine_map<(d0) -> (d0 + 16, 100)>(%t{0}) {{ "
    loops = [(points if loop in tiles else "affine.for %{0} = 0 to 100 {{ ").format(loop) for loop in "ikj"]
    of = "memref<100x100xf32>"
    arguments = ", ".join([f"%{name}: {of} {{llvm.noalias}}" for name in "abc"])
    return f"""func.func @f({arguments}) {{ {"".join([tile.format(loop) for loop in tiles])} {"".join(loops)}
      %x = affine.load %a[%i, %k] : {of}
      %y = affine.load %b[%k, %j] : {of}
      %p = arith.mulf %x, %y : f32
      %z = affine.load %c[%i, %j] : {of}
      %s = arith.addf %z, %p : f32
      affine.store %s, %c[%i, %j] : {of}
      {"}" * (3 + len(tiles))} return }}"""


@pytest.mark.parametrize("name", ["znver4", "skylake-avx512"])
def test_pointers_that_the_points_of_tiles_begin_from_wait_around_them(name: str) -> None:
    """Without tiles nothing is spilled, with those of rows and columns three pointers are."""
    beyond = [column.name for column in FEATURIZER.columns].index("est_beyond_loops")
    plain, tiles = [
        FEATURIZER.features([FEATURIZER.parse({"mlir": tiled(tiles)})], profile=name).vectors[0] for tiles in ("", "ij")
    ]
    assert plain[beyond] < -1.5
    assert tiles[beyond] >= 0.0
    assert plain[COLUMN] < 0.1 < tiles[COLUMN]
