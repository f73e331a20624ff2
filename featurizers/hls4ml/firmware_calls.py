"""The layer calls of a written project's ``firmware/<name>.cpp``: which function, which configuration, fed by what.

``parameters.h`` alone does not tell a depthwise from a plain convolution, has no topology, and leaves out what
distributed arithmetic has turned into code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

_CALL = re.compile(r"nnet::(\w+)\s*<([^;{}]*?)>\s*\(([^;{}]*?)\)\s*;[ \t]*(?://[ \t]*([\w./-]+))?")
_ALIAS = re.compile(r"auto\s*&\s*(\w+)\s*=\s*(\w+)\s*;")
_ARRAY = re.compile(r"\b\w+_t\s+(\w+)\s*\[\s*([\w*\s]+?)\s*\]")
_LOADED = re.compile(r"load_weights\w*")
_TWO_INPUTS = re.compile(r"^(add|subtract|multiply|average|maximum|minimum|concatenate|dot)")
_SPLITS = ("clone_stream",)
_MOST_CALLS = 4000


@dataclass(frozen=True, slots=True)
class Call:
    """function : as in nnet, e.g. ``depthwise_conv_2d_cl``. config : its struct, '' where it has none.

    name : of the layer, from the comment behind the call. sources : variables that enter, targets : that leave.
    result : name of the type that leaves.
    """

    function: str
    name: str
    config: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    result: str


def read_calls(text: str) -> list[Call]:
    """The calls in their order; variables that are other names of one are called by its first name."""
    names = {match[1]: match[2] for match in _ALIAS.finditer(text)}
    calls = []
    for match in list(_CALL.finditer(text))[:_MOST_CALLS]:
        function, types, values, comment = match.groups()
        if _LOADED.match(function):
            continue
        arguments = [names.get(value.strip(), value.strip()) for value in values.split(",")]
        listed = [item.strip() for item in types.split(",")]
        config = next((item for item in reversed(listed) if "config" in item), "")
        entering = 2 if _TWO_INPUTS.match(function) else 1
        leaving = arguments[entering:] if function in _SPLITS else arguments[entering : entering + 1]
        result = listed[entering] if len(listed) > entering else ""
        calls.append(Call(function, comment or "", config, tuple(arguments[:entering]), tuple(leaving), result))
    return calls


def array_sizes(text: str, macros: Mapping[str, int]) -> dict[str, int]:
    """Elements of each array that the top function declares or takes (io_parallel)."""
    sizes = {}
    for match in _ARRAY.finditer(text):
        sizes[match[1]] = size_of(match[2], macros, unknown=0)
    return sizes


def size_of(text: str, macros: Mapping[str, int], unknown: int) -> int:
    """A size as C++ writes it: numbers and macros, multiplied. unknown : stands for a macro that nobody defined."""
    factors = [factor.strip() for factor in text.split("*")]
    return prod(int(factor) if factor.isdigit() else macros.get(factor, unknown) for factor in factors)
