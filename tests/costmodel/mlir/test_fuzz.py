"""The fuzzing benchmark's mutants are varied and repeatable; a sample of them does not break the featurizer."""

from __future__ import annotations

import random

from costmodel.benchmarks.mlir_fuzz import SEEDS, _mutated_bytes, bytecode, mutated
from featurizers.errors import InputError
from featurizers.mlir import MlirFeaturizer


def mutants(count: int) -> list[bytes]:
    rng = random.Random(1)
    binaries = bytecode(SEEDS)
    return [
        _mutated_bytes(rng.choice(binaries), rng) if n % 5 == 4 else mutated(rng.choice(SEEDS), rng)
        for n in range(count)
    ]


def test_mutants_are_repeatable_and_mostly_distinct() -> None:
    found = mutants(300)
    assert found == mutants(300)
    assert len(set(found)) > 250


def test_every_mutant_is_answered_or_refused() -> None:
    featurizer = MlirFeaturizer()
    answered = refused = 0
    for source in mutants(300):
        try:
            subject = featurizer.parse({"file": source, "dims": {"*": 8}})
            featurizer.features([subject], profile="znver4")
            answered += 1
        except InputError:
            refused += 1
    assert answered > 5
    assert refused > 100
