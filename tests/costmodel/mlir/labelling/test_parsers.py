"""Reading what LLVM's tools print: assembly, remarks, scalar evolution, IR. No tool is needed."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.mlir.labelling.assembly import parse_assembly
from costmodel.mlir.labelling.ir import Evaluator, IrFunction, parse_ir
from costmodel.mlir.labelling.mca import repetitions, with_vector_state
from costmodel.mlir.labelling.remainders import average_left
from costmodel.mlir.labelling.remarks import read_remarks
from costmodel.mlir.labelling.scev import evaluate, read_trip_counts
from costmodel.mlir.labelling.targets import CPUS
from costmodel.mlir.labelling.weights import AVERAGED, EXACT, GUESSED, block_weights

ASSEMBLY = """
	.globl	p0.f                            # -- Begin function p0.f
p0.f:                                   # @p0.f
# %bb.0:                                # %entry
	xorl	%eax, %eax
.LBB0_1:                                # %outer
                                        # =>This Loop Header: Depth=1
                                        #     Child Loop BB0_2 Depth 2
	movq	%rsi, %r8
	.p2align	4
.LBB0_2:                                # %inner
                                        #   Parent Loop BB0_1 Depth=1
                                        # =>  This Inner Loop Header: Depth=2
	addq	$4, %r8
	cmpq	$59, %r8
	jne	.LBB0_2
# %bb.3:                                # %latch
                                        #   in Loop: Header=BB0_1 Depth=1
	callq	expf@PLT
	cmpq	$80, %r9
	jne	.LBB0_1
# %bb.4:                                # %exit
	retq
.Lfunc_end0:
                                        # -- End function
"""

IR = """define void @p0.f(ptr captures(none) %arg, ptr %arg1) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %i.next, %latch ]
  %n = and i64 %i, 7
  %more = icmp ult i64 %n, 4
  br i1 %more, label %left, label %right
latch:
  %i.next = add nuw nsw i64 %i, 1
  br label %outer
}
"""


def _function():
    (function,) = parse_assembly(ASSEMBLY, CPUS["znver4"])
    return function


def test_blocks_loops_edges_and_calls_are_read():
    blocks = {block.ir_name: block for block in _function().blocks}
    assert [b.label for b in _function().blocks] == ["0_0", "0_1", "0_2", "0_3", "0_4"]
    assert blocks["inner"].is_header
    assert (blocks["inner"].header, blocks["inner"].parent, blocks["inner"].depth) == ("0_2", "0_1", 2)
    assert blocks["inner"].successors == ["0_2", "0_3"]
    assert (blocks["latch"].header, blocks["latch"].calls) == ("0_1", ["expf"])
    assert blocks["exit"].successors == []


def test_executions_of_nested_loops_are_products_of_their_counts():
    counts = {"outer": ("79", 79), "inner": ("3", 3)}
    weights = block_weights(_function(), parse_ir(IR)["p0.f"], counts)
    assert weights.trips == EXACT
    assert weights.executions == pytest.approx({"0_0": 1, "0_1": 80, "0_2": 320, "0_3": 80, "0_4": 1})


def test_a_triangular_inner_loop_is_summed_over_the_outer_one():
    counts = {"outer": ("79", 79), "inner": ("{0,+,1}<nuw><nsw><%outer>", None)}
    weights = block_weights(_function(), parse_ir(IR)["p0.f"], counts)
    assert weights.trips == AVERAGED
    assert weights.executions["0_2"] == pytest.approx(80 * 81 / 2)


def test_an_unknown_count_is_said_to_be_guessed():
    weights = block_weights(_function(), parse_ir(IR)["p0.f"], {"outer": ("79", 79)})
    assert weights.trips == GUESSED
    assert weights.executions["0_2"] == pytest.approx(80 * 32)


LEFT = """define void @p0.f(ptr %arg) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %i.next, %latch ]
  %left = sub nsw i64 100, %i
  br label %inner
inner:
  %avl = phi i64 [ %left, %outer ], [ %avl.next, %inner ]
  %now = tail call i32 @llvm.experimental.get.vector.length.i64(i64 %avl, i32 4, i1 true)
  %wide = zext i32 %now to i64
  %avl.next = sub nuw i64 %avl, %wide
  %done = icmp eq i64 %avl.next, 0
  br i1 %done, label %latch, label %inner
latch:
  %i.next = add nuw nsw i64 %i, 1
  br label %outer
}
"""


def test_a_loop_that_asks_for_its_vector_length_runs_as_often_as_the_outer_iteration_leaves_it_elements():
    weights = block_weights(_function(), parse_ir(LEFT)["p0.f"], {"outer": ("79", 79)})
    assert weights.trips == AVERAGED
    assert weights.executions["0_2"] == pytest.approx(sum(-(-(100 - i) // 8) for i in range(80)))


HALF = """
	.globl	p0.f                            # -- Begin function p0.f
p0.f:                                   # @p0.f
# %bb.0:                                # %entry
	bgeu	a0, t0, .LBB0_2
# %bb.1:                                # %other
	ret
.LBB0_2:                                # %TARGET
	ret
.Lfunc_end0:
                                        # -- End function
"""


@pytest.mark.parametrize(("target", "taken", "trips"), [("vector.ph7", 1, EXACT), ("bb9", 0.5, GUESSED)])
def test_half_of_an_alias_check_goes_to_the_vector_code_and_other_branches_of_llc_either_way(target, taken, trips):
    (function,) = parse_assembly(HALF.replace("TARGET", target), CPUS["sifive-p670"])
    weights = block_weights(function, IrFunction(), {})
    assert weights.trips == trips
    assert weights.executions == pytest.approx({"0_0": 1, "0_1": 1 - taken, "0_2": taken})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7", 7),
        ("(-1 + %n)", 9),
        ("((-8 + (8 * ({0,+,1}<nuw><nsw><%outer> /u 8))<nuw><nsw>)<nsw> /u 8)", 1),
        ("(-1 + (zext i3 {0,+,1}<%outer> to i64))<nsw>", 2),
        ("(24 smin {16,+,16}<nuw><nsw><%outer>)", 24),
        ("(5 umax %n)", 10),
        ("(-1 + %unknown)", None),
        ("***COULDNOTCOMPUTE***", None),
    ],
)
def test_printed_scalar_evolution_is_evaluated(expression, value):
    names = {"n": 10}
    assert evaluate(expression, names.get, {"outer": 19}.get) == value


def test_scalar_evolution_of_many_iterations_at_once():
    found = evaluate("{0,+,2}<nuw><%outer>", {}.get, {"outer": np.arange(4)}.get)
    assert found.tolist() == [0, 2, 4, 6]


def test_trip_counts_are_read_with_their_maximum():
    text = (
        "Determining loop execution counts for: @p0.f\n"
        "Loop %a: backedge-taken count is i64 79\n"
        "Loop %a: constant max backedge-taken count is i64 79\n"
        "Loop %b: Unpredictable backedge-taken count.\n"
        "Loop %b: constant max backedge-taken count is i64 12\n"
    )
    assert read_trip_counts(text) == {"p0.f": {"a": ("79", 79), "b": ("", 12)}}


def test_values_of_the_ir_follow_the_loop_and_buffers_lie_apart():
    function = parse_ir(IR)["p0.f"]
    at = Evaluator(function, {"outer"}, {"outer": 13}.get)
    assert at.value("%i") == 13
    assert at.value("%n") == 5
    assert at.value("%more") == 0
    assert at.value("%arg") != at.value("%arg1")
    assert at.value("%absent") is None


def test_remarks_are_added_up_per_function(tmp_path):
    path = tmp_path / "remarks.yaml"
    path.write_text(
        "--- !Missed\nPass:            regalloc\nName:            LoopSpillReloadCopies\nFunction:        p0.f\n"
        "Args:\n  - NumSpills:       '9'\n...\n"
        "--- !Missed\nPass:            regalloc\nName:            SpillReloadCopies\nFunction:        p0.f\n"
        "Args:\n  - NumSpills:       '3'\n  - NumFoldedReloads: '2'\n...\n"
        "--- !Analysis\nPass:            asm-printer\nName:            InstructionCount\nFunction:        p0.f\n"
        "Args:\n  - NumInstructions: '41'\n...\n"
    )
    counts = read_remarks(path)["p0.f"]
    assert (counts.instructions, counts.register_spills, counts.folded_reloads) == (41, 3, 2)
    assert (counts.register_reloads, counts.stack_bytes) == (0, 0)


def test_short_hot_blocks_are_simulated_longest_and_dead_ones_not_at_all():
    assert repetitions(10, 0.5) == 100
    assert repetitions(1000, 0.5) == 4
    assert repetitions(10, 0.001) == 4
    assert repetitions(10, 0.0) == 0


def test_a_riscv_block_is_told_the_vector_state_of_the_block_before():
    marked = with_vector_state([["vsetvli\ta0, a1, e32, m2, ta, ma"], ["vadd.vv\tv8, v8, v9"]])
    assert marked[1] == ["# LLVM-MCA-RISCV-LMUL M2", "# LLVM-MCA-RISCV-SEW E32", "vadd.vv\tv8, v8, v9"]


TURNED = """
	.globl	p0.f                            // -- Begin function p0.f
p0.f:                                   // @p0.f
// %bb.0:                               // %entry
	mov	w9, #2898
	str	w11, [x1, x10, lsl #2]
	cbz	x9, .LBB0_2
.LBB0_1:                                // %rest
                                        // =>This Inner Loop Header: Depth=1
	sub	x9, x9, #2
	str	w11, [x1, x10, lsl #2]
	cbnz	x9, .LBB0_1
.LBB0_2:                                // %exit
	ret
.Lfunc_end0:
                                        // -- End function
"""
"""What llc makes of `TURNED_IR` for Neoverse V1: the header is copied to the entry, and the loop begins behind it."""

TURNED_IR = """define void @p0.f(ptr %arg, ptr %arg1) {
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %i.next, %rest ]
  %done = icmp eq i64 %i, 2898
  br i1 %done, label %exit, label %rest
rest:
  %i.next = add nuw nsw i64 %i, 2
  br label %head
exit:
  ret void
}
"""


def test_a_loop_that_is_turned_runs_once_less_and_its_first_end_is_not_its_last():
    (function,) = parse_assembly(TURNED, CPUS["neoverse-v1"])
    weights = block_weights(function, parse_ir(TURNED_IR)["p0.f"], {"head": ("1449", 1449)})
    assert weights.trips == EXACT
    assert weights.executions == pytest.approx({"0_0": 1, "0_1": 1449, "0_2": 1})


ASSERTED = """
	.globl	p0.f                            # -- Begin function p0.f
p0.f:                                   # @p0.f
# %bb.0:                                # %entry
	cmpq	$42, (%rdi)
	jg	.LBB0_2
# %bb.1:                                # %held
	retq
.LBB0_2:                                # %broken
	callq	abort@PLT
.Lfunc_end0:
                                        # -- End function
"""


def test_assertions_hold():
    (function,) = parse_assembly(ASSERTED, CPUS["znver4"])
    weights = block_weights(function, IrFunction(), {})
    assert weights.trips == EXACT
    assert weights.executions == pytest.approx({"0_0": 1, "0_1": 1, "0_2": 0})


REMAINDER = """define void @p0.f(i64 %n) {
entry:
  %some = and i64 %n, 7
  br label %inner.prol
inner.prol:
  %i = phi i64 [ 0, %entry ], [ %i.next, %inner.prol ]
  %i.next = add i64 %i, 1
  %done = icmp eq i64 %i.next, %some
  br i1 %done, label %exit, label %inner.prol
exit:
  ret void
}
"""


def test_what_unrolling_left_is_half_of_the_copies_on_average():
    ir = parse_ir(REMAINDER)["p0.f"]
    assert average_left(ir, "inner.prol") == 4
    assert average_left(ir, "inner") is None
    assert average_left(ir, "vec.epilog.scalar.ph", "((7 + (-1 * %.unr)) /u 4)") == 2


BELOW = """define void @p0.f() {
entry:
  br label %outer
outer:
  %o = phi i64 [ 0, %entry ], [ %o.next, %latch ]
  %less = tail call i64 @llvm.usub.sat.i64(i64 %o, i64 1)
  %end = add i64 %less, 7
  br label %inner
inner:
  %i = phi i64 [ 0, %outer ], [ %i.next, %inner ]
  %i.next = add i64 %i, 2
  %more = icmp slt i64 %i.next, %end
  br i1 %more, label %inner, label %latch
latch:
  %o.next = add i64 %o, 1
  br label %outer
}
"""


def test_a_loop_runs_while_its_counter_is_below_what_the_outer_iteration_says():
    weights = block_weights(_function(), parse_ir(BELOW)["p0.f"], {"outer": ("79", 79)})
    assert weights.trips == AVERAGED
    assert weights.executions["0_2"] == pytest.approx(sum(-(-(max(o - 1, 0) + 7) // 2) for o in range(80)))


def test_copies_run_as_often_as_without_what_was_done_before_them():
    function = IrFunction(
        phis={"x.unr3": ("new", [("5", "entry"), ("%x.prol", "loop.prol")]), "x": ("new", [("5", "a"), ("%y", "b")])},
    )
    evaluator = Evaluator(function, set(), lambda header: None)
    assert evaluator.value("%x.unr3") == 5
    assert evaluator.value("%x") is None
