"""Sizes that full unrolling compares with its threshold, each as opt-22 had it (`print<cost-model>` of code size on the
module before `LoopFullUnrollPass`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu

FEATURIZER = MlirFeaturizer()


def sizes(text: str, name: str) -> dict[float, float]:
    """Trip count of each loop that is unrolled completely, and the size of its body."""
    root = FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0]
    return {trip: (grown - 2) / trip + 2 for loop in root.walk() for grown, trip in loop.decided}


def copies(buffers: int, width: int) -> str:
    """Sums of neighbours or rows, four iterations of a loop of seven written out."""
    lines = []
    for k in range(4):
        lines.append(f"%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)")
        for b in range(buffers):
            lines.append(f"%x{k}{b} = affine.load %a{b}[%i{k}, %j] : memref<28x{width}xf32>")
            before = f"%s{k}{b - 1}" if b else f"%s{k - 1}{buffers - 1}" if k else "%s"
            lines.append(f"%s{k}{b} = arith.addf {before}, %x{k}{b} : f32")
    arguments = ", ".join(f"%a{b}: memref<28x{width}xf32> {{llvm.noalias}}" for b in range(buffers))
    return f"""func.func @f({arguments}, %c: memref<{width}xf32> {{llvm.noalias}}, %z: f32) {{
      affine.for %j = 0 to {width} {{
        %r = affine.for %i = 0 to 28 step 4 iter_args(%s = %z) -> (f32) {{
          {" ".join(lines)}
          affine.yield %s3{buffers - 1} : f32 }}
        affine.store %r, %c[%j] : memref<{width}xf32> }}
      return }}"""


@pytest.mark.parametrize("name", ["znver4", "apple-m1"])
def test_an_iteration_written_out_is_a_part_of_its_one_address_and_operations_of_two(name: str) -> None:
    assert sizes(copies(1, 64), name)[7] == 12
    assert sizes(copies(2, 64), name)[7] == 27
    assert sizes(copies(2, 48), name)[7] == 25


PRODUCT = """func.func @f(
    %a: memref<8x4x3x5xi32> NOALIAS, %b: memref<8x4x3x4xi32> NOALIAS, %c: memref<8x4x5x4xi32> NOALIAS) {
  affine.for %h = 0 to 8 { affine.for %g = 0 to 4 { affine.for %i = 0 to 5 { affine.for %j = 0 to 4 {
    affine.for %k = 0 to 3 {
      %x = affine.load %a[%h, %g, %k, %i] : memref<8x4x3x5xi32>
      %y = affine.load %b[%h, %g, %k, %j] : memref<8x4x3x4xi32>
      %p = arith.muli %x, %y : i32
      %z = affine.load %c[%h, %g, %i, %j] : memref<8x4x5x4xi32>
      %s = arith.addi %z, %p : i32
      affine.store %s, %c[%h, %g, %i, %j] : memref<8x4x5x4xi32> } } } } }
  return }""".replace("NOALIAS", "{llvm.noalias}")


@pytest.mark.parametrize(("name", "inner", "middle", "outer"), [("znver4", 9, 19, 66), ("apple-m1", 9, 18, 65)])
def test_sizes_of_nests_count_what_varies_with_each_loop_and_stores_to_computed_addresses(
    name: str, inner: int, middle: int, outer: int
) -> None:
    """66 times 5 is beyond 300, but one in 66 is a product that becomes a constant (`analyzeLoopUnrollCost`)."""
    assert sizes(PRODUCT, name) == {3: inner, 4: middle, 5: outer}


def test_an_accumulator_in_memory_that_is_written_out_is_stored_once() -> None:
    lines = []
    for k in range(8):
        lines.append(f"%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)")
        lines.append(f"%c{k} = affine.load %c[%j] : memref<24xf32>")
        lines.append(f"%x{k} = affine.load %a[%i{k}, %j] : memref<128x24xf32>")
        lines.append(f"%p{k} = arith.mulf %c{k}, %x{k} : f32")
        lines.append(f"affine.store %p{k}, %c[%j] : memref<24xf32>")
    body = " ".join(lines)
    text = f"""func.func @f(%c: memref<24xf32> {{llvm.noalias}}, %a: memref<128x24xf32> {{llvm.noalias}}) {{
      affine.for %j = 0 to 24 {{ affine.for %i = 0 to 128 step 8 {{ {body} }} }} return }}"""
    assert sizes(text, "znver4") == {16: 20}


def rows_of_vectors(body: str, lanes: int, trip: int) -> str:
    """A loop over vectors of `x` and `y`, whose `body` gives %r."""
    size, kind = lanes * trip, f"vector<{lanes}xf32>"
    return f"""func.func @f(%x: memref<{size}xf32> {{llvm.noalias}}, %y: memref<{size}xf32> {{llvm.noalias}}) {{
      %p = arith.constant 0.0 : f32
      affine.for %i = 0 to {size} step {lanes} {{
        %a = vector.transfer_read %x[%i], %p {{in_bounds = [true]}} : memref<{size}xf32>, {kind}
        %b = vector.transfer_read %y[%i], %p {{in_bounds = [true]}} : memref<{size}xf32>, {kind}
        %r = {body} : {kind}
        vector.transfer_write %r, %y[%i] {{in_bounds = [true]}} : {kind}, memref<{size}xf32> }}
      return }}"""


@pytest.mark.parametrize(
    ("name", "body", "lanes", "size"),
    [("apple-m1", "vector.fma %a, %b, %b", 8, 11), ("apple-m1", "vector.fma %a, %b, %b", 4, 8),
     ("apple-m1", "math.absf %a", 8, 13), ("apple-m1", "math.absf %a", 4, 8),
     ("skylake-avx512", "vector.fma %a, %b, %b", 32, 11), ("skylake-avx512", "vector.fma %a, %b, %b", 16, 8)],
)  # fmt: skip
def test_registers_of_an_intrinsic_and_addresses_of_vectors(name: str, body: str, lanes: int, size: float) -> None:
    assert sizes(rows_of_vectors(body, lanes, 4), name)[4] == size


def test_a_lane_of_a_longer_vector_is_shared_for_nothing_on_aarch64() -> None:
    text = """func.func @f(%a: memref<6x4xf32> {llvm.noalias}, %b: memref<6xLxf32> {llvm.noalias},
                         %o: memref<4xLxf32> {llvm.noalias}) {
      %c = arith.constant 0 : index %p = arith.constant 0.0 : f32
      %z = arith.constant dense<0.0> : vector<4xLxf32>
      %s = affine.for %i = 0 to 6 iter_args(%t = %z) -> (vector<4xLxf32>) {
        %x = vector.transfer_read %a[%i, %c], %p {in_bounds = [true]} : memref<6x4xf32>, vector<4xf32>
        %y = vector.transfer_read %b[%i, %c], %p {in_bounds = [true]} : memref<6xLxf32>, vector<Lxf32>
        %u = vector.outerproduct %x, %y, %t {kind = #vector.kind<add>} : vector<4xf32>, vector<Lxf32>
        affine.yield %u : vector<4xLxf32> }
      vector.transfer_write %s, %o[%c, %c] {in_bounds = [true, true]} : vector<4xLxf32>, memref<4xLxf32>
      return }"""
    equal, longer = (sizes(text.replace("L", str(lanes)), "neoverse-v1")[6] for lanes in (4, 8))
    assert equal - longer == 2  # four shares; one more register of %y and product of the index


def test_copies_of_a_store_inside_a_loop_of_one_iteration_are_so_far_from_the_first() -> None:
    text = """func.func @f(%a: memref<4x7xi8>, %b: memref<10x7xi8>, %c: memref<4x10xi8>) {
      affine.for %h = 0 to 7 {
        affine.for %i = 0 to 10 {
          affine.for %j = 0 to 4 {
            affine.for %k = affine_map<(d0) -> (d0)>(%h) to affine_map<(d0) -> (d0 + 1)>(%h) {
              %x = affine.load %a[%j, %k] : memref<4x7xi8>
              %y = affine.load %b[%i, %k] : memref<10x7xi8>
              %p = arith.muli %x, %y : i8
              %z = affine.load %c[%j, %i] : memref<4x10xi8>
              %s = arith.addi %z, %p : i8
              affine.store %s, %c[%j, %i] : memref<4x10xi8> } } } }
      return }"""
    found = [loop.raw for loop in FEATURIZER.parse({"mlir": text}).loops[0].walk() if loop.trip == 10]
    assert found == [38.0]  # of four stores, one is to a computed address


STRIDED = """func.func @f(%a: memref<192xi64> {llvm.noalias}, %b: memref<64xi64> {llvm.noalias}) {
  affine.for %i = 0 to 64 step 2 {
    %j = affine.apply affine_map<(d) -> (d + 1)>(%i)
    %x = affine.load %a[%i * 3] : memref<192xi64>
    %s = arith.muli %x, %x : i64
    affine.store %s, %b[%i] : memref<64xi64>
    %y = affine.load %a[%j * 3] : memref<192xi64>
    %t = arith.muli %y, %y : i64
    affine.store %t, %b[%j] : memref<64xi64> }
  return }"""


@pytest.mark.parametrize(("name", "size"), [("znver4", 11), ("apple-m1", 10)])
def test_a_product_in_a_subscript_is_another_index_than_what_stands_alone(name: str, size: int) -> None:
    """Of the second iteration, each buffer has an address that is the first one's and a constant."""
    assert sizes(STRIDED, name) == {32: size}


ONE = "affine.for %j = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i)"
ALONE = f"""func.func @f(%a: memref<64xf32>, %b: memref<64xf32>, %c: memref<64xf32>) {{
  affine.for %i = 0 to 20 {{
    {ONE} {{
      %x = affine.load %a[%j] : memref<64xf32>
      %y = affine.load %b[%j] : memref<64xf32>
      %z = arith.mulf %x, %y : f32
      %s = arith.addf %z, %y : f32
      affine.store %s, %c[%j] : memref<64xf32> }} }}
  return }}"""
AROUND = f"""func.func @f(%a: memref<64x999xf32>, %b: memref<999xf32>) {{
  affine.for %i = 0 to 20 {{
    {ONE} {{
      affine.for %k = 0 to 999 {{
        %x = affine.load %a[%j, %k] : memref<64x999xf32>
        %y = affine.load %b[%k] : memref<999xf32>
        %z = arith.mulf %x, %y : f32
        affine.store %z, %b[%k] : memref<999xf32> }} }} }}
  return }}"""
ROW = """func.func @f(%a: memref<64x999xf32>, %b: memref<999xf32>, %c: memref<64x999xf32>) {
  affine.for %i = 0 to 20 {
    %r = affine.load %c[%i, 3] : memref<64x999xf32>
    affine.for %k = 0 to 999 {
      %x = affine.load %a[%i, %k] : memref<64x999xf32>
      %y = affine.load %b[%k] : memref<999xf32>
      %z = arith.mulf %x, %y : f32
      affine.store %z, %b[%k] : memref<999xf32> }
    affine.store %r, %c[%i, 7] : memref<64x999xf32> }
  return }"""


@pytest.mark.parametrize(("text", "size"), [(ALONE, 11), (AROUND, 15), (ROW, 15)])
def test_a_loop_of_one_iteration_has_the_index_that_it_begins_with_and_rows_have_one_product(
    text: str, size: float
) -> None:
    assert sizes(text, "znver4")[20] == size


@pytest.mark.parametrize(("name", "size"), [("znver4", 21), ("neoverse-v1", 20)])
def test_tiles_have_their_own_index_and_all_conditions_of_a_loop_that_computes_its_end(name: str, size: float) -> None:
    text = """func.func @f(%a: memref<1536xf64> {llvm.noalias}, %b: memref<1536xf64> {llvm.noalias},
                           %c: memref<1536xi32> {llvm.noalias}) {
      %z = arith.constant 0.0 : f64
      %four = arith.constant 4.0 : f64
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %most = arith.constant 80 : i32
      affine.for %t = 0 to 1536 step 12 {
        affine.for %i = affine_map<(d) -> (d)>(%t) to affine_map<(d) -> (d + 12)>(%t) {
          %p = affine.load %a[%i] : memref<1536xf64>
          %q = affine.load %b[%i] : memref<1536xf64>
          %r:3 = scf.while (%x = %z, %y = %z, %n = %zero) : (f64, f64, i32) -> (f64, f64, i32) {
            %xx = arith.mulf %x, %x : f64
            %yy = arith.mulf %y, %y : f64
            %d = arith.addf %xx, %yy : f64
            %in = arith.cmpf olt, %d, %four : f64
            %left = arith.cmpi slt, %n, %most : i32
            %on = arith.andi %in, %left : i1
            scf.condition(%on) %x, %y, %n : f64, f64, i32
          } do {
          ^bb0(%x: f64, %y: f64, %n: i32):
            %xx = arith.mulf %x, %x : f64
            %yy = arith.mulf %y, %y : f64
            %e = arith.subf %xx, %yy : f64
            %xy = arith.mulf %x, %y : f64
            %u = arith.addf %e, %p : f64
            %g = arith.addf %xy, %xy : f64
            %v = arith.addf %g, %q : f64
            %m = arith.addi %n, %one : i32
            scf.yield %u, %v, %m : f64, f64, i32
          }
          affine.store %r#2, %c[%i] : memref<1536xi32>
        }
      }
      return }"""
    assert sizes(text, name)[12] == size


def test_products_stay_in_loops_of_one_iteration_until_these_are_gone() -> None:
    rows = """func.func @f(%a: memref<24x24xf32> {llvm.noalias}, %b: memref<24x24xf32> {llvm.noalias}) {
      affine.for %i = 0 to 23 {
        affine.for %j = 0 to 24 {
          affine.for %p = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {
            affine.for %q = affine_map<(d) -> (d)>(%j) to affine_map<(d) -> (d + 1)>(%j) {
              %x = affine.load %a[%p, %q] : memref<24x24xf32>
              %y = arith.addf %x, %x : f32
              affine.store %y, %b[%p, %q] : memref<24x24xf32> } } } }
      return }"""
    assert sizes(rows, "znver4")[24] == 13
    inside = """func.func @f(%a: memref<64x999xf32>, %b: memref<999xf32>) {
      affine.for %i = 0 to 15 {
        affine.for %h = 0 to 999 {
          affine.for %j = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 1)>(%i) {
            affine.for %g = affine_map<(d) -> (d)>(%h) to affine_map<(d) -> (d + 1)>(%h) {
              %x = affine.load %a[%j, %g] : memref<64x999xf32>
              %y = affine.load %b[%g] : memref<999xf32>
              %z = arith.mulf %x, %y : f32
              affine.store %z, %b[%g] : memref<999xf32> } } } }
      return }"""
    assert sizes(inside, "znver4")[15] == 21


@pytest.mark.parametrize(("copies", "size"), [(2, 19), (4, 31)])
def test_indices_of_jammed_iterations_stay_around_the_loop_that_they_are_in(copies: int, size: float) -> None:
    jammed = "\n".join(
        f"""%x{k} = affine.load %a[%j, %i + {k}] : memref<999x64xf32>
        %z{k} = arith.mulf %x{k}, %x{k} : f32
        affine.store %z{k}, %b[%j, %i + {k}] : memref<999x64xf32>"""
        for k in range(copies)
    )
    text = f"""func.func @f(%a: memref<999x64xf32> {{llvm.noalias}}, %b: memref<999x64xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to {9 * copies} step {copies} {{
        affine.for %j = 0 to 999 {{ {jammed} }} }}
      return }}"""
    assert sizes(text, "znver4")[9] == size


def test_products_of_loops_of_one_iteration_are_there_still_when_loops_inside_are_looked_at_once_more() -> None:
    """opt-22: "completely unrolled loop with 4 iterations", but none of the 19 inside."""
    tiles = [
        f"affine.for %t{of} = affine_map<(d) -> (d)>(%{of}) to affine_map<(d) -> (d + 1)>(%{of}) {{" for of in "hkji"
    ]
    text = f"""func.func @f(%a: memref<4x19x49xi32> {{llvm.noalias}}, %b: memref<4x4x49xi32> {{llvm.noalias}},
                            %c: memref<4x19x4xi32> {{llvm.noalias}}) {{
      affine.for %h = 0 to 4 {{ affine.for %k = 0 to 49 {{ affine.for %j = 0 to 4 {{ affine.for %i = 0 to 19 {{
        {" ".join(tiles)}
          %x = affine.load %a[%th, %ti, %tk] : memref<4x19x49xi32>
          %y = affine.load %b[%th, %tj, %tk] : memref<4x4x49xi32>
          %p = arith.muli %x, %y : i32
          %z = affine.load %c[%th, %ti, %tj] : memref<4x19x4xi32>
          %s = arith.addi %z, %p : i32
          affine.store %s, %c[%th, %ti, %tj] : memref<4x19x4xi32> }} }} }} }} }} }} }} }}
      return }}"""
    assert set(sizes(text, "sifive-p670")) == {1, 4}


def test_one_element_in_all_lanes_is_put_in_one_by_one() -> None:
    text = """func.func @f(%a: memref<6x96xf64>, %b: memref<96x16xf64>, %o: memref<6x16xf64>) {
      affine.for %i = 0 to 6 {
        %z = arith.constant dense<0.0> : vector<16xf64>
        %c = arith.constant 0 : index
        %p = arith.constant 0.0 : f64
        %r = affine.for %k = 0 to 96 iter_args(%s = %z) -> (vector<16xf64>) {
          %x = vector.transfer_read %a[%i, %k], %p
            {in_bounds = [true], permutation_map = affine_map<(d0, d1) -> (0)>} : memref<6x96xf64>, vector<16xf64>
          %y = vector.transfer_read %b[%k, %c], %p {in_bounds = [true]} : memref<96x16xf64>, vector<16xf64>
          %m = arith.mulf %x, %y : vector<16xf64>
          %t = arith.addf %s, %m : vector<16xf64>
          affine.yield %t : vector<16xf64>
        }
        vector.transfer_write %r, %o[%i, %c] {in_bounds = [true]} : vector<16xf64>, memref<6x16xf64>
      }
      return }"""
    assert sizes(text, "znver4")[6] == 40  # 22 for 16 lanes


def test_masks_that_do_not_vary_are_made_around_and_others_of_four_instructions() -> None:
    text = """func.func @f(%a: memref<32x12xi16>, %b: memref<12x164xi16>, %c: memref<32x164xi16>) {
      affine.for %i = 0 to 32 {
        affine.for %j = 0 to 164 step 8 {
          affine.for %k = 0 to 12 {
            %p = ub.poison : i16
            %x = vector.transfer_read %a[%i, %k], %p {permutation_map = affine_map<(d0, d1) -> (0)>}
              : memref<32x12xi16>, vector<8xi16>
            %y = vector.transfer_read %b[%k, %j], %p : memref<12x164xi16>, vector<8xi16>
            %m = arith.muli %x, %y : vector<8xi16>
            %z = vector.transfer_read %c[%i, %j], %p : memref<32x164xi16>, vector<8xi16>
            %s = arith.addi %z, %m : vector<8xi16>
            vector.transfer_write %s, %c[%i, %j] : vector<8xi16>, memref<32x164xi16>
          }
        }
      }
      return }"""
    assert 12 in sizes(text, "skylake-avx512")


@pytest.mark.parametrize(("shift", "size"), [(-1, 10), (0, 9), (1, 9)])
def test_a_constant_beside_the_index_that_rows_share_is_a_sum_unless_the_loop_goes_on_with_it(
    shift: int, size: float
) -> None:
    """Three rows have a pointer each."""
    rows = "\n".join(f"%x{k} = affine.load %a[%i + {k - 1}, %j + {shift}] : memref<9x99xi32>" for k in range(3))
    text = f"""func.func @f(%a: memref<9x99xi32> {{llvm.noalias}}, %b: memref<9x99xi32> {{llvm.noalias}}) {{
      affine.for %i = 1 to 8 {{ affine.for %j = 1 to 8 {{
        {rows}
        %s = arith.addi %x0, %x1 : i32
        %t = arith.addi %s, %x2 : i32
        affine.store %t, %b[%i, %j] : memref<9x99xi32> }} }}
      return }}"""
    assert sizes(text, "apple-m1")[7] == size + (shift == 0)  # the store's sum is also that of a load then


def test_indices_of_jammed_iterations_are_parts_of_addresses_in_bodies_that_have_one_product_of_them() -> None:
    """opt-22: two products, and "completely unrolled loop with 6 iterations"."""
    names = [f"%s{k}" for k in range(4)]
    loads = "\n".join(
        f"""%x{k} = affine.load %a[%i + {k}, %k] : memref<24x192xf64>
        %p{k} = arith.mulf %x{k}, %y : f64
        %t{k} = arith.addf %s{k}, %p{k} : f64"""
        for k in range(4)
    )
    carried = ", ".join(f"{name} = %z" for name in names)
    stores = "\n".join(f"affine.store %r#{k}, %c[%i + {k}, %j] : memref<24x240xf64>" for k in range(4))
    text = f"""func.func @f(%a: memref<24x192xf64>, %b: memref<240x192xf64>, %c: memref<24x240xf64>, %z: f64) {{
      affine.for %i = 0 to 24 step 4 {{ affine.for %j = 0 to 240 {{
        %r:4 = affine.for %k = 0 to 192 iter_args({carried}) -> (f64, f64, f64, f64) {{
          %y = affine.load %b[%j, %k] : memref<240x192xf64>
          {loads}
          affine.yield %t0, %t1, %t2, %t3 : f64, f64, f64, f64 }}
        {stores} }} }}
      return }}"""
    assert sizes(text, "neoverse-v1")[6] == 16 + 9 + 6


TILES = """func.func @f(%a: memref<16x35xi8> {llvm.noalias}, %b: memref<35x16xi8> {llvm.noalias}) {
  affine.for %i = 0 to 35 step 7 { affine.for %j = 0 to 16 step 8 {
    affine.for %p = affine_map<(d) -> (d)>(%i) to affine_map<(d) -> (d + 7)>(%i) {
      affine.for %q = affine_map<(d) -> (d)>(%j) to affine_map<(d) -> (d + 8)>(%j) {
        %x = affine.load %a[%q, %p] : memref<16x35xi8>
        %y = affine.load %b[%p, %q] : memref<35x16xi8>
        %s = arith.addi %x, %y : i8
        affine.store %s, %b[%p, %q] : memref<35x16xi8> } } } }
  return }"""


def test_iterations_of_a_tile_have_indices_until_the_loop_that_it_begins_with_is_gone() -> None:
    """opt-22: the two tiles side by side are unrolled first, and the seven rows of each then."""
    found = sizes(TILES, "neoverse-v1")
    assert (found[7] - 2) * 7 + 2 > 300
    assert (found[2] - 2) * 2 + 2 > 300


@pytest.mark.parametrize(("name", "size"), [("sifive-p670", 26), ("apple-m1", 18)])
def test_indices_that_were_written_out_and_address_two_buffers_are_pointers_on_riscv(name: str, size: float) -> None:
    lines = "\n".join(
        f"""%i{k} = affine.apply affine_map<(d) -> (d + {k})>(%i)
        %x{k} = affine.load %a[%i{k}, %j] : memref<12x8xf32>
        affine.store %x{k}, %b[%j, %i{k}] : memref<8x12xf32>"""
        for k in range(4)
    )
    text = f"""func.func @f(%a: memref<12x8xf32> {{llvm.noalias}}, %b: memref<8x12xf32> {{llvm.noalias}}) {{
      affine.for %j = 0 to 8 {{ affine.for %i = 0 to 12 step 4 {{ {lines} }} }}
      return }}"""
    assert sizes(text, name)[3] == size
