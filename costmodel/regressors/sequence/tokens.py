"""Token streams as the arrays that the networks read; numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from featurizers.core import Features, IntArray
from featurizers.errors import InputError

PADDING, UNKNOWN = 0, 1
_FIRST = 2


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words that training programs had, which travel with the model; any other word is unknown to it.

    stream : which of `Features.sequences`. longest : tokens beyond so many are cut off.
    """

    stream: str
    longest: int
    words: tuple[str, ...]

    @classmethod
    def fit(cls, features: Features, stream: str, longest: int) -> Self:
        """From training subjects. InputError where the kind has no such stream."""
        vocabulary = features.vocabularies.get(stream, ())
        used = np.unique(np.concatenate([np.empty(0, np.int64), *_sequences(features, stream)]))
        return cls(stream, longest, tuple(vocabulary[code] for code in used))

    def encode(self, features: Features) -> list[IntArray]:
        """The model's codes of each subject, at least one (padding) each."""
        place = {word: i + _FIRST for i, word in enumerate(self.words)}
        table = np.array([place.get(word, UNKNOWN) for word in features.vocabularies.get(self.stream, ())], np.int64)
        found = [table[sequence[: self.longest]] for sequence in _sequences(features, self.stream)]
        return [codes if len(codes) else np.array([PADDING]) for codes in found]

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return len(self.words) + _FIRST

    def to_json(self) -> dict[str, Any]:
        """Plain words and numbers."""
        return {"stream": self.stream, "longest": self.longest, "words": list(self.words)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(content["stream"], content["longest"], tuple(content["words"]))


def _sequences(features: Features, stream: str) -> tuple[IntArray, ...]:
    if stream not in features.sequences:
        rule = f"must be a token stream of the kind: {', '.join(features.sequences) or 'it has none'}"
        raise InputError(f"The stream '{stream}'", rule)
    return features.sequences[stream]


def padded(sequences: Sequence[IntArray]) -> dict[str, npt.NDArray[Any]]:
    """tokens (n, longest of them) and lengths (n,)."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    tokens = np.full((len(sequences), int(lengths.max())), PADDING, dtype=np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return {"tokens": tokens, "lengths": lengths}
