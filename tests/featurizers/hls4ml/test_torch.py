"""PyTorch models: a module in this process and its exported file are the same design."""

import io

import pytest

from featurizers.errors import InputError
from featurizers.hls4ml import HlsFeaturizer

FEATURIZER = HlsFeaturizer()


@pytest.fixture(scope="module")
def module():
    torch = pytest.importorskip("torch")

    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch.nn.Conv2d(1, 8, 3)
            self.bn = torch.nn.BatchNorm2d(8)
            self.fc1 = torch.nn.Linear(8 * 6 * 6, 32)
            self.fc2 = torch.nn.Linear(32, 5)

        def forward(self, x):
            x = torch.max_pool2d(torch.relu(self.bn(self.conv1(x))), 2)
            x = torch.relu(self.fc1(torch.flatten(x, 1)))
            return torch.softmax(self.fc2(x), -1)

    return Tagger().eval()


@pytest.fixture(scope="module")
def exported(module):
    import torch

    stream = io.BytesIO()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 1, 14, 14),)), stream)
    return stream.getvalue()


def test_a_module_and_its_file_are_the_same_design(module, exported):
    config = {"Model": {"Precision": "ap_fixed<12,4>", "ReuseFactor": 8, "Strategy": "Resource"},
              "LayerName": {"fc1": {"ReuseFactor": 32}}}  # fmt: skip
    design = FEATURIZER.parse({"pt2": exported, "hls_config": config, "part": "zcu102"})
    assert design == FEATURIZER.parse(
        {"pt2": module, "input_shape": [1, 14, 14], "hls_config": config, "part": "zcu102"}
    )
    shapes = {layer.name: (layer.kind, layer.n_in, layer.n_out, layer.positions) for layer in design.layers}
    assert shapes["conv1"] == ("conv2d", 9, 8, 144)
    assert shapes["fc1"] == ("dense", 288, 32, 1)
    assert shapes["fc2"] == ("dense", 32, 5, 1)
    assert [layer.kind for layer in design.layers] == [
        "input", "conv2d", "batch_norm", "activation", "pooling", "reshape", "dense", "activation", "dense", "softmax",
    ]  # fmt: skip
    assert {layer.reuse_factor for layer in design.layers if layer.name == "fc1"} == {32}


def test_what_is_no_model_is_refused(module):
    for raw in ({"pt2": b"PK"}, {"pt2": 3}, {"pt2": module}, {"pt2": module, "input_shape": [3, 3]}):
        with pytest.raises(InputError):
            FEATURIZER.parse(raw)
