"""The bundle in the wheel: what it learned from, and that it may be shipped."""

from costmodel.hls4ml import packaged
from costmodel.hls4ml.rows import SOURCES
from costmodel.registry import PRETRAINED


def test_the_packaged_bundle_learned_from_free_data_alone_and_says_so():
    card = packaged().card
    free = {source.name: source.licence for source in SOURCES if source.free}
    assert {entry["name"]: entry["licence"] for entry in card["data"]} == free
    assert card["licence"] == "Apache-2.0"
    assert not any(name.endswith("_vsynth") for name in card["labelled_targets"]), "labelled by the NC collection alone"


def test_the_packaged_bundle_is_small():
    files = [path for path in (PRETRAINED / "hls4ml").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10 << 20
