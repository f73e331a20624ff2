"""Which machine work an operation stands for: a class per operation name, the same for scalars, vectors and tensors."""

from __future__ import annotations

CLASSES = (
    "fadd", "fmul", "fma", "fdiv", "fsqrt", "fminmax", "fmaximum", "fconvert", "iadd", "imul", "idiv", "logic",
    "compare", "select", "extend", "load", "store", "libm", "call", "branch", "shuffle", "address", "other", "masked",
    "iminmax",
)  # fmt: skip
"""fmaximum : a maximum or minimum of two variables that propagates NaN. libm : a call of the C maths library.
masked : elements of vector accesses under a mask. iminmax : of whole numbers. address : index
arithmetic, mostly absorbed by addressing modes."""

CLASS = {name: index for index, name in enumerate(CLASSES)}
COUNT = len(CLASSES)

LOAD, STORE, CALL, LIBM, BRANCH, ADDRESS, MASKED = (
    CLASS[name] for name in ("load", "store", "call", "libm", "branch", "address", "masked")
)
FMINMAX, FMAXIMUM, IMUL, IMINMAX = (CLASS[name] for name in ("fminmax", "fmaximum", "imul", "iminmax"))
IADD, OTHER, SHUFFLE, SELECT, COMPARE = (CLASS[name] for name in ("iadd", "other", "shuffle", "select", "compare"))
_TYPICAL = {
    "fadd": 4.0, "fmul": 4.0, "fma": 4.0, "fdiv": 13.0, "fsqrt": 18.0, "fminmax": 3.0, "fmaximum": 4.0, "fconvert": 5.0,
    "imul": 3.0, "iminmax": 2.0,
    "idiv": 20.0, "libm": 3.0, "call": 3.0, "address": 0.0, "branch": 0.0, "store": 0.0, "load": 4.0,
}  # fmt: skip
STEPS = ("numbered", "masking", "part", "part of a sum", "scaled", "turned", "multiplied out", "subtracted",
         "of memory", "of memory behind a product")  # fmt: skip
NUMBERED, MASKING, PART, PART_OF_SUM, SCALED, TURNED, MULTIPLIED_OUT, SUBTRACTED, OF_LOADED, BEHIND_PRODUCT = range(
    COUNT, COUNT + len(STEPS)
)
"""Steps of chains of whole numbers beyond the classes, see `whole_steps`: on a register and a number, of which a mask;
a shift that is part of logic, of a sum, or the scale of an index; a rotation; the shift before the sum that a product
is; the subtraction of a remainder's product; what an operand in memory adds to its operation."""
LATENCY = tuple(_TYPICAL.get(name, 1.0) for name in CLASSES) + (1.0,) * len(STEPS)
"""Cycles from operands to result on a typical core."""

FLOAT_CLASSES = tuple(
    CLASS[name] for name in ("fadd", "fmul", "fma", "fdiv", "fsqrt", "fminmax", "fmaximum", "fconvert")
)

OF_MEMORY = frozenset(
    (*FLOAT_CLASSES, *(CLASS[name] for name in ("iadd", "imul", "logic", "compare", "extend", "iminmax")))
)
"""Operations that x86 makes on an operand in memory."""

_BY_NAME = {
    "fadd": "arith.addf arith.subf arith.negf",
    "fmul": "arith.mulf",
    "fma": "math.fma vector.fma llvm.intr.fma llvm.intr.fmuladd",
    "fdiv": "arith.divf",
    "fsqrt": "math.sqrt",
    "fmaximum": "arith.maximumf arith.minimumf",
    "fminmax": "arith.maxnumf arith.minnumf math.absf math.copysign math.floor math.ceil"
    " math.round math.roundeven math.trunc",
    "fconvert": "arith.sitofp arith.uitofp arith.fptosi arith.fptoui arith.extf arith.truncf",
    "iadd": "arith.addi arith.subi index.add index.sub",
    "imul": "arith.muli index.mul arith.mulsi_extended arith.mului_extended",
    "idiv": "arith.divsi arith.divui arith.remsi arith.remui arith.ceildivsi arith.ceildivui arith.floordivsi"
    " index.divs index.divu index.rems index.remu",
    "logic": "arith.andi arith.ori arith.xori arith.shli arith.shrsi arith.shrui math.ctpop math.ctlz math.cttz"
    " llvm.intr.bswap llvm.intr.bitreverse llvm.intr.fshl llvm.intr.sadd.sat llvm.intr.ssub.sat llvm.intr.uadd.sat"
    " llvm.intr.usub.sat isd.avgceilu isd.avgflooru isd.avgceils isd.avgfloors",
    "iminmax": "arith.maxsi arith.maxui arith.minsi arith.minui math.absi",
    "compare": "arith.cmpi arith.cmpf index.cmp",
    "select": "arith.select",
    "extend": "arith.extsi arith.extui arith.trunci arith.bitcast arith.index_castui",
    "libm": "math.exp math.exp2 math.expm1 math.log math.log2 math.log10 math.log1p math.sin math.cos math.tan"
    " math.tanh math.atan math.atan2 math.erf math.erfc math.powf math.fpowi math.ipowi math.cbrt math.asin math.acos"
    " math.sinh math.cosh math.asinh math.acosh math.atanh math.sincos arith.remf",
    "call": "func.call llvm.call func.call_indirect memref.alloc memref.dealloc memref.realloc",
    "branch": "cf.cond_br cf.switch",
    "shuffle": "vector.shuffle vector.broadcast vector.extract vector.insert vector.extract_strided_slice"
    " vector.insert_strided_slice vector.transpose vector.interleave vector.deinterleave vector.splat"
    " vector.extractelement vector.insertelement vector.from_elements vector.to_elements",
    "load": "memref.load affine.load vector.load vector.maskedload vector.gather llvm.load affine.vector_load"
    " vector.transfer_read memref.atomic_rmw",
    "store": "memref.store affine.store vector.store vector.maskedstore vector.scatter llvm.store affine.vector_store"
    " vector.transfer_write",
    "address": "arith.index_cast affine.apply affine.min affine.max memref.dim memref.subview memref.reinterpret_cast"
    " llvm.getelementptr memref.extract_strided_metadata affine.delinearize_index affine.linearize_index",
}

_FREE = """
arith.constant func.return affine.yield scf.yield linalg.yield scf.reduce.return scf.reduce cf.br memref.cast
memref.collapse_shape memref.expand_shape tensor.cast tensor.empty tensor.collapse_shape tensor.expand_shape
memref.get_global scf.condition llvm.mlir.constant ub.poison vector.shape_cast vector.bitcast tosa.const
stablehlo.constant stablehlo.return tensor.yield tensor.dim vector.vscale vector.constant_mask vector.create_mask
memref.alloca builtin.unrealized_conversion_cast memref.assume_alignment llvm.return llvm.br gpu.return gpu.thread_id
gpu.block_id gpu.block_dim gpu.grid_dim gpu.terminator memref.memory_space_cast index.constant index.casts index.castu
gpu.yield scf.forall.in_parallel tosa.const_shape memref.global bufferization.to_tensor bufferization.to_buffer
bufferization.materialize_in_destination scf.in_parallel
"""

OP_CLASS: dict[str, int] = {op: CLASS[name] for name, ops in _BY_NAME.items() for op in ops.split()}
OP_CLASS |= dict.fromkeys(_FREE.split(), -1)
"""Operation -> class; -1 where it costs nothing."""

ELEMENTWISE = {
    "add": "fadd", "sub": "fadd", "subtract": "fadd", "negate": "fadd", "negf": "fadd", "mul": "fmul",
    "multiply": "fmul", "div": "fdiv", "divide": "fdiv", "maximum": "fmaximum", "minimum": "fmaximum",
    "max": "fmaximum",
    "min": "fmaximum", "abs": "fminmax", "clamp": "fminmax", "floor": "fminmax", "ceil": "fminmax",
    "sqrt": "fsqrt", "rsqrt": "fsqrt", "reciprocal": "fdiv", "exp": "libm", "exponential": "libm", "log": "libm",
    "log_plus_one": "libm", "exponential_minus_one": "libm", "tanh": "libm", "erf": "libm", "sigmoid": "libm",
    "logistic": "libm", "pow": "libm", "power": "libm", "powf": "libm", "sin": "libm", "sine": "libm", "cos": "libm",
    "cosine": "libm", "select": "select", "compare": "compare", "greater": "compare", "greater_equal": "compare",
    "equal": "compare", "cast": "fconvert", "convert": "fconvert", "and": "logic", "or": "logic", "xor": "logic",
    "not": "logic", "logical_and": "logic", "logical_or": "logic", "logical_not": "logic", "bitwise_and": "logic",
    "bitwise_or": "logic", "bitwise_xor": "logic", "logical_left_shift": "logic", "shift_left": "logic",
    "remainder": "idiv", "intdiv": "idiv", "round": "fminmax", "square": "fmul", "sign": "fminmax", "cbrt": "libm",
    "div_unsigned": "idiv", "identity": "address", "copy": "address", "rescale": "imul",
}  # fmt: skip
"""The last word of an element-wise operation of linalg, tosa, stablehlo or chlo -> class (of floats)."""

BESIDE = {"sigmoid": ("fadd", "fadd", "fdiv"), "logistic": ("fadd", "fadd", "fdiv"), "rsqrt": ("fdiv",),
          "clamp": ("fminmax",)}  # fmt: skip
"""What else such an operation is lowered to, of floats."""

_OF_FLOATS = {"remainder": "libm"}

_OF_INTEGERS = {
    "fadd": "iadd",
    "fmul": "imul",
    "fdiv": "idiv",
    "fminmax": "iminmax",
    "fmaximum": "iminmax",
    "fconvert": "extend",
}


def elementwise_class(word: str, is_float: bool) -> int | None:
    """The class of an element-wise tensor operation, or None when it is none."""
    name = ELEMENTWISE.get(word)
    if name is None:
        return None
    return CLASS[_OF_FLOATS.get(word, name) if is_float else _OF_INTEGERS.get(name, name)]
