"""What is around vector loops that carry a value, as LLVM 22 has it."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.columns import COLUMNS, row

FEATURIZER = MlirFeaturizer()
INSTRUCTIONS = [column.name for column in COLUMNS].index("est_instructions")


def reduced(step: str, kind: str) -> str:
    start = "0.0" if kind.startswith("f") else "0" if step == "addi" else "3"
    return f"""func.func @f(%a: memref<4000x{kind}>, %b: memref<1x{kind}>) {{
      %z = arith.constant {start} : {kind}
      %c = arith.constant 0 : index
      %r = affine.for %i = 0 to 4000 iter_args(%t = %z) -> ({kind}) {{
        %x = affine.load %a[%i] : memref<4000x{kind}>
        %s = arith.{step} %t, %x : {kind}
        affine.yield %s : {kind} }}
      memref.store %r, %b[%c] : memref<1x{kind}>
      return }}"""


@pytest.mark.parametrize(
    ("step", "kind", "name", "labelled"),
    [
        ("maximumf", "f32", "skylake-avx512", 125), ("maximumf", "f64", "skylake-avx512", 103),
        ("addi", "i32", "skylake-avx512", 40), ("maxsi", "i32", "apple-m1", 20), ("xori", "i32", "apple-m1", 24),
        ("muli", "i32", "cortex-a55", 19), ("addi", "i64", "cortex-a55", 14), ("addi", "i16", "sifive-p670", 19),
        ("maxsi", "i16", "sifive-p670", 17), ("maximumf", "f32", "sifive-p670", 23),
    ],
)  # fmt: skip
def test_partial_results_begin_before_a_loop_and_are_one_behind_it(
    step: str, kind: str, name: str, labelled: int
) -> None:
    program = FEATURIZER.parse({"mlir": reduced(step, kind)})
    assert row(program, cpu(name))[INSTRUCTIONS] == pytest.approx(labelled, rel=0.2)


def test_upper_parts_of_registers_are_cleared_before_x86_returns() -> None:
    """``vzeroupper`` behind vectors of 256 bits, not behind those of 128."""
    text = """func.func @f(%a: memref<LENGTHxf32>, %x: f32) {
      affine.for %i = 0 to LENGTH { affine.store %x, %a[%i] : memref<LENGTHxf32> }
      return }"""
    four, eight = (
        row(FEATURIZER.parse({"mlir": text.replace("LENGTH", length)}), cpu("skylake-avx512"))[INSTRUCTIONS]
        for length in ("4", "8")
    )
    assert eight == four + 1


def estimated(text: str, name: str) -> float:
    return float(row(FEATURIZER.parse({"mlir": text}), cpu(name))[INSTRUCTIONS])


def product(buffers: int, rows: int) -> str:
    """A nest that multiplies so many buffers, element by element."""
    kind = f"memref<{rows}x4000xf32>"
    arguments = ", ".join(f"%a{k}: {kind} {{llvm.noalias}}" for k in range(buffers + 1))
    loads = "\n".join(f"%x{k} = affine.load %a{k}[%j, %i] : {kind}" for k in range(buffers))
    steps = "\n".join(f"%y{k} = arith.mulf {'%f' if not k else f'%y{k - 1}'}, %x{k} : f32" for k in range(buffers))
    return f"""func.func @f({arguments}, %f: f32) {{
      affine.for %j = 0 to {rows} {{ affine.for %i = 0 to 4000 {{
        {loads}
        {steps}
        affine.store %y{buffers - 1}, %a{buffers}[%j, %i] : {kind} }} }}
      return }}"""


@pytest.mark.parametrize(("name", "labels"), [("apple-m1", (23, 32, 41, 50)), ("neoverse-v1", (44, 53, 32, 35))])
def test_a_loop_around_others_goes_on_with_their_pointers(name: str, labels: tuple[int, ...]) -> None:
    found = [estimated(product(buffers, 32), name) for buffers in (1, 2, 3, 4)]
    assert found == [pytest.approx(label, rel=0.1) for label in labels]


def test_loads_of_floats_are_operands_of_vectors_on_x86() -> None:
    """``vmulps (%rdi,%rax,4), %ymm0, %ymm1``: of two loads one, and a store."""
    assert estimated(product(1, 1), "skylake-avx512") == pytest.approx(24, rel=0.15)
    assert estimated(product(2, 1), "skylake-avx512") == pytest.approx(40, rel=0.15)


@pytest.mark.parametrize(("length", "kind", "labelled"), [(4000, "f32", 33), (1001, "f32", 44), (4000, "f64", 33)])
def test_what_sve_leaves_is_a_plain_loop_behind_a_narrower_one(length: int, kind: str, labelled: int) -> None:
    """The narrower one is there for lengths that leave enough of vectors of 256 bits, two at a time: 1001, not 4000."""
    of = f"memref<{length}x{kind}>"
    text = f"""func.func @f(%a: {of}, %b: {of} {{llvm.noalias}}) {{
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : {of}
        %y = arith.addf %x, %x : {kind}
        affine.store %y, %b[%i] : {of} }}
      return }}"""
    assert estimated(text, "neoverse-v1") == pytest.approx(labelled, rel=0.1)


@pytest.mark.parametrize(("kind", "labelled"), [("f32", 37), ("f64", 21)])
def test_neon_takes_lanes_out_to_add_them_in_order(kind: str, labelled: int) -> None:
    assert estimated(reduced("addf", kind), "apple-m1") == pytest.approx(labelled, rel=0.1)


@pytest.mark.parametrize(("kind", "labelled"), [("i16", 37), ("i32", 31)])
def test_bytes_and_halves_have_no_pairs(kind: str, labelled: int) -> None:
    """Twelve elements that are looked up: ``stp w8, w9, [x2]``, but ``strh w8, [x2]`` and ``strh w9, [x2, #2]``."""
    text = f"""func.func @f(%t: memref<256x{kind}> {{llvm.noalias}}, %a: memref<12xi8> {{llvm.noalias}},
                            %b: memref<12x{kind}> {{llvm.noalias}}) {{
      affine.for %i = 0 to 12 {{
        %x = affine.load %a[%i] : memref<12xi8>
        %p = arith.index_castui %x : i8 to index
        %y = memref.load %t[%p] : memref<256x{kind}>
        affine.store %y, %b[%i] : memref<12x{kind}> }}
      return }}"""
    assert estimated(text, "apple-m1") == pytest.approx(labelled, rel=0.1)


def test_loads_that_extend_are_instructions_of_their_own() -> None:
    """``movswl``, twice, ``imull``, ``shrl`` and ``movw`` for each of 22 products; no load is an operand."""
    text = """func.func @f(%a: memref<12x22xi16>, %b: memref<12x22xi16>, %c: memref<12x22xi16>) {
      %s = arith.constant 11 : i32
      affine.for %j = 0 to 12 { affine.for %i = 0 to 22 {
        %x = affine.load %a[%j, %i] : memref<12x22xi16>
        %y = affine.load %b[%j, %i] : memref<12x22xi16>
        %u = arith.extsi %x : i16 to i32
        %v = arith.extsi %y : i16 to i32
        %p = arith.muli %u, %v : i32
        %q = arith.shrsi %p, %s : i32
        %r = arith.trunci %q : i32 to i16
        affine.store %r, %c[%j, %i] : memref<12x22xi16> } }
      return }"""
    assert estimated(text, "skylake-avx512") == pytest.approx(115, rel=0.1)


@pytest.mark.parametrize(("name", "labels"), [("apple-m1", (18, 27, 22)), ("skylake-avx512", (56, 111, 62))])
def test_rounded_indices_are_found_in_the_loop_in_which_they_vary(name: str, labels: tuple[int, ...]) -> None:
    """A remainder takes as much more as the code has of it, within half of that."""
    text = """func.func @f(%a: memref<600xf32>, %b: memref<100x200xf32>, %n: index) {
      %z = arith.constant 0.0 : f32
      affine.for %j = 0 to %n {
        %r = affine.for %i = 0 to %n iter_args(%s = %z) -> (f32) {
          %x = affine.load %a[INDEX] : memref<600xf32>
          %q = arith.divf %s, %x : f32
          %y = arith.addf %q, %x : f32
          affine.yield %y : f32 }
        affine.store %r, %b[%j, 0] : memref<100x200xf32> }
      return }"""
    plain, rest, quotient = (
        row(FEATURIZER.parse({"mlir": text.replace("INDEX", index), "dims": {"*": 32}}), cpu(name))[INSTRUCTIONS]
        for index in ("%i", "%i mod 5", "%i floordiv 3")
    )
    assert plain < quotient < rest
    assert rest - plain == pytest.approx(labels[1] - labels[0], rel=0.6)


def test_rounded_indices_of_loops_that_are_unrolled_completely_are_numbers() -> None:
    text = """func.func @f(%a: memref<8xi32>, %b: memref<8xi32> {llvm.noalias}) {
      affine.for %i = 0 to 8 {
        %x = affine.load %a[INDEX] : memref<8xi32>
        affine.store %x, %b[%i mod 8] : memref<8xi32> }
      return }"""
    assert estimated(text.replace("INDEX", "%i mod 5"), "znver4") == estimated(
        text.replace("INDEX", "%i mod 3"), "znver4"
    )


def test_sve_begins_with_a_mask_and_has_an_index_for_each_row() -> None:
    """Products of four rows of 52, under masks: ``whilelo`` and what it takes, rows by index, columns in all lanes."""
    text = """func.func @f(%a: memref<4x19xf32> {llvm.noalias}, %b: memref<4x52xf32> {llvm.noalias},
                            %c: memref<19x52xf32> {llvm.noalias}) {
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to 19 { affine.for %j = 0 to 52 {
        %r = affine.for %k = 0 to 4 iter_args(%s = %z) -> (f32) {
          %x = affine.load %a[%k, %i] : memref<4x19xf32>
          %y = affine.load %b[%k, %j] : memref<4x52xf32>
          %p = arith.mulf %x, %y : f32
          %t = arith.addf %s, %p : f32
          affine.yield %t : f32 }
        %x = affine.load %c[%i, %j] : memref<19x52xf32>
        %y = arith.addf %r, %x : f32
        affine.store %y, %c[%i, %j] : memref<19x52xf32> } }
      return }"""
    assert estimated(text, "neoverse-v1") == pytest.approx(49, rel=0.1)


@pytest.mark.parametrize(
    ("steps", "labelled"),
    [
        ("%r = arith.maximumf %x, %c : f32", 3), ("%r = arith.minimumf %x, %z : f32", 3),
        ("%s = arith.maximumf %x, %d : f32 %r = arith.minimumf %s, %c : f32", 5), ("%r = arith.mulf %x, %c : f32", 2),
    ],
)  # fmt: skip
def test_x86_loads_what_a_maximum_that_propagates_nan_is_of(steps: str, labelled: int) -> None:
    """``vmaxss %xmm0, %xmm1, %xmm0`` gives its second operand where that is NaN: the constant is the first one, which
    is none in memory, as that of a product is."""
    text = f"""func.func @f(%x: f32) -> f32 {{
      %z = arith.constant 0.0 : f32
      %c = arith.constant 6.5 : f32
      %d = arith.constant -3.5 : f32
      {steps}
      return %r : f32 }}"""
    assert [estimated(text, name) for name in ("skylake-avx512", "znver4")] == [labelled, labelled]
