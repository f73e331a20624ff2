"""Every form of input gives the same design for the same model; what is broken is refused by name."""

import base64
import io
import json
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.hls4ml import HlsFeaturizer

FEATURIZER = HlsFeaturizer()
CONFIG = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 8, "Strategy": "Resource"}}


def shape_of(design):
    return [(layer.kind, layer.n_in, layer.n_out, layer.positions, layer.reuse_factor) for layer in design.layers]


EXPECTED = [("input", 0, 0, 1, 1), ("dense", 16, 32, 1, 8), ("activation", 0, 0, 1, 1), ("dense", 32, 5, 1, 8)]


def keras_json(class_name="Sequential"):
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 16], "name": "in"}},
        {"class_name": "Dense", "config": {"name": "fc1", "units": 32, "activation": "relu"}},
        {"class_name": "Dense", "config": {"name": "fc2", "units": 5, "activation": "linear"}},
    ]
    return {"class_name": class_name, "keras_version": "2.15.0", "config": {"name": "mlp", "layers": layers}}


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def test_keras_as_object_text_and_archive():
    model = keras_json()
    archive = zipped(config__json=json.dumps(model), metadata__json='{"keras_version": "3.4.1"}')
    for raw in (model, json.dumps(model), archive, base64.b64encode(archive).decode()):
        design = FEATURIZER.parse({"keras": raw, "hls_config": CONFIG})
        assert shape_of(design) == EXPECTED
        assert [layer.name for layer in design.layers] == ["in", "fc1", "fc1_relu", "fc2"]


def test_keras_branches_are_followed_by_name():
    def layer(class_name, name, inputs, **config):
        nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
        return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}

    layers = [
        layer("InputLayer", "x", [], batch_input_shape=[None, 8, 8, 3]),
        layer("QConv2D", "c1", ["x"], filters=4, kernel_size=[3, 3], padding="same",
              kernel_quantizer="quantized_bits(4,0,alpha=1)", activation="quantized_relu(6)"),
        layer("Dropout", "d", ["c1"]),
        layer("SeparableConv2D", "s", ["d"], filters=4, kernel_size=3, padding="same"),
        layer("Add", "a", ["s", "d"]),
        layer("GlobalAveragePooling2D", "g", ["a"]),
        layer("Dense", "out", ["g"], units=2, activation="softmax"),
    ]  # fmt: skip
    design = FEATURIZER.parse({"keras": {"class_name": "Functional", "config": {"layers": layers}}})
    named = {item.name: item for item in design.layers}
    assert (named["c1"].n_in, named["c1"].n_out, named["c1"].positions, named["c1"].weight.width) == (27, 4, 64, 4)
    assert str(named["c1_relu"].result) == "ufixed<6,0>"
    assert named["s/depthwise"].inputs == ("c1_relu",)
    assert (named["s"].n_in, named["s"].n_out) == (4, 4)
    assert named["a"].inputs == ("s", "c1_relu")
    assert (named["out"].n_in, named["out_softmax"].kind) == (4, "softmax")
    assert named["out_softmax"].table_size == 1024


def test_keras_3_history_and_recurrent_layers():
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 10, 6], "keras_history": ["x", 0, 0]}}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 10, 6], "name": "x"}, "inbound_nodes": []},
        {"class_name": "GRU", "config": {"name": "g", "units": 5}, "inbound_nodes": [{"args": [tensor]}]},
    ]
    design = FEATURIZER.parse({"keras": {"class_name": "Functional", "keras_version": "3.5.0",
                                         "config": {"layers": layers}}})  # fmt: skip
    assert [(x.name, x.n_in, x.n_out, x.positions) for x in design.layers[1:]] == [
        ("g/input", 6, 15, 10),
        ("g", 5, 15, 10),
    ]


def test_onnx_gives_what_keras_gives():
    weights = [np.ones((16, 32), np.float32), np.eye(32, 5, dtype=np.float32)]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="fc1"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "w2"], ["m"], name="fc2"),
        helper.make_node("Add", ["m", "b2"], ["y"], name="bias"),
    ]
    tensors = {"w1": weights[0], "b1": np.zeros(32, np.float32), "w2": weights[1], "b2": np.zeros(5, np.float32)}
    design = FEATURIZER.parse({"onnx": onnx_bytes(nodes, tensors, [None, 16]), "hls_config": CONFIG})
    assert shape_of(design) == EXPECTED
    assert design.layers[-1].nonzero == pytest.approx(5 / 160)


def onnx_bytes(nodes, tensors, shape, domain=""):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


def test_qonnx_quantizers_give_the_types():
    one = np.array(0.25, np.float32)
    nodes = [
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], domain="qonnx", signed=1, narrow=0),
        helper.make_node("Conv", ["x", "wq"], ["c"], name="conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Quant", ["c", "s", "z", "b"], ["y"], name="act", domain="qonnx", signed=1, narrow=0),
    ]
    tensors = {"w": np.ones((8, 3, 3, 3), np.float32), "s": one, "z": np.array(0, np.float32),
               "b": np.array(6, np.float32)}  # fmt: skip
    design = FEATURIZER.parse({"onnx": onnx_bytes(nodes, tensors, [None, 3, 10, 12], "qonnx")})
    conv, quant = design.layers[1:]
    assert (conv.n_in, conv.n_out, conv.positions, str(conv.weight)) == (27, 8, 120, "fixed<6,4>")
    assert (quant.kind, quant.out_elements, str(quant.result)) == ("quantize", 960, "fixed<6,4>")


def test_record_takes_the_reuse_factor_that_was_built():
    record = {
        "meta_data": {"model_name": "m1"},
        "model_config": [
            {"class_name": "InputLayer", "input_shape": [None, 80], "output_shape": [None, 80]},
            {"class_name": "QDense", "input_shape": [None, 80], "neurons": 24, "reuse_factor": 960},
            {"class_name": "Activation", "input_shape": [None, 24], "activation": "relu"},
            {"class_name": "Dense", "input_shape": [None, 24], "neurons": 120, "reuse_factor": 960},
        ],
        "hls_config": {"Model": {"Precision": {"default": "fixed<8,1>"}, "ReuseFactor": 1024, "Strategy": "Resource"},
                       "clock_period": 5.0, "io_type": "io_parallel"},
        "target_part": "xcu250-figd2104-2L-e",
        "vivado_version": "2023.2",
    }  # fmt: skip
    record["clock_period"] = record["hls_config"]["clock_period"]
    design = FEATURIZER.parse(record)
    assert [layer.reuse_factor for layer in design.layers if layer.n_in] == [960, 960]
    assert (design.board.name, design.backend, design.layers[1].weight.width) == ("alveo-u250", "vitis", 8)


PARAMETERS = """
// fc1
struct config2 : nnet::dense_config {
    static const unsigned n_in = 16;
    static const unsigned n_out = N_LAYER_2;
    static const unsigned io_type = nnet::io_parallel;
    static const unsigned strategy = nnet::resource;
    static const unsigned reuse_factor = 8;
    static const unsigned n_nonzeros = 256;
    typedef fc1_accum_t accum_t;
    typedef weight2_t weight_t;
};

// fc1_relu
struct relu_config3 : nnet::activ_config {
    static const unsigned n_in = N_LAYER_2;
    static const unsigned table_size = 1024;
};

// conv
struct config4_mult : nnet::dense_config {
    static const unsigned n_in = 6;
    static const unsigned strategy = nnet::latency;
};

struct config4 : nnet::conv1d_config {
    static const unsigned in_width = 10;
    static const unsigned n_chan = 2;
    static const unsigned filt_width = 3;
    static const unsigned n_filt = 4;
    static const unsigned out_width = 8;
    static const unsigned reuse_factor = 1;
};
"""
DEFINES = """
#define N_LAYER_2 32
typedef ap_fixed<6,1> weight2_t;
typedef ap_fixed<18,8> fc1_accum_t;
typedef nnet::array<ap_ufixed<9,4>, 32*1> layer3_t;
"""


def test_a_project_is_read_from_what_is_compiled_not_from_its_yml():
    yml = "Part: zcu102\nClockPeriod: 5\nHLSConfig:\n  Model: {Precision: 'fixed<16,6>', ReuseFactor: 999}\n"
    files = {"p/firmware/parameters.h": PARAMETERS, "p/firmware/defines.h": DEFINES, "p/hls4ml_config.yml": yml}
    stream = zipped(**{name.replace(".", "__"): text for name, text in files.items()})
    for raw in (files, stream):
        design = FEATURIZER.parse({"project": raw})
        dense, relu, conv = design.layers
        assert (dense.name, dense.n_out, dense.reuse_factor, dense.strategy) == ("fc1", 32, 8, "resource")
        assert (dense.weight.width, dense.accum.width, dense.nonzero) == (6, 18, 0.5)
        assert (relu.function, str(relu.result)) == ("relu", "ufixed<9,4>")
        assert (conv.n_in, conv.n_out, conv.positions, conv.strategy) == (6, 4, 8, "latency")
        assert design.board.name == "zcu102"


class Fake:
    """As much of hls4ml's ModelGraph as is read."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def get_layers(self):
        return self.layers

    def get_weights(self):
        return self.weights

    def get_output_variable(self):
        return self.variable

    def get_config_value(self, key):
        return {"Part": "vu13p", "ClockPeriod": 4, "IOType": "io_parallel"}.get(key)

    def size(self):
        return 16


def test_a_model_graph_is_read_without_importing_hls4ml():
    def precision(text):
        return Fake(precision=text)

    def layer(name, class_name, inputs, attributes, weights=()):
        return Fake(name=name, class_name=class_name, inputs=inputs, outputs=[name], attributes=attributes,
                    weights=list(weights), variable=Fake(type=precision("fixed<10,4>")))  # fmt: skip

    weight = Fake(name="w2", type=precision("fixed<7,1>"), data_length=512, nzeros=128)
    source = layer("x", "Input", [], {})
    source.variable.size = lambda: 16
    attributes = {
        "n_in": 16,
        "n_out": 32,
        "reuse_factor": 8,
        "strategy": "resource",
        "accum_t": precision("fixed<20,9>"),
    }
    dense = layer("fc", "VivadoDense", ["x"], attributes, [weight])
    graph = Fake(
        layers=[source, dense], config=Fake(get_config_value=Fake().get_config_value, backend=Fake(name="Vitis"))
    )
    design = FEATURIZER.parse({"model_graph": graph})
    built = design.layers[1]
    assert (built.n_in, built.n_out, built.reuse_factor, built.strategy) == (16, 32, 8, "resource")
    assert (built.weight.width, built.accum.width, built.result.width, built.nonzero) == (7, 20, 10, 0.75)
    assert (design.board.name, design.clock_ns, design.backend) == ("vu13p", 4.0, "vitis")


@pytest.mark.parametrize(
    ("raw", "kind", "word"),
    [
        ({"keras": "{"}, InputError, "valid JSON"),
        ({"keras": "model.keras"}, InputError, "base64"),
        ({"keras": {**keras_json(), "keras_version": "4.0.0"}}, InputError, "major version"),
        ({"keras": {"config": {}}}, InputError, "config.layers"),
        ({"keras": zipped(other__json="{}")}, InputError, "config.json"),
        ({"keras": b"PK\x03\x04broken"}, InputError, "archive"),
        ({"keras": b"\x89HDF\r\n\x1a\nbroken"}, InputError, "h5"),
        ({"keras": {"config": {"layers": [{"class_name": "Dense", "config": {"units": 3}}]}}}, InputError, "shape"),
        ({"keras": {"config": {"layers": [1]}}}, InputError, "Keras layer"),
        ({"onnx": b"not a graph"}, InputError, "ONNX"),
        ({"onnx": "text"}, InputError, "bytes"),
        (
            {"onnx": onnx_bytes([helper.make_node("Relu", ["x"], ["y"])], {}, [None, None])},
            InputError,
            "shape of input",
        ),
        ({"onnx": onnx_bytes([helper.make_node("Erf", ["x"], ["y"])], {}, [None, 4])}, UnknownNameError, "Erf"),
        ({"project": {"defines.h": ""}}, InputError, "parameters.h"),
        ({"project": {"parameters.h": "// nothing"}}, InputError, "at least one"),
        ({"project": "/etc"}, InputError, "folder"),
        ({"model_config": {}}, InputError, "list of layers"),
        ({"model_config": [{"class_name": "Dense", "neurons": 4}]}, InputError, "input shape"),
        ({"model_graph": 3}, InputError, "ModelGraph"),
    ],
)
def test_broken_inputs_are_refused_by_name(raw, kind, word):
    with pytest.raises(kind, match=word):
        FEATURIZER.parse(raw)


def test_an_archive_bomb_is_not_unpacked():
    bomb = zipped(config__json="0" * (65 << 20))
    assert len(bomb) < 1 << 20
    with pytest.raises(LimitError, match="unpacked"):
        FEATURIZER.parse({"keras": bomb})


def test_columns_are_named_once_and_hold_what_they_say():
    design = FEATURIZER.parse({"keras": keras_json(), "hls_config": CONFIG, "part": "zcu102"})
    features = FEATURIZER.features([design, design], names=True)
    names = [column.name for column in features.columns]
    assert len(set(names)) == len(names) == features.vectors.shape[1] == 34
    assert features.column("multiplications").tolist() == [16 * 32 + 32 * 5] * 2
    assert features.column("multipliers").tolist() == [64 + 20] * 2
    assert features.parts.names[1] == ("fc1",)
    assert FEATURIZER.part_ops(features)[:3] == ["input", "dense", "activation"]
    assert np.isfinite(features.vectors).all()


def test_no_designs_no_rows():
    assert FEATURIZER.features([]).vectors.shape == (0, 34)
