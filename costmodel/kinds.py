"""The registry of kinds. A new kind is a folder in featurizers/, one in datasets/, and one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featurizers.core import Featurizer
from featurizers.errors import UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

    from costmodel.corpus import Corpus
    from costmodel.devices.protocol import AdapterMaker
    from costmodel.operations import KindOperation
    from costmodel.predictor import Predictor
    from costmodel.training.fitting import FeatureStore, FitSettings


def _load(folder: Path, version: str | None) -> Predictor:
    from costmodel.predictor import Predictor

    return Predictor.load(folder, version)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the rest of the project needs to know of a kind; everything heavy behind a function.

    binary_fields : fields of a raw input that hold bytes (base64 in JSON, files in multipart forms).
    suffixes : file name's ending -> field of the raw input that takes the file's bytes (or text, if not binary);
        ``*`` where the file is the whole raw input, as JSON.
    corpus : reads the labelled data from a dataset folder, for training.
    learner, baselines : what `train` fits by default, and what every table shows beside it.
    shared : one model per target answers for all devices, whose descriptors are among the columns.
    load : reads a bundle; only a kind whose answers need more than `Predictor` has its own.
    fit : fits a whole predictor to a corpus, in place of a target model per device and target.
    operations : what it answers beside predict, rank and explain, by name; see `costmodel.operations` for how to add.
    reads_apart : every input is read by another process, and takes as long as that may; see `service.together`.
    adapters : by space of inputs, how new devices are learned from measurements; see `costmodel.devices.protocol`.
    """

    name: str
    featurizer: Callable[[], Featurizer[Any]]
    binary_fields: tuple[str, ...] = ()
    suffixes: Mapping[str, str] = field(default_factory=dict)
    corpus: Callable[[Path], Corpus] | None = None
    dataset: str = ""
    learner: str = "lightgbm"
    baselines: tuple[str, ...] = ("constant",)
    shared: bool = False
    reads_apart: bool = False
    load: Callable[[Path, str | None], Predictor] = _load
    operations: Callable[[], Mapping[str, KindOperation]] = dict
    fit: Callable[[FeatureStore, FitSettings, Callable[[str], None]], Predictor] | None = None
    adapters: Callable[[], Mapping[str, AdapterMaker]] = dict


def _network() -> Featurizer[Any]:
    from featurizers.network import NetworkFeaturizer

    return NetworkFeaturizer()


def _network_corpus(folder: Path) -> Corpus:
    from costmodel.corpora.host_networks import load_corpus

    return load_corpus(folder)


def _network_adapters() -> Mapping[str, AdapterMaker]:
    from costmodel.devices.network import ADAPTERS

    return ADAPTERS


def _cpu() -> Featurizer[Any]:
    from featurizers.cpu import CpuFeaturizer

    return CpuFeaturizer()


def _cpu_corpus(folder: Path) -> Corpus:
    from costmodel.cpu.training import load_corpus

    return load_corpus(folder)


def _load_cpu(folder: Path, version: str | None) -> Predictor:
    from costmodel.cpu.predictor import CpuPredictor

    return CpuPredictor.load(folder, version)


def _cpu_operations() -> Mapping[str, KindOperation]:
    from costmodel.cpu.operations import OPERATIONS

    return OPERATIONS


def _hls4ml() -> Featurizer[Any]:
    from featurizers.hls4ml import HlsFeaturizer

    return HlsFeaturizer()


def _load_hls4ml(folder: Path, version: str | None) -> Predictor:
    from costmodel.hls4ml.predictor import HlsPredictor

    return HlsPredictor.load(folder, version)


def _mlir() -> Featurizer[Any]:
    from featurizers.mlir import MlirFeaturizer

    return MlirFeaturizer()


def _mlir_adapters() -> Mapping[str, AdapterMaker]:
    from costmodel.mlir.devices import ADAPTERS

    return ADAPTERS


def _hls4ml_corpus(folder: Path) -> Corpus:
    from costmodel.hls4ml.corpus import load_corpus

    return load_corpus(folder)


def _fit_hls4ml(store: FeatureStore, settings: FitSettings, log: Callable[[str], None]) -> Predictor:
    from costmodel.hls4ml.corpus import fit

    return fit(store, settings, log)


def _hls4ml_operations() -> Mapping[str, KindOperation]:
    from costmodel.hls4ml.operations import OPERATIONS

    return OPERATIONS


def _mlir_corpus(folder: Path) -> Corpus:
    from costmodel.corpora.mlir_programs import load_corpus

    return load_corpus(folder)


KINDS: dict[str, Kind] = {
    "network": Kind(
        "network",
        _network,
        binary_fields=("onnx", "pt2"),
        suffixes={".onnx": "onnx", ".pt2": "pt2"},
        corpus=_network_corpus,
        dataset="host_networks",
        learner="kernel-sum",
        baselines=("log-linear", "roofline"),
        adapters=_network_adapters,
    ),
    "cpu": Kind(
        "cpu",
        _cpu,
        corpus=_cpu_corpus,
        dataset="sparecores",
        suffixes={".json": "*"},
        learner="cpu-blend",
        baselines=("core-ghz",),
        load=_load_cpu,
        operations=_cpu_operations,
    ),
    "hls4ml": Kind(
        "hls4ml",
        _hls4ml,
        binary_fields=("onnx", "keras", "project", "pt2"),
        suffixes={
            ".onnx": "onnx",
            ".keras": "keras",
            ".h5": "keras",
            ".json": "*",
            ".pt2": "pt2",
            ".zip": "project",
            ".tar.gz": "project",
        },
        corpus=_hls4ml_corpus,
        dataset="hls4ml_open",
        load=_load_hls4ml,
        fit=_fit_hls4ml,
        operations=_hls4ml_operations,
    ),
    "mlir": Kind(
        "mlir",
        _mlir,
        binary_fields=("file",),
        suffixes={".mlir": "file", ".mlirbc": "file"},
        corpus=_mlir_corpus,
        dataset="mlir_programs",
        learner="mlir-boost",
        baselines=("mlir-estimate",),
        shared=True,
        reads_apart=True,
        adapters=_mlir_adapters,
    ),
}


def kind_of(name: str) -> Kind:
    """The entry of a kind. Raises UnknownNameError with the known ones."""
    if name not in KINDS:
        raise UnknownNameError("kind", name, KINDS)
    return KINDS[name]


def load_bundle(folder: Path, version: str | None = None) -> Predictor:
    """The predictor of a bundle, as its kind reads it. Raises BundleError."""
    from costmodel.bundle_format import read_manifest

    return kind_of(str(read_manifest(folder)["kind"])).load(folder, version)


def register_kind(kind: Kind) -> None:
    """Add a kind from outside. A name that is taken is refused, naming both owners."""
    if kind.name in KINDS:
        owners = f"{KINDS[kind.name].featurizer.__module__} and {kind.featurizer.__module__}"
        raise ValueError(f"The kind '{kind.name}' is registered already: by {owners}.")
    KINDS[kind.name] = kind
