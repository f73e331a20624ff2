"""Reported measurements (``POST /v1/measurements``) as further labels of the corpus that a model is trained on."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from costmodel.corpus import Corpus, Labels
from featurizers.core import Raw
from featurizers.errors import InputError

if TYPE_CHECKING:
    from costmodel.state.reports import Report
    from costmodel.training.fitting import FeatureStore

FAMILY: Final = "reported"
_VALIDATION_OF: Final = 5
"""Every fifth subject validates, so that intervals learn of the reports too; the others are trained on."""
_FAR: Final = 100.0
"""A value so many times its prediction, within the model's domain, is one in another unit."""
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of the reports. used : labels made. subjects : different inputs. left_out : reports, by reason."""

    used: int
    subjects: int
    left_out: Mapping[str, int]
    conditions: tuple[Mapping[str, Any], ...]

    def told(self) -> str:
        """In words, for the log."""
        reasons = "".join(f"; {count} left out: {reason}" for reason, count in sorted(self.left_out.items()))
        return f"feedback: {self.used} labels of {self.subjects} inputs joined the data{reasons}"

    def card(self) -> dict[str, Any]:
        """For the model's card."""
        return {
            "labels": self.used, "subjects": self.subjects, "left_out": dict(self.left_out),
            "conditions": [dict(each) for each in self.conditions],
        }  # fmt: skip


def join_reports(store: FeatureStore, reports: Iterable[Report], log: Callable[[str], None]) -> Joined:
    """Put reports into the store's corpus. A report is left out, and counted, where it is of another device or target
    than the data, where its conditions are not the device's, or where its input is one that the data hold out."""
    corpus = store.corpus
    places = {(own.device.name, own.target.name): i for i, own in enumerate(corpus.labels)}
    held_out = _held_out(store)
    left_out: Counter[str] = Counter()
    groups: dict[str, dict[int, list[float]]] = {}
    raws: dict[str, Raw] = {}
    conditions: dict[bytes, Mapping[str, Any]] = {}
    for report in reports:
        reason = _refusal(store, report, places, held_out)
        if reason is not None:
            left_out[reason] += 1
            continue
        digest = _digest(report.raw)
        raws[digest] = report.raw
        place = places[report.device, report.target]
        groups.setdefault(digest, {}).setdefault(place, []).append(report.measured)
        conditions[_encode(report.conditions)] = report.conditions
    if groups:
        store.corpus = _extended(corpus, raws, groups)
    used = sum(len(own) for own in groups.values())
    joined = Joined(used, len(groups), left_out, tuple(conditions[key] for key in sorted(conditions)))
    log(joined.told())
    return joined


def _refusal(
    store: FeatureStore, report: Report, places: Mapping[tuple[str, str], int], held_out: Mapping[str, set[bytes]]
) -> str | None:
    place = places.get((report.device, report.target))
    if place is None:
        return f"the data have no target '{report.target}' on device '{report.device}'"
    device = store.corpus.labels[place].device
    for name, value in report.conditions.items():
        if name in device.descriptor and device.descriptor[name] != value:
            return f"condition '{name}' is not that of device '{device.name}'"
    if report.in_domain and report.predicted > 0 and not 1 / _FAR < report.measured / report.predicted < _FAR:
        return f"more than {_FAR:g} times off within the model's domain: another unit?"
    try:
        subject = store.featurizer.parse(report.raw)
    except InputError:
        return "the input can no longer be read"
    vector = store.featurizer.features([subject], profile=device.profile).vectors[0]
    return "the data hold this input out for testing" if vector.tobytes() in held_out[device.profile] else None


def _held_out(store: FeatureStore) -> dict[str, set[bytes]]:
    """Vectors of the subjects that no model may learn from, by profile."""
    found: dict[str, set[bytes]] = {}
    rows: dict[str, set[int]] = {}
    for labels in store.corpus.labels:
        kept = labels.subject[store.corpus.split[labels.subject] != "train"]
        rows.setdefault(labels.device.profile, set()).update(kept.tolist())
    for profile, own in rows.items():
        subjects = []
        for row in sorted(own):
            try:
                subjects += store.subjects(np.array([row]))
            except ValueError:  # refused by the featurizer: no model is tested on it
                continue
        features = store.featurizer.features(subjects, profile=profile) if subjects else None
        found[profile] = set() if features is None else {vector.tobytes() for vector in features.vectors}
    return found


def _digest(raw: Raw) -> str:
    return hashlib.sha256(_encode(raw)).hexdigest()


def _extended(corpus: Corpus, raws: Mapping[str, Raw], groups: Mapping[str, Mapping[int, list[float]]]) -> Corpus:
    """`corpus` with a subject per digest and, per entry of `corpus.labels`, the median of its reported values."""
    digests = sorted(groups)
    first = len(corpus.raws)
    added: list[list[tuple[int, float, float]]] = [[] for _ in corpus.labels]
    for row, digest in enumerate(digests, first):
        for place, values in groups[digest].items():
            value = float(np.median(values))
            spread = (max(values) - min(values)) / 2 / abs(value) if len(values) > 1 and value else math.nan
            added[place].append((row, value, spread))
    split = ["validation" if int(digest[:8], 16) % _VALIDATION_OF == 0 else "train" for digest in digests]
    told = _encode([corpus.checksum, *([digest, sorted(groups[digest].items())] for digest in digests)])
    return replace(
        corpus.with_subjects([raws[digest] for digest in digests], _labels_of(corpus, digests, groups)),
        ids=(*corpus.ids, *(f"{FAMILY}-{digest[:16]}" for digest in digests)),
        family=np.concatenate([corpus.family, np.array([FAMILY] * len(digests))]),
        split=np.concatenate([corpus.split, np.array(split)]),
        labels=tuple(_grown(labels, own) for labels, own in zip(corpus.labels, added, strict=True)),
        checksum=hashlib.sha256(told).hexdigest(),
    )


def _labels_of(
    corpus: Corpus, digests: Sequence[str], groups: Mapping[str, Mapping[int, list[float]]]
) -> list[dict[tuple[str, str], float]]:
    names = [(labels.device.name, labels.target.name) for labels in corpus.labels]
    return [{names[place]: float(np.median(v)) for place, v in groups[digest].items()} for digest in digests]


def _grown(labels: Labels, added: Sequence[tuple[int, float, float]]) -> Labels:
    """A single value's noise is not known: it is taken for the median of the device's own."""
    if not added:
        return labels
    usual = float(np.median(labels.noise)) if len(labels.noise) else 0.0
    rows, values, noise = (np.array(column) for column in zip(*added, strict=True))
    return replace(
        labels,
        subject=np.concatenate([labels.subject, rows.astype(np.int64)]),
        value=np.concatenate([labels.value, values]),
        noise=np.concatenate([labels.noise, np.where(np.isnan(noise), usual, noise)]),
    )
