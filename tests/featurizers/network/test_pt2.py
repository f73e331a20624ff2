"""torch.export archives: the same network as through ONNX, dynamic dimensions, and broken archives."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from featurizers.errors import InputError, UnknownNameError
from featurizers.network import NetworkFeaturizer
from featurizers.network.pt2_reader import read_pt2


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.Hardswish(), nn.MaxPool2d(2), nn.Conv2d(16, 24, 3)
        )
        self.norm = nn.LayerNorm(24)
        self.mlp = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24), nn.SiLU())
        self.head = nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.features(x).flatten(2).transpose(1, 2)
        y = y + self.mlp(self.norm(y))
        return torch.softmax(self.head(y.mean(1)), -1)


def randomised(net: nn.Module) -> nn.Module:
    """Weights that differ, so that an exporter merges none of them."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net.eval()


def exported(net: nn.Module, shape: tuple[int, ...], dynamic: bool = False) -> bytes:
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},) if dynamic else None
    file = io.BytesIO()
    torch.export.save(torch.export.export(net, (torch.randn(shape),), dynamic_shapes=shapes), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def archive() -> bytes:
    return exported(randomised(Net()), (2, 3, 12, 12))


@pytest.mark.filterwarnings("ignore")
def test_the_same_network_through_onnx_and_torch_export(archive: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    torch.onnx.export(
        randomised(Net()), (torch.randn(2, 3, 12, 12),), path, dynamo=True, verbose=False, external_data=False
    )
    featurizer = NetworkFeaturizer()
    raws = [{"pt2": archive}, {"onnx": path.read_bytes()}]
    features = featurizer.features([featurizer.parse(raw) for raw in raws])
    for name in (
        "macs",
        "parameters",
        "batch",
        "resolution",
        "conv_flops",
        "matmul_flops",
        "input_bytes",
        "output_bytes",
    ):
        pt2, onnx = features.column(name)
        assert pt2 == onnx, name


def test_a_symbolic_dimension_takes_a_value_by_its_symbol() -> None:
    data = exported(randomised(Net()), (2, 3, 12, 12), dynamic=True)
    with pytest.raises(InputError, match="--dim") as caught:
        read_pt2(data)
    symbol = caught.value.what.split("'")[1]
    graph = read_pt2(data, {symbol: 5})
    assert graph.tensors[graph.inputs[0]].shape == (5, 3, 12, 12)
    assert graph.tensors[graph.outputs[0]].shape == (5, 10)
    with pytest.raises(UnknownNameError, match="nothere"):
        read_pt2(data, {symbol: 5, "nothere": 1})


def rewritten(data: bytes, change: object) -> bytes:
    """The archive with its graph replaced by what `change` makes of it."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as out:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith("models/model.json") or "/models/" in info.filename:
                assert callable(change)
                content = change(content)
            out.writestr(info.filename, content)
    return target.getvalue()


def test_an_unknown_op_is_named_with_its_node(archive: bytes) -> None:
    odd = rewritten(archive, lambda text: text.replace(b"aten.hardswish.default", b"aten.wavelet.default"))
    with pytest.raises(UnknownNameError, match=r"aten\.wavelet.*hardswish"):
        read_pt2(odd)
    assert read_pt2(odd, allow_unknown_ops=True).unknown_ops == ("hardswish",)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: text[: len(text) // 2], "must be JSON"),
        (lambda text: b"[]", "schema version"),
        (lambda text: json.dumps({**json.loads(text), "schema_version": {"major": 99}}).encode(), "schema version"),
        (lambda text: text.replace(b'"as_int": 12', b'"as_int": 0'), "at least 1"),
        (lambda text: text.replace(b'"tensor_values"', b'"values"'), "schema of torch.export"),
    ],
)
def test_broken_graphs(archive: bytes, change: object, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        read_pt2(rewritten(archive, change))


def test_broken_archives(archive: bytes) -> None:
    for data in (b"", b"PK\x03\x04", archive[: len(archive) // 2], b"x" * 1000):
        with pytest.raises(InputError, match=r"\.pt2"):
            read_pt2(data)
    with pytest.raises(InputError, match="at most 100 bytes"):
        read_pt2(archive, max_bytes=100)
