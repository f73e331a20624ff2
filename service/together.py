"""Small questions that wait at the same time are answered together.

One input costs a model almost as much as a hundred do: its time goes into calls, not into numbers. While the event loop
answers one request others arrive, so that a service under load always has several to answer; alone, a request waits for
one turn of the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from costmodel.predictor import Predictor
from service.answers import Observe, Predict, check, joined
from service.asked import Asked
from service.memory import Told

log = logging.getLogger("costmodel.service")

_INPUTS_MAX = 32
"""Inputs answered in one turn of the loop, which nobody else gets meanwhile."""


@dataclass(slots=True, eq=False)
class _Waiting:
    predictor: Predictor
    asked: Asked
    known: list[Told | None]
    observe: Observe
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

    async def __call__(self, predictor: Predictor, asked: Asked, observe: Observe) -> bytes:
        """The answer to one small question in JSON; what is remembered is given at once."""
        check(predictor, asked)
        known = self._predict.known(predictor, asked)
        if None not in known:
            return joined(known, observe)  # type: ignore[arg-type]
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        mine = _Waiting(predictor, asked, known, observe)
        self._waiting.append(mine)
        return await mine.answer

    def _answer(self) -> None:
        """The first of those that wait, and all that can be asked with it."""
        about, inputs = self._waiting[0].about, 0
        turn: list[_Waiting] = []
        later: list[_Waiting] = []
        for each in self._waiting:
            inputs += len(each.asked)
            (turn if each.about == about and inputs <= _INPUTS_MAX else later).append(each)
        self._waiting = later
        if later:
            asyncio.get_running_loop().call_soon(self._answer)
        if len(turn) == 1 or not self._answered_at_once(turn):
            for each in turn:
                self._answered(each)

    def _answered_at_once(self, turn: Sequence[_Waiting]) -> bool:
        """False where it cannot be: whose question it is that fails shows when each is asked alone."""
        first = turn[0]
        texts = [text for each in turn for text in each.asked.texts or ()]
        known = list(chain.from_iterable(each.known for each in turn))
        try:
            told = self._predict.told(first.predictor, first.asked.with_texts(texts), known)
        except Exception:
            log.debug("%d questions could not be answered together", len(turn), exc_info=True)
            return False
        begin = 0
        for each in turn:
            self._give(each, told[begin : begin + len(each.known)])
            begin += len(each.known)
        return True

    def _answered(self, alone: _Waiting) -> None:
        try:
            told = self._predict.told(alone.predictor, alone.asked, alone.known)
        except Exception as error:
            if not alone.answer.done():
                alone.answer.set_exception(error)
            return
        self._give(alone, told)

    @staticmethod
    def _give(each: _Waiting, told: list[Told]) -> None:
        if each.answer.done():  # its caller went away
            return
        try:
            each.answer.set_result(joined(told, each.observe))
        except Exception as error:
            each.answer.set_exception(error)
