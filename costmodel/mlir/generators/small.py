"""What people ask about first: functions of a few operations, of one loop, of one tensor."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from costmodel.mlir.generators.drawing import coin, kind, size
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.writer import Writer, is_float, memref, tensor

_MATHS = ("math.exp", "math.log", "math.sin", "math.tanh", "math.sqrt", "math.absf", "math.floor", "math.rsqrt")
_WIDER = {"f16": "f32", "f32": "f64", "i8": "i32", "i16": "i64", "i32": "i64"}
_NAMES = ("f", "main", "kernel", "test", "foo")


def small(rng: random.Random) -> Group:
    """What people ask about first: a few operations, a loop, a reduction, a branch, a named operation, tensors."""
    draw = rng.choice((_arithmetic, _arithmetic, _places, _loop, _loop, _reduction, _tensor, _condition, _named))
    text = draw(rng)
    return Group("small", f"{draw.__name__.strip('_')}-{zlib.crc32(text.encode()):08x}", text)


def _step(rng: random.Random, w: Writer, element: str, values: list[str]) -> str:
    """One operation on some of the values, or on one and a constant."""
    a = values[-1] if coin(rng, 0.8) else rng.choice(values)
    b = w.constant(rng.randint(0, 12), element) if coin(rng, 0.3) else rng.choice(values)
    if is_float(element):
        if coin(rng, 0.1):
            return w.op(rng.choice(_MATHS), element, a)
        if coin(rng, 0.1):
            return w.op("math.fma", element, a, b, rng.choice(values))
        return w.op(rng.choice(("add", "add", "sub", "mul", "mul", "div", "max", "min", "minnumf")), element, a, b)
    number = w.constant(rng.randint(1, 7), element)
    what = rng.choice(
        ("add", "add", "sub", "mul", "andi", "ori", "xori", "max", "min", "shli", "shrsi", "divsi", "remui")
    )
    return w.op(what, element, a, number if what in ("shli", "shrsi", "divsi", "remui") else b)


def _steps(rng: random.Random, w: Writer, element: str, values: list[str], most: int) -> list[str]:
    values = list(values)
    for _ in range(rng.randint(0, most)):
        values.append(_step(rng, w, element, values))
    return values


def _cast(w: Writer, value: str, element: str) -> tuple[str, str]:
    """The value in the other kind of its width, or in the wider type of its kind."""
    if element in _WIDER:
        wider = _WIDER[element]
        return w.value(f"arith.{'extf' if is_float(element) else 'extsi'} {value} : {element} to {wider}"), wider
    other = {"f64": "i64", "i64": "f64"}[element]
    return w.value(f"arith.{'fptosi' if is_float(element) else 'sitofp'} {value} : {element} to {other}"), other


def _arithmetic(rng: random.Random) -> str:
    w, element = Writer(), kind(rng)
    inputs = [w.argument(element) for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 9)))]
    values = _steps(rng, w, element, inputs, 8)
    results = [(value, element) for value in ([], values[-1:], values[-1:], values[-1:], values[-2:])[rng.randrange(5)]]
    if results and coin(rng, 0.2):
        results[-1] = _cast(w, results[-1][0], element)
    if coin(rng, 0.1):
        results = [(w.constant(rng.choice((0, 1, 42, 123456)), "i32"), "i32")]
    return w.function(rng.choice(_NAMES), returns=results)


def _places(rng: random.Random) -> str:
    """Loads from known places or from those that arguments say, and stores."""
    w, element = Writer(), kind(rng)
    shape = [size(rng, 1, 64) for _ in range(rng.randint(1, 2))]
    buffers = [w.buffer(shape, element) for _ in range(rng.randint(1, 2))]
    given = [w.argument("index") for _ in shape] if coin(rng) else []

    def place() -> list[str]:
        return given or [w.constant(rng.randrange(extent), "index") for extent in shape]

    values = [w.load_at(rng.choice(buffers), *place()) for _ in range(rng.randint(1, 3))]
    values = _steps(rng, w, element, values, 4)
    if store := coin(rng, 0.7):
        w.store_at(values[-1], rng.choice(buffers), *place())
    return w.function(rng.choice(_NAMES), returns=[] if store and coin(rng) else [(values[-1], element)])


def _loop(rng: random.Random) -> str:
    """Element by element: a fill, a copy, a scaling, a sum of two buffers."""
    w, element = Writer(), kind(rng)
    shape = [size(rng, 1, 4096)] if coin(rng, 0.7) else [size(rng, 1, 128), size(rng, 1, 128)]
    inputs = [w.buffer(shape, element) for _ in range(rng.randint(0, 2))]
    out = rng.choice(inputs) if inputs and coin(rng, 0.3) else w.buffer(shape, element)
    fixed = w.argument(element) if not inputs or coin(rng, 0.3) else None

    def body(*indices: str) -> None:
        values = [w.load(buffer, *indices) for buffer in inputs] + ([fixed] if fixed else [])
        w.store(_steps(rng, w, element, values, 3)[-1], out, *indices)

    with w.loop(0, shape[0]) as i:
        if len(shape) == 1:
            body(i)
        else:
            with w.loop(0, shape[1]) as j:
                body(i, j)
    return w.function(rng.choice(_NAMES), noalias=coin(rng, 0.2))


def _reduction(rng: random.Random) -> str:
    """The sum, product or largest of one buffer, or of the products of two."""
    w, element, length = Writer(), kind(rng), size(rng, 1, 4096)
    buffers = [w.buffer([length], element) for _ in range(rng.randint(1, 2))]
    start = w.argument(element) if coin(rng, 0.3) else w.constant(0, element)
    with w.reduction(0, length, start, element) as loop:
        terms = [w.load(buffer, loop.index) for buffer in buffers]
        term = terms[0] if len(terms) == 1 else w.op(rng.choice(("mul", "mul", "add", "sub")), element, *terms)
        loop.result = w.op(rng.choice(("add", "add", "add", "mul", "max", "min")), element, loop.carried, term)
    if coin(rng, 0.3):
        out = w.buffer([1], element)
        w.store_at(loop.out, out, w.constant(0, "index"))
        return w.function(rng.choice(_NAMES))
    return w.function(rng.choice(_NAMES), returns=[(loop.out, element)])


def _tensor(rng: random.Random) -> str:
    """One to three operations on whole tensors."""
    w, element = Writer(), kind(rng, ("f32", "f32", "f64", "i32", "i64"))
    shape = [size(rng, 1, 64) for _ in range(rng.randint(1, 2))]
    whole = tensor(shape, element)
    values = [w.argument(whole) for _ in range(rng.randint(1, 2))]
    for _ in range(rng.randint(1, 3)):
        a, b = rng.choice(values), rng.choice(values)
        names = ("addf", "mulf", "subf", "maximumf") if is_float(element) else ("addi", "muli", "subi", "maxsi")
        values.append(w.op(f"arith.{rng.choice(names)}", whole, a, b))
    if coin(rng, 0.3):
        at = ", ".join(w.constant(rng.randrange(extent), "index") for extent in shape)
        return w.function(
            rng.choice(_NAMES), returns=[(w.value(f"tensor.extract {values[-1]}[{at}] : {whole}"), element)]
        )
    return w.function(rng.choice(_NAMES), returns=[(values[-1], whole)])


def _condition(rng: random.Random) -> str:
    """A choice, a branch, or a loop until something holds."""
    w, element = Writer(), kind(rng, ("f32", "f64", "i32", "i64", "i16"))
    a, b = w.argument(element), w.argument(element)
    test = "arith.cmpf olt" if is_float(element) else rng.choice(("arith.cmpi slt", "arith.cmpi eq", "arith.cmpi ugt"))
    how = rng.choice(("select", "if", "if", "while"))
    if how == "select":
        condition = w.value(f"{test}, {a}, {b} : {element}")
        values = _steps(rng, w, element, [a, b], 2)
        chosen = w.value(f"arith.select {condition}, {values[-1]}, {rng.choice(values)} : {element}")
        return w.function(rng.choice(_NAMES), returns=[(chosen, element)])
    if how == "if":
        condition, out = w.value(f"{test}, {a}, {b} : {element}"), w.fresh("r")
        with w.block(f"{out} = scf.if {condition} -> ({element}) {{", "} else {"):
            w.line(f"scf.yield {_steps(rng, w, element, [a, b], 3)[-1]} : {element}")
        with w.block("", "}"):
            w.line(f"scf.yield {_steps(rng, w, element, [a, b], 3)[-1]} : {element}")
        return w.function(rng.choice(_NAMES), returns=[(out, element)])
    out = w.fresh("r")
    with w.block(f"{out} = scf.while (%x = {a}) : ({element}) -> ({element}) {{", "} do {"):
        condition = w.value(f"{test}, %x, {b} : {element}")
        w.line(f"scf.condition({condition}) %x : {element}")
    with w.block(f"^bb0(%y: {element}):"):
        w.line(f"scf.yield {w.op('add', element, _step(rng, w, element, ['%y', b]), '%y')} : {element}")
    return w.function(rng.choice(_NAMES), returns=[(out, element)])


def _named(rng: random.Random) -> str:
    """One named operation on buffers: a copy, a fill, a product, a transposition."""
    w, element = Writer(), kind(rng, ("f32", "f32", "f64", "i32", "i8"))
    m, n, k = (size(rng, 1, 64) for _ in range(3))

    def buffer(*shape: int) -> tuple[str, str]:
        return w.buffer(shape, element), memref(shape, element)

    draws: tuple[Callable[[], str], ...] = (
        lambda: _written("memref.copy {0}, {1} : {2} to {3}", buffer(m, n), buffer(m, n)),
        lambda: _written("linalg.fill ins({0} : {2}) outs({1} : {3})", (w.argument(element), element), buffer(m, n)),
        lambda: _written(
            "linalg.transpose ins({0} : {2}) outs({1} : {3}) permutation = [1, 0]", buffer(m, n), buffer(n, m)
        ),
        lambda: _product("linalg.matmul", buffer(m, k), buffer(k, n), buffer(m, n)),
        lambda: _product("linalg.matvec", buffer(m, k), buffer(k), buffer(m)),
        lambda: _product("linalg.dot", buffer(k), buffer(k), buffer()),
    )  # fmt: skip
    w.line(rng.choice(draws)())
    return w.function(rng.choice(_NAMES))


def _written(form: str, a: tuple[str, str], b: tuple[str, str]) -> str:
    return form.format(a[0], b[0], a[1], b[1])


def _product(name: str, a: tuple[str, str], b: tuple[str, str], out: tuple[str, str]) -> str:
    return f"{name} ins({a[0]}, {b[0]} : {a[1]}, {b[1]}) outs({out[0]} : {out[1]})"
