"""Loop nests: trip counts, linear accesses, what the middle end does, and the decisions per CPU."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.codegen import generate
from featurizers.mlir.loop import CARRIED, VECTORISABLE
from featurizers.mlir.program import Program
from tests.featurizers.mlir.samples import LINALG, MATMUL, SAXPY, SUM

FEATURIZER = MlirFeaturizer()
WORK, CALL = "func.func private @work()", "func.call @work() : () -> ()"
"""What a loop is kept for: an empty one is removed before anything is counted."""


def parse(text: str, **options: object) -> Program:
    return FEATURIZER.parse({"mlir": text, **options})


def trips(program: Program) -> list[float]:
    return [nest.trip for nest in program.functions[0].body.walk()[1:]]


def test_matmul_has_three_loops_and_its_accumulator_stays_in_a_register() -> None:
    program = parse(MATMUL)
    assert trips(program) == [64, 64, 80]
    inner = program.loops[0].walk()[-1]
    assert inner.legality == CARRIED
    assert inner.memory_chain
    assert inner.hoisted == 1
    assert inner.checks == 2
    assert inner.weight == 64 * 64 * 80
    assert [(a.form, a.store) for a in inner.accesses] == [
        ({-1: 0, 1: 80, 3: 1}, False),
        ({-1: 0, 3: 64, 2: 1}, False),
        ({-1: 0, 1: 64, 2: 1}, True),
    ]


def test_linalg_is_expanded_to_the_nest_of_its_lowering() -> None:
    program = parse(LINALG)
    assert trips(program) == [8, 4, 16]
    assert program.functions[0].body.walk()[-1].label == "linalg.matmul"


def test_saxpy_is_vectorised_by_the_width_of_the_cpu() -> None:
    loop = parse(SAXPY).loops[0]
    assert loop.walk()[1].legality == VECTORISABLE
    widths = {name: generate(loop, cpu(name))[1].vf for name in ("skylake-avx512", "znver4", "cortex-a55")}
    assert widths == {"skylake-avx512": 8, "znver4": 16, "cortex-a55": 4}
    assert loop.walk()[1].checks == 0, "noalias arguments need no checks"


def test_a_float_sum_is_vectorised_only_where_the_target_adds_in_order_or_reassociates() -> None:
    loop = parse(SUM).loops[0]
    assert loop.walk()[1].legality == CARRIED
    assert generate(loop, cpu("skylake-avx512"))[1].vf == 1
    assert generate(loop, cpu("neoverse-v1"))[1].vf == 8
    fast = parse(SUM.replace("%acc, %a", "%acc, %a fastmath<reassoc>")).loops[0]
    assert generate(fast, cpu("skylake-avx512"))[1].vf == 8


def test_small_loops_are_fully_unrolled_and_share_their_loads() -> None:
    text = """func.func @f(%A: memref<16xf32> {llvm.noalias}, %B: memref<16xf32> {llvm.noalias}) {
      affine.for %i = 0 to 4 {
        %a = affine.load %A[%i] : memref<16xf32>
        %b = affine.load %A[%i + 1] : memref<16xf32>
        %s = arith.addf %a, %b : f32
        affine.store %s, %B[%i] : memref<16xf32>
      }
      return
    }"""
    (loop,) = parse(text).loops[0].walk()
    assert loop.unrolled_below == 1
    assert loop.removed == 3, "of eight loads three are loaded by the iteration before"
    assert loop.store_run == 4


@pytest.mark.parametrize(
    ("bounds", "trip", "exact"),
    [
        ("%i = 3 to 20 step 4", 5, True),
        ("%i = 0 to min affine_map<()->(7, 30)>()", 7, True),
    ],
)
def test_affine_bounds(bounds: str, trip: int, exact: bool) -> None:
    nest = parse(f"{WORK} func.func @f() {{ affine.for {bounds} {{ {CALL} }} return }}").functions[0].body.children[0]
    assert (nest.trip, nest.exact) == (trip, exact)


def test_triangular_bounds_are_averaged() -> None:
    inner_loop = f"affine.for %j = 0 to affine_map<(d0)->(d0)>(%i) {{ {CALL} }}"
    text = f"{WORK} func.func @f() {{ affine.for %i = 0 to 10 {{ {inner_loop} }} return }}"
    inner = parse(text).functions[0].body.children[0].children[0]
    assert (inner.trip, inner.exact) == (pytest.approx(4.5), False)


def test_inner_triangles_are_met_more_often_where_the_outer_one_is_long() -> None:
    inner = f"affine.for %k = 0 to affine_map<(d0)->(d0)>(%j) {{ {CALL} }}"
    outer = f"affine.for %j = 0 to affine_map<(d0)->(d0)>(%i) {{ {inner} }}"
    text = f"{WORK} func.func @f() {{ affine.for %i = 0 to 10 {{ {outer} }} return }}"
    nests = parse(text).functions[0].body.walk()
    assert nests[-1].trip * nests[-2].trip * 10 == pytest.approx(120), "10 over 3"


def test_rests_of_unrolled_triangles_have_their_lengths() -> None:
    bounds = "affine_map<(d0)->((d0 floordiv 4) * 4)>(%i) to affine_map<(d0)->(d0)>(%i)"
    text = f"{WORK} func.func @f() {{ affine.for %i = 0 to 16 {{ affine.for %j = {bounds} {{ {CALL} }} }} return }}"
    rest = parse(text).functions[0].body.children[0].children[0]
    assert rest.lengths == ((0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25))


@pytest.mark.parametrize(
    ("condition", "part"),
    [("d0 - 28 >= 0", 1 / 8), ("d0 mod 4 == 0", 1 / 4), ("d0 - 4 >= 0, -d0 + 7 >= 0", 1 / 8)],
)
def test_conditions_on_indices_hold_in_a_known_part_of_the_iterations(condition: str, part: float) -> None:
    inner = "affine.for %j = 0 to 14 { affine.store %x, %a[%j] : memref<14xf32> }"
    guarded = f"affine.if affine_set<(d0) : ({condition})>(%i) {{ {inner} }} else {{ {inner} }}"
    text = f"func.func @f(%a: memref<14xf32>, %x: f32) {{ affine.for %i = 0 to 32 {{ {guarded} }} return }}"
    nests = parse(text).functions[0].body.children[0].children
    assert [(nest.trip, nest.exact, nest.share) for nest in nests] == [(14, True, part), (14, True, 1 - part)]


def test_scf_loops_with_constant_and_named_bounds() -> None:
    text = f"""{WORK} func.func @f(%n: index) {{
      %c0 = arith.constant 0 : index
      %c2 = arith.constant 2 : index
      %c9 = arith.constant 9 : index
      scf.for %i = %c0 to %c9 step %c2 {{ {CALL} }}
      scf.for %i = %c0 to %n step %c2 {{ {CALL} }}
      scf.parallel (%i, %j) = (%c0, %c0) to (%c9, %c2) step (%c2, %c2) {{ {CALL} scf.reduce }}
      return }}"""
    assert trips(parse(text)) == [5, 32, 5], "a loop of one iteration is none"
    assert parse(text).unknown_trips == 1
    assert trips(parse(text, dims={"arg0": 100})) == [5, 50, 5]


def test_a_loop_of_basic_blocks() -> None:
    text = """func.func private @take(f32)
    func.func @f(%m: memref<100xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c100 = arith.constant 100 : index
      cf.br ^head(%c0 : index)
    ^head(%i: index):
      %more = arith.cmpi slt, %i, %c100 : index
      cf.cond_br %more, ^body, ^end
    ^body:
      %x = memref.load %m[%i] : memref<100xf32>
      func.call @take(%x) : (f32) -> ()
      %next = arith.addi %i, %c1 : index
      cf.br ^head(%next : index)
    ^end:
      return
    }"""
    nest = parse(text).functions[0].body.children[0]
    assert (nest.trip, nest.exact) == (100, True)
    assert [a.form for a in nest.accesses] == [{-1: 0, nest.iv: 1}]


def test_stablehlo_and_tosa_become_nests() -> None:
    text = """func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>) -> tensor<4x16xf32> {
      %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0]
        : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
      %1 = tosa.tanh %0 : (tensor<4x16xf32>) -> tensor<4x16xf32>
      return %1 : tensor<4x16xf32> }"""
    program = parse(text)
    assert trips(program) == [4, 16, 4, 16, 8, 4, 16]
    assert program.unknown_ops == {}


def test_convolution_maps() -> None:
    text = """func.func @f(%i: memref<1x10x10x3xf32>, %k: memref<3x3x3x8xf32>, %o: memref<1x8x8x8xf32>) {
      linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
        ins(%i, %k : memref<1x10x10x3xf32>, memref<3x3x3x8xf32>) outs(%o : memref<1x8x8x8xf32>)
      return }"""
    assert trips(parse(text)) == [1, 8, 8, 8, 3, 3, 3]


def test_the_older_spelling_of_clamp_is_read() -> None:
    text = """func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
      %0 = tosa.clamp %a {max_val = 6.0 : f32, min_val = 0.0 : f32} : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32> }"""
    newer = text.replace("{max_val = 6.0 : f32, min_val = 0.0 : f32}", "min_val(0.0 : f32) max_val(6.0 : f32)")
    assert trips(parse(text)) == trips(parse(newer)) == [4]


def test_loops_around_loops_are_unrolled_too_and_copy_what_is_inside() -> None:
    text = """func.func @f(%A: memref<4x1000xf32>) {
      affine.for %i = 0 to 4 { affine.for %j = 0 to 1000 {
        %a = affine.load %A[%i, %j] : memref<4x1000xf32>
        %b = arith.negf %a : f32
        affine.store %b, %A[%i, %j] : memref<4x1000xf32>
      } }
      return }"""
    _, inner = parse(text).loops[0].walk()
    assert (inner.multiplicity, inner.trip, inner.weight) == (4, 1000, 4000)


def test_a_tile_that_may_be_cut_off_has_no_known_length() -> None:
    text = """func.func @f(%a: memref<100xf32>) {
      affine.for %i = 0 to 100 step 16 {
        affine.for %j = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + 16, 100)>(%i) {
          %x = affine.load %a[%j] : memref<100xf32>
          %y = arith.negf %x : f32
          affine.store %y, %a[%j] : memref<100xf32> } }
      return }"""
    tile = parse(text).functions[0].body.children[0].children[0]
    assert not tile.exact
    assert tile.trip == pytest.approx(100 / 7)


def test_a_mask_that_is_known_is_no_mask() -> None:
    text = """func.func @f(%a: memref<14x14xf32>) {
      %p = ub.poison : f32
      affine.for %i = 0 to 14 { affine.for %j = 2 to 14 step STEP {
        %x = vector.transfer_read %a[%i, %j], %p : memref<14x14xf32>, vector<16xf32>
        vector.transfer_write %x, %a[%i, %j] : vector<16xf32>, memref<14x14xf32> } }
      return }"""
    bodies = [parse(text.replace("STEP", step)).functions[0].body for step in ("16", "4")]
    known, varying = (sum(nest.counts[opclass.MASKED] for nest in body.walk()) for body in bodies)
    assert (known, varying) == (0, 32)
