"""Small questions that wait at the same time are answered together.

One input costs a model almost as much as a hundred do: its time goes into calls, not into numbers. While the event loop
answers one request others arrive, so that a service under load always has several to answer; alone, a request waits for
one turn of the loop. What another process reads is answered in a thread: the loop waits for no process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from costmodel.predictor import Predictor
from service.answers import Observe, Predict, check, joined
from service.asked import Asked
from service.memory import Told

log = logging.getLogger("costmodel.service")

Answer = list[Told] | Exception
"""One result per input of a question, or why it has none."""

_INPUTS_MAX = 32
"""Inputs answered in one turn of the loop, which nobody else gets meanwhile."""


@dataclass(slots=True, eq=False)
class _Waiting:
    predictor: Predictor
    asked: Asked
    known: list[Told | None]
    observe: Observe
    apart: bool
    answer: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def about(self) -> tuple[object, ...]:
        """Questions with the same of it can be asked at once."""
        return id(self.predictor), self.asked.devices, self.asked.targets


class Together:
    """Answers as `Predict` does. Used from one event loop only."""

    def __init__(self, predict: Predict):
        self._predict = predict
        self._waiting: list[_Waiting] = []
        self._scheduled = False
        self._apart: dict[str, asyncio.Task[None]] = {}
        """By kind, the turn that a thread answers; what arrives meanwhile is the next."""

    async def __call__(self, predictor: Predictor, asked: Asked, observe: Observe, apart: bool = False) -> bytes:
        """The answer to one small question in JSON; what is remembered is given at once.

        apart : in a thread, since it waits for another process.
        """
        check(predictor, asked)
        known = self._predict.known(predictor, asked)
        if None not in known:
            return joined(known, observe)  # type: ignore[arg-type]
        mine = _Waiting(predictor, asked, known, observe, apart)
        self._waiting.append(mine)
        self._answer_soon()
        return await mine.answer

    def _answer_soon(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._answer_turn)

    def _answer_turn(self) -> None:
        self._scheduled = False
        turn = self._next_turn()
        if not turn:
            return
        self._answer_soon()
        if turn[0].apart:
            kind = turn[0].predictor.kind
            self._apart[kind] = asyncio.get_running_loop().create_task(self._answer_apart(kind, turn))
        else:
            _give(turn, self._answers(turn))

    def _next_turn(self) -> list[_Waiting]:
        """The first of those that wait for no thread, and all that can be asked with it."""
        inputs = 0
        turn: list[_Waiting] = []
        later: list[_Waiting] = []
        for each in self._waiting:
            fits = each.predictor.kind not in self._apart and (not turn or each.about == turn[0].about)
            inputs += len(each.asked) if fits else 0
            (turn if fits and inputs <= _INPUTS_MAX else later).append(each)
        self._waiting = later
        return turn

    async def _answer_apart(self, kind: str, turn: Sequence[_Waiting]) -> None:
        try:
            answers: Sequence[Answer] = await asyncio.to_thread(self._answers, turn)
        except Exception as error:  # there is no thread to be had
            answers = [error] * len(turn)
        finally:
            del self._apart[kind]
            self._answer_soon()
        _give(turn, answers)

    def _answers(self, turn: Sequence[_Waiting]) -> list[Answer]:
        """Of each. Where they cannot be had at once: whose question it is that fails shows when each is asked alone."""
        if len(turn) > 1:
            try:
                return list(self._at_once(turn))
            except Exception:
                log.debug("%d questions could not be answered together", len(turn), exc_info=True)
        return [self._alone(each) for each in turn]

    def _at_once(self, turn: Sequence[_Waiting]) -> Iterator[list[Told]]:
        first = turn[0]
        texts = [text for each in turn for text in each.asked.texts or ()]
        known = list(chain.from_iterable(each.known for each in turn))
        told = iter(self._predict.told(first.predictor, first.asked.with_texts(texts), known))
        for each in turn:
            yield list(islice(told, len(each.known)))

    def _alone(self, each: _Waiting) -> Answer:
        try:
            return self._predict.told(each.predictor, each.asked, each.known)
        except Exception as error:
            return error


def _give(turn: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
    for each, answer in zip(turn, answers, strict=True):
        if each.answer.done():  # its caller went away
            continue
        try:
            if isinstance(answer, Exception):
                raise answer
            each.answer.set_result(joined(answer, each.observe))
        except Exception as error:
            each.answer.set_exception(error)
