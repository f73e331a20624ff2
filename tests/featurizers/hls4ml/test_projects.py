"""Projects that hls4ml 1.3.0 wrote, read beside the model that they were written from."""

import json

import pytest

from featurizers.hls4ml import HlsFeaturizer
from tests.featurizers.hls4ml.real_hls4ml import PROJECTS, QUESTIONS, model_graph

FEATURIZER = HlsFeaturizer()


def told(design):
    """What decides the cost of each layer that computes; how a stream is cut where there is one."""
    rows = []
    for layer in design.layers:
        if layer.kind == "reshape":
            continue
        words = layer.positions if design.io_type == "io_stream" and layer.kind != "input" else 1
        stored = (layer.weight.width, layer.accum.width) if layer.n_in else ()
        rows.append({
            "name": layer.name, "kind": layer.kind, "matrix": (layer.n_in, layer.n_out), "elements":
            (layer.in_elements, layer.out_elements), "positions": layer.positions if layer.n_in else words,
            "reuse": layer.reuse_factor, "strategy": layer.strategy if layer.n_in else "", "window": layer.window,
            "bits": (layer.source.width, layer.result.width, *stored),
            "function": layer.function, "table": layer.table_size if layer.table_size else 0, "nonzero": layer.nonzero,
        })  # fmt: skip
    conditions = (design.board.name, design.io_type, design.clock_ns, design.clock_uncertainty, design.backend)
    return rows, conditions


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_written_project_is_the_design_that_its_model_becomes(name):
    asked = json.loads((PROJECTS / name / "model.json").read_text())
    assert asked == QUESTIONS[name]
    of_model, of_project = (told(FEATURIZER.parse(raw)) for raw in (asked, {"project": PROJECTS / name}))
    for wanted, found in zip(of_model[0], of_project[0], strict=True):
        assert found == wanted
    assert of_project[1] == of_model[1]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_installed_hls4ml_builds_what_is_read(name, tmp_path):
    pytest.importorskip("hls4ml", reason="hls4ml 1.3.0 is in an environment of its own: make test-hls4ml")
    graph = model_graph(name, tmp_path)
    graph.write()
    of_model = told(FEATURIZER.parse(QUESTIONS[name]))
    for raw in ({"model_graph": graph}, {"project": tmp_path}):
        found = told(FEATURIZER.parse(raw))
        for wanted, row in zip(of_model[0], found[0], strict=True):
            assert row == wanted
        assert found[1] == of_model[1]
