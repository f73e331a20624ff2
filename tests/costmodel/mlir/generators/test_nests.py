"""Random nests: whatever is accessed lies inside its buffer, for every value of the indices around it."""

from __future__ import annotations

import re
from itertools import product

import pytest

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.nests import _Program, _Scope


@pytest.mark.parametrize("seed", range(40))
def test_accesses_stay_inside(seed):
    program = _Program(Code(seed))
    extents = {f"%i{n}": 1 + program.c.rng.randrange(9) for n in range(1 + seed % 4)}
    for array in program.arrays:
        for size, expression in zip(array.shape, program.place(array, _Scope(extents)), strict=True):
            text = re.sub(r"%(\w+)", r"\1", expression).replace("floordiv", "//").replace("mod", "%")
            for values in product(*(range(extent) for extent in extents.values())):
                names = {name[1:]: value for name, value in zip(extents, values, strict=True)}
                assert 0 <= eval(text, {"__builtins__": {}}, names) < size
