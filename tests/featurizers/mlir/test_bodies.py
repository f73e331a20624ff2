"""What becomes of bodies after the loops: packing, unrolling, dead stores, bit tricks, calls; as LLVM 22 does."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.bits import cost
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.legal import work
from featurizers.mlir.loads import segments
from featurizers.mlir.slp import runs

FEATURIZER = MlirFeaturizer()


def code(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))


def jammed(index: str, attribute: str = "{llvm.noalias}") -> str:
    """Four neighbouring results in each iteration, of what is read at `index` of one to four."""
    body = "".join(
        f"%x{k} = affine.load %a[{index.format(k=k)}] : memref<4096xi32>\n"
        f"%y{k} = arith.addi %x{k}, %x{k} : i32\n"
        f"affine.store %y{k}, %b[%i * 4 + {k}] : memref<4096xi32>\n"
        for k in range(4)
    )
    return f"""func.func @f(%a: memref<4096xi32> {attribute}, %b: memref<4096xi32> {attribute}) {{
      affine.for %i = 0 to 3 {{ {body} }}
      return }}"""


def test_neighbouring_stores_are_packed_into_vectors() -> None:
    root = code(jammed("%i * 4 + {k}"), "apple-m1")[0]
    assert runs(root.loop).stores == [12]
    assert root.packed.lanes == 4
    assert root.packed.share == 1.0
    assert root.packed.ratio == pytest.approx(0.25)


def test_what_may_overlap_is_not_packed() -> None:
    assert code(jammed("%i * 4 + {k}", ""), "apple-m1")[0].packed.share == 0.0


def test_lanes_from_everywhere_cost_more_than_neighbours() -> None:
    near, far = code(jammed("%i * 4 + {k}"), "znver4")[0], code(jammed("%i + {k} * 64"), "znver4")[0]
    assert far.packed.ratio > near.packed.ratio


def test_a_store_that_is_overwritten_unread_is_not_there() -> None:
    text = """func.func @f(%a: memref<6400xf32> A, %b: memref<6400xf32> A, %x: f32) {
      affine.for %i = 0 to 6400 {
        affine.store %x, %b[%i] : memref<6400xf32>
        %y = affine.load %a[%i] : memref<6400xf32>
        %z = arith.mulf %y, %y : f32
        affine.store %z, %b[%i] : memref<6400xf32> }
      return }"""
    unread = code(text.replace(" A", " {llvm.noalias}"), "znver4")[-1].loop
    read = code(text.replace(" A", ""), "znver4")[-1].loop
    assert sum(a.store for a in unread.accesses) == 1
    assert sum(a.store for a in read.accesses) == 2


def test_triangles_within_unrolled_loops_are_unrolled() -> None:
    text = """func.func @f(%a: memref<4x4xf64> {llvm.noalias}) {
      affine.for %i = 0 to 4 { affine.for %j = 0 to affine_map<(d) -> (d)>(%i) {
        %x = affine.load %a[%i, %j] : memref<4x4xf64>
        %y = arith.mulf %x, %x : f64
        affine.store %y, %a[%i, %j] : memref<4x4xf64> } }
      return }"""
    assert len(code(text, "znver4")) == 1
    assert len(code(text.replace("0 to 4", "0 to 400"), "znver4")) == 3


def test_an_accumulator_is_stored_by_the_loop_around() -> None:
    text = """func.func @f(%a: memref<900x800xf32> {llvm.noalias}, %c: memref<900xf32> {llvm.noalias}) {
      affine.for %i = 0 to 900 { affine.for %j = 0 to 800 {
        %x = affine.load %a[%i, %j] : memref<900x800xf32>
        %s = affine.load %c[%i] : memref<900xf32>
        %y = arith.addf %s, %x : f32
        affine.store %y, %c[%i] : memref<900xf32> } }
      return }"""
    _, outer, inner = code(text, "apple-m1")
    assert [a.store for a in inner.loop.accesses] == [False]
    assert [a.store for a in outer.loop.accesses] == [False, True]


def test_a_value_that_is_used_twice_is_a_recurrence_and_no_sum() -> None:
    text = """func.func @f(%x: i64) -> i64 {
      %c = arith.constant 13 : i64
      %r = affine.for %i = 0 to 400 iter_args(%s = %x) -> i64 {
        %a = arith.shli %s, %c : i64
        %b = arith.xori %s, %a : i64
        affine.yield %b : i64 }
      return %r : i64 }"""
    assert code(text, "znver4")[-1].vf == 1
    assert code(text.replace("%s, %a", "%s, %c"), "znver4")[-1].vf > 1


def test_rotations_are_one_instruction_and_calls_cost_an_in_order_core() -> None:
    text = """func.func @f(%x: i32) -> i32 {
      %c5 = arith.constant 5 : i32
      %c27 = arith.constant 27 : i32
      %a = arith.shli %x, %c5 : i32
      %b = arith.shrui %x, %c27 : i32
      %c = arith.ori %a, %b : i32
      return %c : i32 }"""
    other = text.replace("constant 27", "constant 26")
    assert code(text, "znver4")[0].instructions == code(other, "znver4")[0].instructions - 3
    call = "func.func @f(%x: f32) -> f32 { %y = math.exp %x : f32 return %y : f32 }"
    assert code(call, "cortex-a55")[0].cycles >= 100  # as llvm-mca says
    assert code(call, "znver4")[0].cycles < 20


@pytest.mark.parametrize(
    ("bits", "value", "isa", "instructions"),
    [(64, 0x1234_5678_9ABC_DEF0, "aarch64", 4), (64, 0x00FF_00FF_00FF_00FF, "aarch64", 0),
     (64, 0x1234_5678_9ABC_DEF0, "x86", 1), (32, 0x1234_5678, "x86", 0), (32, 0x1234_5678, "riscv", 2)],
)  # fmt: skip
def test_large_constants_take_instructions(bits: int, value: int, isa: str, instructions: int) -> None:
    assert cost(isa, frozenset({(bits, value)})) == instructions


def test_sizes_are_those_of_the_instruction_set() -> None:
    text = """func.func @f(%a: memref<900x58xf32> {llvm.noalias}, %b: memref<900x58xf32> {llvm.noalias}) {
      affine.for %i = 0 to 900 { affine.for %j = 0 to 58 {
        %x = affine.load %a[%i, %j] : memref<900x58xf32>
        affine.store %x, %b[%i, %j] : memref<900x58xf32>
        %y = arith.maximumf %x, %x : f32
        affine.store %y, %a[%i, %j] : memref<900x58xf32> } }
      return }"""
    program = FEATURIZER.parse({"mlir": text})
    wide, narrow = (program.loops_on(isa)[0].walk()[1:] for isa in ("x86", "aarch64"))
    assert len(wide) == 2  # stores to computed addresses and maxima count twice
    assert len(narrow) == 1


def body(text: str, name: str = "znver4") -> LoopCode:
    return code(text, name)[0]


def test_loads_after_stores_that_may_be_of_the_same_place_wait_in_order() -> None:
    text = """func.func @f(%a: memref<16xf32> A, %b: memref<16xf32> A) {
      affine.for %i = 0 to 16 {
        %x = affine.load %a[%i] : memref<16xf32>
        %y = arith.mulf %x, %x : f32
        affine.store %y, %b[%i] : memref<16xf32> }
      return }"""
    may_be, apart = text.replace(" A", ""), text.replace(" A", " {llvm.noalias}")
    assert segments(body(may_be).loop) == 16
    assert segments(body(apart).loop) == 1
    assert body(may_be, "cortex-a55").cycles > 3 * body(apart, "cortex-a55").cycles  # llvm-mca: 113 and 25


@pytest.mark.parametrize(("name", "cycles"), [("sifive-p670", 8), ("cortex-a55", 16), ("apple-m1", 16)])
def test_a_chain_takes_the_latencies_of_the_core(name: str, cycles: int) -> None:
    text = """func.func @f(%x: f32, %y: f32) -> f32 {
      %a = arith.addf %x, %y : f32
      %b = arith.addf %a, %y : f32
      %c = arith.addf %b, %y : f32
      %d = arith.addf %c, %y : f32
      return %d : f32 }"""
    assert body(text, name).cycles == pytest.approx(cycles, abs=0.05)  # as llvm-mca repeats it


def test_the_larger_of_two_words_is_compared_and_chosen_or_their_signs_are_made_known() -> None:
    text = "func.func @f(%x: i32, %y: i32) -> i32 { %z = arith.maxsi %x, %y : i32 return %z : i32 }"
    other = text.replace("maxsi", "andi")
    names = ("znver4", "apple-m1", "sifive-p670")
    assert [body(text, name).instructions - body(other, name).instructions for name in names] == [1, 1, 2]


def written_into(*steps: tuple[str, str, str]) -> str:
    """Sums, each of a result, two inputs, and the empty tensor that it is written into."""
    lines = [
        f"""%{result} = linalg.generic {{indexing_maps = [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>,
          affine_map<(d) -> (d)>], iterator_types = ["parallel"]}} ins({inputs} : tensor<640xf32>, tensor<640xf32>)
          outs(%{empty} : tensor<640xf32>) {{
        ^bb0(%in: f32, %other: f32, %out: f32):
          %s = arith.addf %in, %other : f32
          linalg.yield %s : f32 }} -> tensor<640xf32>"""
        for result, inputs, empty in steps
    ]
    empties = [f"%{name} = tensor.empty() : tensor<640xf32>" for name in sorted({empty for _, _, empty in steps})]
    return f"""func.func @f(%x: tensor<640xf32>) -> tensor<640xf32> {{
      {" ".join(empties)}
      {" ".join(lines)}
      return %{steps[-1][0]} : tensor<640xf32> }}"""


def buffers_of(text: str) -> tuple[float, int]:
    """Calls for buffers, and how many there are with the argument."""
    root = FEATURIZER.parse({"mlir": text}).loops[0]
    return root.counts[opclass.CALL], len({access.base for loop in root.walk() for access in loop.accesses})


def test_empty_tensors_are_a_buffer_each() -> None:
    """Malloc and free of the first; the second is the caller's."""
    assert buffers_of(written_into(("a", "%x, %x", "e"), ("b", "%a, %a", "f"))) == (2, 3)


def test_what_is_written_into_one_empty_tensor_element_by_element_stays_in_its_buffer() -> None:
    assert buffers_of(written_into(("a", "%x, %x", "e"), ("b", "%a, %x", "e"))) == (0, 2)


def test_what_is_read_again_later_has_a_buffer_of_its_own() -> None:
    assert buffers_of(written_into(("a", "%x, %x", "e"), ("b", "%a, %x", "e"), ("c", "%a, %b", "e"))) == (2, 3)


def test_a_buffer_that_nobody_reads_any_more_is_not_made() -> None:
    text = """func.func @f(%a: memref<4xf32>, %b: memref<4xf32>) {
      %t = memref.alloc() : memref<4xf32>
      affine.for %i = 0 to 4 { %x = affine.load %a[%i] : memref<4xf32>
        %y = arith.addf %x, %x : f32 affine.store %y, %t[%i] : memref<4xf32> }
      affine.for %i = 0 to 4 { %x = affine.load %t[%i] : memref<4xf32>
        %y = arith.mulf %x, %x : f32 affine.store %y, %b[%i] : memref<4xf32> }
      return }"""
    root = FEATURIZER.parse({"mlir": text}).loops[0]
    assert root.counts[opclass.CALL] == 0
    assert sum(access.store for access in root.accesses) == 4
    long = text.replace("0 to 4", "0 to 400").replace("<4xf32>", "<400xf32>")
    assert FEATURIZER.parse({"mlir": long}).loops[0].counts[opclass.CALL] == 2, "malloc and free"


def test_calls_of_the_maths_library_are_packed_only_for_what_is_around_them() -> None:
    around = "%p = arith.mulf %x, %x : f32 %q = arith.addf %p, %x : f32 %r = arith.divf %q, %p : f32"
    text = """func.func @f(%a: memref<8xf32> {llvm.noalias}, %b: memref<8xf32> {llvm.noalias}) {
      affine.for %i = 0 to 8 { %x = affine.load %a[%i] : memref<8xf32>
        AROUND
        %y = math.exp %r : f32 affine.store %y, %b[%i] : memref<8xf32> }
      return }"""
    assert body(text.replace("AROUND", around)).packed.share > 0
    assert body(text.replace("AROUND", "").replace("%r", "%x")).packed.share == 0


@pytest.mark.parametrize(("name", "instructions"), [("znver4", 1), ("apple-m1", 4), ("sifive-p670", 1)])
def test_vectors_of_the_source_take_the_registers_of_the_cpu(name: str, instructions: int) -> None:
    text = "func.func @f(%x: vector<16xf32>) -> vector<16xf32> { %y = arith.addf %x, %x : vector<16xf32> OTHER }"
    one = body(text.replace("OTHER", "return %y : vector<16xf32>"), name)
    two = body(text.replace("OTHER", "%z = arith.addf %y, %x : vector<16xf32> return %z : vector<16xf32>"), name)
    added = two.instructions - one.instructions
    assert added == pytest.approx(instructions * (1.5 if name == "sifive-p670" else 1.0))


def test_sums_of_a_vector_are_one_lane_after_the_other_but_those_of_whole_numbers() -> None:
    text = "func.func @f(%x: vector<16xT>) -> T { %y = vector.reduction <add>, %x : vector<16xT> into T return %y : T }"
    floats, ints = (body(text.replace("T", kind), "apple-m1") for kind in ("f32", "i32"))
    assert floats.instructions > 28, "16 additions, 12 lanes that are taken out of a register"
    assert ints.instructions <= 7


@pytest.mark.parametrize(("isa", "size"), [("x86", 8), ("aarch64", 13), ("riscv", 8)])
def test_a_vector_operation_is_one_to_code_size_whatever_its_length(isa: str, size: int) -> None:
    text = """func.func @f(%a: memref<1600xf32>) {
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to 1600 step 16 {
        %x = vector.transfer_read %a[%i], %z {in_bounds = [true]} : memref<1600xf32>, vector<16xf32>
        %y = arith.addf %x, %x : vector<16xf32>
        %w = arith.mulf %y, %x : vector<16xf32>
        vector.transfer_write %w, %a[%i] {in_bounds = [true]} : vector<16xf32>, memref<1600xf32> }
      return }"""
    inner = FEATURIZER.parse({"mlir": text}).loops_on(isa)[0].walk()[-1]
    assert inner.size == size  # AArch64: four for each access, as its cost model says


def test_loops_over_vectors_of_the_source_are_unrolled_unless_these_go_through_the_stack() -> None:
    text = """func.func @f(%a: memref<64x4x4xf32> {llvm.noalias}, %b: memref<64x4x4xf32> {llvm.noalias}) {
      %z = arith.constant 0.0 : f32
      %c = arith.constant 0 : index
      affine.for %i = 0 to 64 {
        %x = vector.transfer_read %a[%i, %c, %c], %z {in_bounds = [BOUNDS]} : memref<64x4x4xf32>, vector<SHAPExf32>
        %y = arith.addf %x, %x : vector<SHAPExf32>
        vector.transfer_write %y, %b[%i, %c, %c] {in_bounds = [BOUNDS]} : vector<SHAPExf32>, memref<64x4x4xf32> }
      return }"""
    row = text.replace("SHAPE", "4").replace("BOUNDS", "true")
    rows = text.replace("SHAPE", "4x4").replace("BOUNDS", "true, true")
    for name in ("cortex-a55", "sifive-p670", "znver4"):
        assert code(row, name)[-1].unroll > 1
        assert code(rows, name)[-1].unroll == 1  # opt-22: the buffers of both transfers are made anew each time


def test_accesses_of_one_register_next_to_each_other_are_pairs_on_aarch64() -> None:
    text = """func.func @f(%a: memref<8x4xi32> {llvm.noalias}, %b: memref<8xi32> {llvm.noalias}) {
      %z = arith.constant 0 : i32
      %c = arith.constant 0 : index
      affine.for %i = 0 to 8 {
        %x = vector.transfer_read %a[%i, %c], %z {in_bounds = [true]} : memref<8x4xi32>, vector<4xi32>
        %y = vector.reduction <add>, %x : vector<4xi32> into i32
        affine.store %y, %b[%i] : memref<8xi32> }
      return }"""
    found = work(body(text, "neoverse-v1").loop, cpu("neoverse-v1"))
    assert found.loads == 8
    assert found.instructions == 4 + 8  # as llc-22 writes it: four ldp, eight addv


@pytest.mark.parametrize(
    ("body", "instructions"),
    [("return", 1), ("%b = arith.addf %a, %a : f32\n  return %b : f32", 2)],
)
def test_a_function_is_no_loop_and_may_be_empty(body: str, instructions: int) -> None:
    result = " -> f32" if "addf" in body else ""
    program = FEATURIZER.parse({"mlir": f"func.func @f(%a: f32){result} {{\n  {body}\n}}"})
    for name in ("znver4", "cortex-a55"):
        assert FEATURIZER.features([program], profile=name).column("est_instructions")[0] == instructions


def test_pairs_of_accesses_are_no_more_than_half_of_what_is_left_of_them() -> None:
    text = """func.func @f(%a: memref<135x135xf64> {llvm.noalias}, %b: memref<135xf64> {llvm.noalias},
                           %x: memref<135xf64> {llvm.noalias}) {
      affine.for %t = 0 to 135 step 32 {
        affine.for %i = affine_map<(d) -> (d)>(%t) to min affine_map<(d) -> (d + 32, 135)>(%t) {
          %0 = affine.load %b[%i] : memref<135xf64>
          %1 = affine.for %j = 0 to affine_map<(d) -> (d)>(%i) iter_args(%s = %0) -> (f64) {
            %4 = affine.load %a[%i, %j] : memref<135x135xf64>
            %5 = affine.load %x[%j] : memref<135xf64>
            %6 = arith.mulf %4, %5 : f64
            %7 = arith.subf %s, %6 : f64
            affine.yield %7 : f64
          }
          %2 = affine.load %a[%i, %i] : memref<135x135xf64>
          %3 = arith.divf %1, %2 : f64
          affine.store %3, %x[%i] : memref<135xf64>
        }
      }
      return }"""
    codes = generate(FEATURIZER.parse({"mlir": text}).loops_on("aarch64")[0], cpu("neoverse-v1"))
    assert all(code.instructions >= 0 for code in codes)


def test_a_product_with_two_is_a_sum_which_needs_what_is_loaded_in_a_register() -> None:
    text = """func.func @f(%a: memref<64xf64>) {{
      %c = arith.constant {} : f64
      affine.for %i = 1 to 63 {{
        %x = affine.load %a[%i - 1] : memref<64xf64>
        %y = affine.load %a[%i] : memref<64xf64>
        %z = affine.load %a[%i + 1] : memref<64xf64>
        %p = arith.mulf %y, %c : f64
        %q = arith.mulf %z, %c : f64
        %s = arith.addf %x, %p : f64
        %t = arith.addf %s, %q : f64
        affine.store %t, %a[%i] : memref<64xf64> }}
      return }}"""
    found = [
        FEATURIZER.parse({"mlir": text.format(factor)}).loops_on("x86")[0].children[0].of_loaded
        for factor in ("3.0", "2.0")
    ]
    assert found == [3.0, 1.0]
