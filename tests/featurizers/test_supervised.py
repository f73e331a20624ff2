"""Files read in another process: the same subjects and errors as here, and what breaks a reader costs one answer."""

from __future__ import annotations

import io
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from costmodel.benchmarks.mutation_seeds import seeds
from costmodel.kinds import load_bundle
from costmodel.registry import PRETRAINED
from costmodel.zoo import build, sample_specs
from featurizers.core import Features
from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.hls4ml import HlsFeaturizer
from featurizers.network import NetworkFeaturizer
from featurizers.network.coding import decode, encode
from featurizers.supervised import ReadingLimits, Supervised, SupervisedFeaturizer


@pytest.fixture(scope="module")
def processes() -> Iterator[Supervised]:
    pool = Supervised(size=1)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def network(processes: Supervised) -> SupervisedFeaturizer:
    return SupervisedFeaturizer(NetworkFeaturizer(), processes)


def equal(one: Features, other: Features) -> None:
    assert np.array_equal(one.vectors, other.vectors, equal_nan=True)
    assert one.parts is not None
    assert other.parts is not None
    for name in ("matrix", "owner", "part", "count"):
        assert np.array_equal(getattr(one.parts, name), getattr(other.parts, name), equal_nan=True)
    assert one.parts.names == other.parts.names


@pytest.mark.parametrize("profile", ["onnxruntime", "openvino", "none"])
def test_a_graph_has_the_same_features_after_the_way(profile: str) -> None:
    featurizer = NetworkFeaturizer()
    for spec in sample_specs(12, seed=4):
        graph = featurizer.parse({"onnx": build(spec, weights=False).SerializeToString()})
        found = featurizer.features([decode(encode(graph))], profile=profile, names=True)  # type: ignore[arg-type]
        equal(found, featurizer.features([graph], profile=profile, names=True))


@pytest.mark.parametrize("value", [(1, [2.5, None]), 2**80, np.float32(3), np.array(["a"]), {"a": b"x"}, -(2**63)])
def test_values_keep_their_types(value: Any) -> None:
    from featurizers.network.coding import _marked, _unmarked

    found = _unmarked(_marked(value))
    assert type(found) is type(value)
    assert np.all(found == value)


def test_files_of_every_form_are_read_as_they_are_here(processes: Supervised, network: SupervisedFeaturizer) -> None:
    read = {"network": network, "hls4ml": SupervisedFeaturizer(HlsFeaturizer(), processes)}
    for kind, supervised in read.items():
        found = [s for s in seeds(kind, load_bundle(PRETRAINED / kind)) if "field=" in s.path and "explain" in s.path]
        assert len(found) > 3
        for seed in found:
            raw = {seed.path.partition("field=")[2]: seed.body}
            here = supervised._base.parse(raw)
            equal(supervised.features([supervised.parse(raw)], names=True), supervised.features([here], names=True))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ({"onnx": b"hello"}, InputError),
        ({"onnx": b""}, InputError),
        ({"onnx": b"", "nonsense": 1}, UnknownNameError),
        ({"pt2": b"PK"}, InputError),
    ],
)
def test_errors_are_those_that_are_raised_here(network: SupervisedFeaturizer, raw: Any, error: type) -> None:
    with pytest.raises(error) as there:
        network.parse(raw)
    with pytest.raises(error) as here:
        NetworkFeaturizer().parse(raw)
    assert str(there.value) == str(here.value)
    assert vars(there.value) == vars(here.value)


def test_a_reader_that_is_killed_costs_one_answer(network: SupervisedFeaturizer, processes: Supervised) -> None:
    model = {"onnx": build(sample_specs(1, seed=1)[0], weights=False).SerializeToString()}
    network.parse(model)
    os.kill(processes._idle[0].popen.pid, signal.SIGKILL)
    with pytest.raises(InputError, match="broke its reader"):
        network.parse(model)
    assert network.parse(model).nodes


def test_time_and_memory_are_limited() -> None:
    slow = Supervised(ReadingLimits(seconds=20), size=1)
    slow.warm("network")
    slow._idle[0].seconds = 0.0
    with pytest.raises(LimitError, match="must be read within"):
        slow.parse("network", {"onnx": b""}, decode)
    small = Supervised(ReadingLimits(memory_bytes=500 << 20), size=1)
    small.warm("hls4ml")
    with pytest.raises(InputError, match="memory"):
        small.parse("hls4ml", {"keras": b"[" + b"[]," * (9 << 20) + b"0]"}, decode)
    small.warm("network")
    slow.close()
    small.close()


def bomb(name: str, size: int) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        for _ in range(size >> 20):
            member.write(b"0" * (1 << 20))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("network", {"pt2": bomb("a/models/model.json", 300 << 20)}),
        ("hls4ml", {"keras": bomb("config.json", 100 << 20)}),
        ("hls4ml", {"project": bomb("p/firmware/parameters.h", 100 << 20)}),
    ],
    ids=["pt2", "keras", "project"],
)
def test_archives_that_unpack_to_far_more_are_refused(processes: Supervised, kind: str, raw: Any) -> None:
    assert len(next(iter(raw.values()))) < 1 << 20
    with pytest.raises(LimitError, match="at most"):
        processes.parse(kind, raw, decode)


def test_json_of_great_depth_in_a_file_is_refused(processes: Supervised) -> None:
    with pytest.raises(InputError, match="valid JSON"):
        processes.parse("hls4ml", {"keras": b"[" * 200_000}, decode)
    nested = json.dumps({"class_name": "Sequential", "config": {"layers": []}}).encode()
    with pytest.raises(InputError):
        processes.parse("hls4ml", {"keras": nested}, decode)


def test_a_matrix_whose_divisors_nobody_could_find_is_refused_at_once() -> None:
    layer = {"class": "Dense", "units": 4, "weight": "fixed<8,1>", "strategy": "resource", "reuse_factor": 2}
    shape = [2**31 - 1, 2**31 - 1, 4]
    conv = {"class": "Conv2D", "filters": 4, "kernel_size": [2**31 - 1, 2**31 - 1], "weight": "fixed<8,1>"}
    for raw in ({"layers": [conv | {"strategy": "resource"}], "input_shape": shape},):
        with pytest.raises(InputError):
            HlsFeaturizer().parse(raw)
    assert HlsFeaturizer().parse({"layers": [layer], "input_shape": [16]}).layers


def test_an_output_that_is_no_value_of_the_graph_is_refused() -> None:
    torch_seed = next(
        (s for s in seeds("network", load_bundle(PRETRAINED / "network")) if s.name.endswith("pt2")), None
    )
    if torch_seed is None:
        pytest.skip("torch, which writes the file, is not installed")
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(torch_seed.body)) as old, zipfile.ZipFile(stream, "w") as new:
        for info in old.infolist():
            text = old.read(info)
            if info.filename.endswith("model.json"):
                program = json.loads(text)
                for spec in program["graph_module"]["signature"]["output_specs"]:
                    spec["user_output"]["arg"]["as_tensor"]["name"] = "nobody"
                text = json.dumps(program).encode()
            new.writestr(info.filename, text)
    with pytest.raises(InputError, match="'nobody' must be that of a value of the graph"):
        NetworkFeaturizer().parse({"pt2": stream.getvalue()})
