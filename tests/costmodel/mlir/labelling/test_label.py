"""Labels by the real tools. Skipped where mlir-22-tools and llvm-22 are not installed."""

from __future__ import annotations

import pytest

from costmodel.mlir.labelling import Label, label, missing_tools
from costmodel.mlir.labelling.gpu import label_gpu
from costmodel.mlir.labelling.host import buffers_of
from featurizers.errors import UnknownNameError

needs_tools = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())} (mlir-22-tools, llvm-22)"
)

SUM = """func.func @total(%x: memref<{n}xf32>, %y: memref<1xf32>) {{
  %zero = arith.constant 0.0 : f32
  %sum = affine.for %i = 0 to {n} iter_args(%s = %zero) -> (f32) {{
    %v = affine.load %x[%i] : memref<{n}xf32>
    %t = arith.addf %s, %v : f32
    affine.yield %t : f32
  }}
  affine.store %sum, %y[0] : memref<1xf32>
  return
}}
"""
ADD = """func.func @total(%x: memref<{n}xf32> {{llvm.noalias}}, %y: memref<{n}xf32> {{llvm.noalias}}) {{
  affine.for %i = 0 to {n} {{
    %v = affine.load %x[%i] : memref<{n}xf32>
    %w = affine.load %y[%i] : memref<{n}xf32>
    %t = arith.addf %w, %v : f32
    affine.store %t, %y[%i] : memref<{n}xf32>
  }}
  return
}}
"""
TOSA = """func.func @graph(%x: tensor<12x20xf32>) -> tensor<12x20xf32> {
  %0 = tosa.sigmoid %x : (tensor<12x20xf32>) -> tensor<12x20xf32>
  return %0 : tensor<12x20xf32>
}
"""
BROKEN = "func.func @total(%x: memref<4xf32>) { return %y : f32 }"


@needs_tools
def test_a_batch_gives_the_labels_of_one_at_a_time_and_a_bad_text_loses_only_itself():
    texts = [SUM.format(n=64), BROKEN, ADD.format(n=100), TOSA]
    cpus = ["znver4", "cortex-a55"]
    together = label(texts, cpus)
    alone = [row for text in texts for row in label([text], cpus)]
    assert together == alone
    assert [row.status for row in together] == ["ok", "ok", "failed", "failed", "ok", "ok", "ok", "ok"]
    assert "mlir-opt" in together[2].reason
    assert together[2].instructions is None


@needs_tools
@pytest.mark.parametrize("n", [1024, 4096])
def test_a_chain_of_additions_takes_its_latency_per_element(n):
    """Without fast-math the sum is serial: a floating-point addition takes three cycles on Zen 4, four on Skylake."""
    zen, skylake = label([SUM.format(n=n)], ["znver4", "skylake-avx512"])
    assert zen.cycles == pytest.approx(3 * n, rel=0.05)
    assert skylake.cycles == pytest.approx(4 * n, rel=0.05)
    assert zen.trips == skylake.trips == "exact"


@needs_tools
def test_executed_instructions_grow_with_the_trip_count_and_static_ones_do_not():
    small, large = label([ADD.format(n=4096), ADD.format(n=8192)], ["znver4"])
    assert small.instructions == large.instructions
    assert large.executed_instructions == pytest.approx(2 * small.executed_instructions, rel=0.02)
    assert 0 < small.code_bytes < 4096
    assert small.ipc == pytest.approx(small.executed_instructions / small.cycles)


@needs_tools
def test_a_kernel_has_registers_and_occupancy():
    good, bad = label_gpu([ADD.format(n=4096), SUM.format(n=64)], "gfx942")
    assert good.status == "ok"
    assert good.kernels == 1
    assert 0 < good.vgprs <= 512
    assert good.vgpr_spills == 0
    assert 1 <= good.occupancy_waves <= 8
    assert (bad.status, bad.reason) == ("failed", "no parallel loop")


def test_an_unknown_cpu_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="znver4"):
        label([ADD.format(n=4)], ["znver5000"])


def test_buffers_are_read_from_the_types_results_last():
    assert buffers_of(ADD.format(n=7)) == [(7, "f32"), (7, "f32")]
    assert buffers_of(TOSA) == [(240, "f32"), (240, "f32")]
    assert buffers_of("func.func @f(%a: f32) -> f32 {\n return %a : f32\n}") is None


def test_a_label_says_what_is_missing_by_none():
    assert Label("znver4", status="failed", reason="why").cycles is None


@needs_tools
def test_a_program_whose_counts_go_too_deep_fails_alone():
    # Sorting by neighbours: unrolled, each exchange is a choice between what the ones before left.
    sort = """func.func @sort(%a: memref<20xi32> {llvm.noalias}) {
      affine.for %i = 0 to 19 step 16 {
        affine.for %j = 0 to 19 step 4 {
          affine.for %k = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + 16, 19)>(%i) {
            affine.for %l = affine_map<(d0) -> (d0)>(%j) to min affine_map<(d0) -> (d0 + 4, 19)>(%j) {
              %x = affine.load %a[%l] : memref<20xi32>
              %y = affine.load %a[%l + 1] : memref<20xi32>
              %c = arith.cmpi slt, %y, %x : i32
              scf.if %c {
                affine.store %y, %a[%l] : memref<20xi32>
                affine.store %x, %a[%l + 1] : memref<20xi32>
              }
            }
          }
        }
      }
      return
    }"""
    deep, plain = label([sort, ADD.format(n=100)], ["znver4"])
    assert (deep.status, plain.status) == ("failed", "ok")
    assert "too deeply" in deep.reason
