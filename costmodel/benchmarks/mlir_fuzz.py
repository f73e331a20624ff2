"""`mlir-fuzz`: 20,000 mutated modules; each is answered or refused with a reason and a place, none ends the service."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from featurizers.errors import InputError

MODULES = 20_000
_DEVICE = "skylake-avx512"
_TOKENS = (
    "{", "}", "(", ")", "<", ">", "[", "]", "->", ":", ",", "=", "%0", "%arg0", "f32", "i64", "index", "memref",
    "tensor", "vector", "affine.for", "scf.for", "scf.if", "arith.addf", "linalg.matmul", "func.func", "return", "0",
    "-1",
    "99999999999999999999", "?", "x", "dense", "affine_map", "step", "iter_args", "llvm.noalias", "#", "@", "!",
    '"', "\\", "0x7FFFFFFFFFFFFFFF", "loc(", "unit", "^bb0", "\u00e9", "1.0e999",
)  # fmt: skip
SEEDS = (
    """func.func @f(%A: memref<8x8xf32>, %B: memref<8x8xf32>) {
  affine.for %i = 0 to 8 { affine.for %j = 0 to 8 step 2 {
    %a = affine.load %A[%i, %j] : memref<8x8xf32>
    %s = arith.mulf %a, %a : f32
    affine.store %s, %B[%j, %i] : memref<8x8xf32>
  } }
  return
}""",
    """func.func @g(%A: tensor<4x8xf32>, %B: tensor<8x4xf32>, %C: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = linalg.matmul ins(%A, %B : tensor<4x8xf32>, tensor<8x4xf32>) outs(%C : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = tosa.tanh %0 : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = stablehlo.add %0, %1 : tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}""",
    """func.func @h(%m: memref<100xf64>, %n: index) -> f64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant 0.0 : f64
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %z) -> (f64) {
    %x = memref.load %m[%i] : memref<100xf64>
    %e = math.exp %x : f64
    %c = arith.cmpf ogt, %e, %acc : f64
    %s = scf.if %c -> (f64) { scf.yield %e : f64 } else { scf.yield %acc : f64 }
    scf.yield %s : f64
  }
  return %r : f64
}""",
    """#map = affine_map<(d0, d1) -> (d0, d1)>
func.func @k(%a: memref<4x?xi32>, %v: vector<8xf32>) -> vector<8xf32> {
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<4x?xi32>) outs(%a : memref<4x?xi32>) { ^bb0(%x: i32, %y: i32):
      %s = arith.addi %x, %y : i32
      linalg.yield %s : i32 }
  %w = vector.fma %v, %v, %v : vector<8xf32>
  return %w : vector<8xf32>
}""",
)


def mutated(source: str, rng: random.Random) -> bytes:
    """A source with one to six edits: of tokens, characters or bytes, cut, doubled, or put together with another."""
    data = source.encode()
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            data = data[:place] + rng.choice(_TOKENS).encode() + data[place + rng.randrange(4) :]
        elif kind == 1:
            data = data[:place] + data[place + rng.randrange(1, 20) :]
        elif kind == 2:
            data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
        elif kind == 3:
            length = rng.randrange(1, 80)
            data = data[: place + length] + data[place:]
        elif kind == 4:
            data = data[: max(place, 1)] if rng.random() < 0.2 else data
        elif kind == 5:
            other = rng.choice(SEEDS).encode()
            data = data[:place] + other[rng.randrange(len(other)) :]
        else:
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                at = rng.choice(digits)
                data = data[:at] + str(rng.choice((0, 7, 65, 2**31, 2**63, 10**20))).encode() + data[at + 1 :]
    return data


def bytecode(sources: tuple[str, ...]) -> list[bytes]:
    """The seeds as bytecode, to be mutated too."""
    import io

    from iree.compiler import ir

    found = []
    with ir.Context():
        for source in sources:
            buffer = io.BytesIO()
            ir.Module.parse(source).operation.write_bytecode(buffer)
            found.append(buffer.getvalue())
    return found


def _mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: rng.randrange(4, len(changed))] if rng.random() < 0.1 else changed)


def run(data: Path | None, mirror: Path | None, modules: int = MODULES) -> dict[str, Any]:
    """Ask the packaged bundle about every mutant, one by one; anything but an answer or an `InputError` is a crash."""
    predictor = Predictor.load(PRETRAINED / "mlir")
    rng = random.Random(20261125)
    binaries = bytecode(SEEDS)
    counts: Counter[str] = Counter()
    for number in range(modules):
        binary = number % 5 == 4
        source = _mutated_bytes(rng.choice(binaries), rng) if binary else mutated(rng.choice(SEEDS), rng)
        counts[_outcome(predictor, source, {"dims": {"*": 8}} if number % 2 else {})] += 1
    rows = [{"outcome": name, "modules": count} for name, count in sorted(counts.items())]
    crashes = sum(count for name, count in counts.items() if name.startswith("crash"))
    summary = {
        "modules": modules,
        "crashes": crashes,
        "answered": counts["answered"] / modules,
        "parser_deaths": counts["refused: broke the parser"] / modules,
        "without_place": counts["refused without a place"] / modules,
    }
    return {"benchmark": "mlir-fuzz", "rows": rows, "summary": summary}


def _outcome(predictor: Predictor, source: bytes, options: dict[str, Any]) -> str:
    try:
        (outcome,) = predictor.predict([{"file": source, **options}], [_DEVICE], ["cycles"])
    except Exception as error:  # what the benchmark looks for
        return f"crash: {type(error).__name__}"
    if not isinstance(outcome, InputError):
        return "answered"
    if "broke the MLIR parser" in str(outcome):
        return "refused: broke the parser"
    return "refused" if outcome.where is not None else "refused without a place"
