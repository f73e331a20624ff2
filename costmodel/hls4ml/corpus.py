"""Labelled designs for ``costmodel train --kind hls4ml --data DIR``, and how this kind fits them."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from costmodel.corpora.schema import checksum
from costmodel.corpus import Corpus, CorpusError, Labels
from costmodel.hls4ml.forms import TARGETS
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.predictor import OPEN_DEVICE, HlsPredictor, devices
from costmodel.hls4ml.rows import OPEN, SOURCES, LabelledDesign, Source, find_folder, load_designs
from featurizers.core import Raw
from featurizers.errors import InputError

if TYPE_CHECKING:
    from costmodel.training.fitting import FeatureStore, FitSettings

_REPORTED = "reported"
_SPLITS = ("test_seen", "validation", *("train",) * 8)
LIMITS = (
    "Single dense layers (32 to 256 wide, 2 to 14 bit weights, Vivado HLS 2020.1, xcu250) and a few unit layers were "
    "seen. Deeper designs, convolutions, recurrent layers, streams and logic synthesis are answered by closed forms "
    "with wide intervals."
)


@dataclass(frozen=True, slots=True)
class HlsCorpus(Corpus):
    """designs : the subjects with all of their labels: zeros too, and those that no synthesis came of.

    `labels` hold what is above zero, since the common tables speak of relative errors. `family` : the file.
    """

    designs: tuple[LabelledDesign, ...] = ()

    def with_subjects(self, raws: Sequence[Raw], labels: Sequence[Mapping[tuple[str, str], float]]) -> Self:
        """As `Corpus` says, and their labels as designs."""
        added = [_reported(raw, own) for raw, own in zip(raws, labels, strict=True)]
        return replace(self, raws=(*self.raws, *raws), designs=(*self.designs, *added))


def load_corpus(folder: Path) -> HlsCorpus:
    """Every table of reports that `folder` has; a tenth of the layer dimensions is tested on, a tenth validates.

    Raises CorpusError when there is none.
    """
    try:
        found = find_folder(folder, None)
        designs = tuple(load_designs(found))
    except InputError as error:
        raise CorpusError(str(error)) from error
    present = {design.file for design in designs}
    used = [source for source in SOURCES if source.name in present]
    group = np.array([design.group for design in designs])
    return HlsCorpus(
        name="hls4ml: " + ", ".join(source.name for source in used),
        kind="hls4ml",
        raws=tuple(design.raw for design in designs),
        ids=tuple(group.tolist()),
        family=np.array([design.file for design in designs]),
        split=np.array([split_of(name) for name in group.tolist()]),
        labels=tuple(_labels(designs)),
        checksum=checksum([found / source.file for source in used]),
        licence="; ".join(sorted({source.licence for source in used})),
        designs=designs,
    )


def _reported(raw: Raw, labels: Mapping[tuple[str, str], float]) -> LabelledDesign:
    """A design with reported values: of the open flow where no other tool labelled it, since models are of one tool."""
    by_open = all(device == OPEN_DEVICE for device, _ in labels)
    own = {target: value for (device, target), value in labels.items() if by_open or device != OPEN_DEVICE}
    group = hashlib.sha256(repr(raw).encode()).hexdigest()[:16]
    return LabelledDesign(OPEN if by_open else _REPORTED, f"{_REPORTED}-{group}", raw, own)


def split_of(group: str) -> str:
    """The split of every design of some layer dimensions."""
    return _SPLITS[zlib.crc32(group.encode()) % len(_SPLITS)]


def _labels(designs: Sequence[LabelledDesign]) -> list[Labels]:
    found = []
    for device in devices().values():
        for name in device.targets:
            rows = [i for i, design in enumerate(designs) if design.labels.get(name, 0) > 0]
            if rows:
                value = np.array([designs[i].labels[name] for i in rows], dtype=np.float64)
                at = np.array(rows, dtype=np.int64)
                found.append(Labels(device, TARGETS[name].target, at, value, np.zeros(len(rows))))
    return found


def fit(store: FeatureStore, settings: FitSettings, log: Callable[[str], None]) -> HlsPredictor:
    """Closed forms, and the learner on what they leave, from the train split; intervals from groups held out."""
    corpus = store.corpus
    assert isinstance(corpus, HlsCorpus)
    rows = np.flatnonzero(corpus.split == "train")
    log(f"{len(rows)} designs of {len(np.unique(np.array(corpus.ids)[rows]))} layer dimensions, {settings.learner}")
    chosen = [corpus.designs[row] for row in rows.tolist()]
    return fit_designs(chosen, settings.learner, settings.seed, corpus.checksum, **(settings.parameters or {}))


def fit_designs(
    designs: Sequence[LabelledDesign], learner: str, seed: int, data_checksum: str, **parameters: Any
) -> HlsPredictor:
    """A model of HLS, and one of the open flow where any design was labelled by it: other tools, other domains."""
    settings = {"version": _version(), **parameters}
    hls, open_flow = (HlsModel("costmodel-hls4ml", learner=learner, **settings) for _ in range(2))
    by_open = [design for design in designs if design.file == OPEN]
    if len(by_open) < len(designs):
        hls.fit([design for design in designs if design.file != OPEN], seed=seed)
    if by_open:
        open_flow.fit(by_open, seed=seed)
    hls.card = card(designs, [hls, open_flow], seed, data_checksum)
    return HlsPredictor(hls, open_flow if by_open else None)


def _version() -> str:
    from costmodel import __version__

    return __version__


def card(
    designs: Sequence[LabelledDesign], models: Sequence[HlsModel], seed: int, data_checksum: str
) -> dict[str, Any]:
    """What the bundle learned from, under which licences, and what it may be used for."""
    rows = Counter(design.file for design in designs)
    used = [source for source in SOURCES if rows[source.name]]
    learned = {name for model in models for name in model.learned}
    return {
        "title": "Resources and cycles of hls4ml designs",
        "data": [_origin(source, rows[source.name]) for source in used],
        "data_checksum": data_checksum,
        "licence": "Apache-2.0" if all(source.free for source in used) else "see data: not for redistribution",
        "learner": models[0].learner,
        "labelled_targets": sorted(learned),
        "closed_form_targets": sorted(TARGETS.keys() - learned),
        "seed": seed,
        "limits": LIMITS,
    }


def _origin(source: Source, rows: int) -> dict[str, Any]:
    return {"name": source.name, "file": source.file, "licence": source.licence, "rows": rows}
