"""Fixed-point types as hls4ml writes them: ``ap_fixed<16,6>``, ``ufixed<8,0,RND,SAT>``, ``ac_int<4,false>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from featurizers.errors import InputError, LimitError

_TEMPLATE = re.compile(r"^(?P<name>[a-z_:]+)\s*<(?P<arguments>[^<>]*)>$")
_FLOATS = {"float": 32, "double": 64, "half": 16, "single": 32, "bfloat16": 16}
_WORDS = {"binary": (1, 1), "ternary": (2, 2), "bool": (1, 1), "int": (32, 32), "char": (8, 8), "short": (16, 16)}
_ROUNDING = {"TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV"}
_OVERFLOW = {"WRAP", "WRAP_SM", "SAT", "SAT_ZERO", "SAT_SYM"}
_RULE = "must be a type such as 'ap_fixed<16,6>', 'ufixed<8,0,RND,SAT>', 'ap_uint<4>', 'float' or 'auto'"
MAX_WIDTH = 1024
"""The widest ``ap_fixed`` that Xilinx' library compiles without a macro."""


@dataclass(frozen=True, slots=True)
class Precision:
    """A number type. width, integer : bits in all and above the binary point (sign included); floats have integer 0.

    rounding, saturation : quantization and overflow mode of a result of this type, upper case, '' for the default.
    """

    width: int
    integer: int
    signed: bool = True
    floating: bool = False
    rounding: str = ""
    saturation: str = ""

    @property
    def fraction(self) -> int:
        """Bits below the binary point (may be negative)."""
        return self.width - self.integer

    def __str__(self) -> str:
        if self.floating:
            return {32: "float", 64: "double"}.get(self.width, "half")
        modes = "".join(f",{mode}" for mode in (self.rounding, self.saturation) if mode)
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"


DEFAULT = Precision(16, 6)
"""hls4ml's default, ``fixed<16,6>``."""

DEFAULT_TABLE = Precision(18, 8)
"""hls4ml's default for the entries of an activation's table."""


@lru_cache(maxsize=4096)
def parse_precision(text: str, where: str | None = None) -> Precision | None:
    """A type's string as `Precision`; None for ``auto``. Raises InputError naming the string.

    >>> parse_precision("ap_fixed<16,6>").fraction
    10
    >>> parse_precision("uint<3>")
    Precision(width=3, integer=3, signed=False, floating=False, rounding='', saturation='')
    """
    cleaned = text.strip().lower()
    if cleaned == "auto":
        return None
    if cleaned in _FLOATS:
        return Precision(_FLOATS[cleaned], 0, floating=True)
    if cleaned in _WORDS:
        width, integer = _WORDS[cleaned]
        return Precision(width, integer, signed=cleaned not in ("binary", "bool"))
    match = _TEMPLATE.match(cleaned)
    if match is None:
        raise InputError("The precision", _RULE, text, where=where)
    arguments = [argument.strip() for argument in match["arguments"].split(",")]
    return _template(match["name"].removeprefix("ac::"), arguments, text, where)


def _template(name: str, arguments: list[str], text: str, where: str | None) -> Precision:
    is_unsigned = name in ("ufixed", "uint", "ap_ufixed", "ap_uint")
    base = name.removeprefix("ap_").removeprefix("ac_").removeprefix("u")
    if base == "quantized_bits":
        return _quantized_bits(arguments, text, where)
    if base not in ("fixed", "int"):
        raise InputError("The precision", _RULE, text, where=where)
    numbers = 2 if base == "fixed" else 1
    if len(arguments) < numbers:
        raise InputError("The precision", f"needs {numbers} numbers between < and >", text, where=where)
    width = _integer(arguments[0], text, where)
    integer = _integer(arguments[1], text, where) if base == "fixed" else width
    rest = arguments[numbers:]
    if name.startswith("ac_") and rest:
        is_unsigned = rest.pop(0) in ("false", "0")
    rounding, saturation = _modes(rest, text, where)
    return _checked(Precision(width, integer, not is_unsigned, False, rounding, saturation), text, where)


def _modes(rest: list[str], text: str, where: str | None) -> tuple[str, str]:
    names = [mode.upper().removeprefix("AP_").removeprefix("AC_") for mode in rest]
    known = [(_ROUNDING, "rounding"), (_OVERFLOW, "overflow")]
    for mode, (allowed, label) in zip(names, known, strict=False):
        if mode not in allowed:
            raise InputError(
                f"The {label} mode of a precision", f"must be one of {', '.join(sorted(allowed))}", text, where=where
            )
    return (names[0] if names else ""), (names[1] if len(names) > 1 else "")


def _quantized_bits(arguments: list[str], text: str, where: str | None) -> Precision:
    if not arguments:
        raise InputError("The precision", "needs a number of bits", text, where=where)
    width = _integer(arguments[0], text, where)
    integer = _integer(arguments[1], text, where) if len(arguments) > 1 else 0
    return _checked(Precision(width, integer + 1), text, where)


def _integer(argument: str, text: str, where: str | None) -> int:
    try:
        return int(argument)
    except ValueError:
        raise InputError("The precision", f"has {argument!r} where a whole number belongs", text, where=where) from None


def _checked(precision: Precision, text: str, where: str | None) -> Precision:
    if precision.width < 1:
        raise InputError("The width of a precision", "must be at least 1 bit", text, where=where)
    if precision.width > MAX_WIDTH:
        raise LimitError("The width of a precision", f"must be at most {MAX_WIDTH} bits", text, where=where)
    return precision
