import pytest

from costmodel.benchmarks import cpu_speed


def test_speed_is_of_all_scores_of_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_speed, "_MACHINES", 8)
    monkeypatch.setattr(cpu_speed, "_SINGLE", 2)
    monkeypatch.setattr(cpu_speed, "_REPEATS", 1)
    result = cpu_speed.run(None, None)
    bulk, single = result["rows"]
    assert (bulk["n"], single["n"]) == (8 * 33, 2 * 33)
    assert result["summary"]["predictions_per_cpu_s"] == bulk["predictions_per_cpu_s"]
    assert bulk["predictions_per_cpu_s"] > 0
    assert single["predictions_per_cpu_s"] > 0
