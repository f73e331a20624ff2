"""What one kind answers beside predict, rank and explain: adapt and what-if for servers, advise for FPGA designs.

To add one, write in the kind's own package

    class AdviseQuestion(KindQuestion, kw_only=True):      # fields of the JSON body, with defaults for optional ones
        reuse_factors: list[int] | None = None

    class AdviseAnswer(msgspec.Struct, frozen=True): ...   # the JSON that is answered

    OPERATIONS = operations(KindOperation("advise", "The Pareto front ...", AdviseQuestion, AdviseAnswer, run))

where ``run(predictor, question) -> answer`` raises `InputError` for what it cannot answer, and name the table in the
kind's entry: ``Kind(..., operations=...)``, a function that imports it. Nothing else: ``POST /v1/advise/hls4ml`` takes
JSON, forms and bare files, the OpenAPI document lists it, ``Client.ask("hls4ml", "advise", {"input": ...})`` asks for
it (so does `costmodel.cli.answering`, in process or over HTTP), and an operation that a kind does not offer is a 404
that names those that it does. Class names must differ between kinds, since they are names of schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from featurizers.errors import InputError, UnknownNameError


class KindQuestion(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`input` is one raw input of the kind; the fields that are files are bytes here, base64 strings in JSON."""

    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KindOperation:
    """One operation of one kind, at ``POST /v1/{name}/{kind}``.

    question : a subclass of `KindQuestion`. answer : a msgspec Struct. run : (predictor, question) -> answer.
    """

    name: str
    summary: str
    question: type[KindQuestion]
    answer: type[msgspec.Struct]
    run: Callable[[Any, Any], msgspec.Struct]

    def ask(self, predictor: Any, fields: Mapping[str, Any]) -> msgspec.Struct:
        """The answer to a question given as its fields. Raises `InputError` naming the field that is wrong."""
        return self.run(predictor, self.read(fields))

    def read(self, fields: Mapping[str, Any], *, strict: bool = True) -> KindQuestion:
        """The question of plain fields; not `strict`: numbers may be text, as forms and query strings give them."""
        try:
            return msgspec.convert(dict(fields), self.question, strict=strict)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at ")
            raise InputError("The question", f"is wrong: {reason}", where=place.strip("`") or None) from None

    def read_values(self, values: Mapping[str, list[Any]]) -> KindQuestion:
        """The question of form fields: those that it does not have itself belong to its input, each given once."""
        known = {field.encode_name: field for field in msgspec.structs.fields(self.question)}
        own: dict[str, Any] = {}
        raw: dict[str, Any] = {}
        for name, given in values.items():
            if name in known and name != "input":
                own[name] = given if _takes_list(known[name].type) or len(given) > 1 else given[0]
            elif len(given) == 1:
                raw[name] = given[0]
            else:
                raise InputError(f"The field '{name}'", "must be given once", len(given), where=name)
        return self.read({**own, "input": raw}, strict=False)


def _takes_list(annotation: Any) -> bool:
    return "list[" in str(annotation) or "tuple[" in str(annotation)


def operations(*offered: KindOperation) -> Mapping[str, KindOperation]:
    """The table of a kind, by name."""
    return {operation.name: operation for operation in offered}


def operation_of(kind: str, offered: Mapping[str, KindOperation], name: str) -> KindOperation:
    """An operation by name. Raises UnknownNameError with those that the kind offers."""
    if name not in offered:
        raise UnknownNameError(f"'{kind}' operation", name, [*BASIC, *offered])
    return offered[name]


BASIC = ("predict", "rank", "explain")
"""What every kind answers."""
