"""Adding, measuring, planning and asking devices, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from costmodel.devices import DeviceBook, NameTakenError, UnknownDeviceError
from costmodel.devices.wire import AddedDevice, MoreMeasurements, NewDevice, PlanQuestion, read
from costmodel.registry import ModelStore
from featurizers.errors import InputError, LimitError, UnknownNameError
from tests.measured_phone import cells, latency_ms, measured


def add(book: DeviceBook, name: str = "phone", **fields: Any) -> AddedDevice:
    new = read(NewDevice, {"name": name, "measurements": measured(), **fields})
    return msgspec.json.decode(book.add(new).answer, type=AddedDevice)


def more(book: DeviceBook, measurements: list[dict[str, Any]], **fields: Any) -> AddedDevice:
    body = read(MoreMeasurements, {"measurements": measurements, **fields})
    return msgspec.json.decode(book.measure("phone", body).answer, type=AddedDevice)


@pytest.mark.parametrize("space", ["nasbench201", "fbnet", "ofa"])
def test_an_added_device_answers(book: DeviceBook, space: str) -> None:
    device = add(book, measurements=measured(12, space=space), descriptor={"soc": "x"})
    assert (device.space, device.version, device.batch) == (space, 1, 1)
    asked = list(cells(200, 7, space))
    truth = np.array(latency_ms(asked, space))
    outcomes = book.predictor("network").predict(asked, ["phone"])
    values = np.array([prediction.value for (prediction,) in outcomes])
    assert np.median(np.abs(values / truth - 1)) < 0.1
    inside = [p.low <= t <= p.high for (p,), t in zip(outcomes, truth, strict=True)]
    assert np.mean(inside) > 0.8
    (first,) = outcomes[0]
    assert (first.unit, first.device, first.in_domain, first.coverage) == ("ms", "phone", True, 0.9)
    assert first.model == f"fewshot-{space}-{device.fit.learner}"


def test_adding_takes_milliseconds(book: DeviceBook) -> None:
    adapter = book.adapter("network", "nasbench201")
    raws, values = [m["input"] for m in measured()], [m["latency_ms"] for m in measured()]
    adapter.adapt(raws, values)
    took = []
    for _ in range(5):
        started = time.process_time()
        adapter.adapt(raws, values)
        took.append(time.process_time() - started)
    assert min(took) < 0.05


def test_the_fit_is_told(book: DeviceBook) -> None:
    device = add(book)
    assert book.show("phone") == device
    assert book.show(device.id) == device
    assert device.fit.measurements == len(device.fit.residuals) == 10
    assert device.fit.median_error is not None
    assert device.fit.median_error < 0.2
    for residual, entry in zip(device.fit.residuals, measured(), strict=True):
        assert residual.measured == entry["latency_ms"]
        assert residual.low <= residual.predicted <= residual.high
    (version,) = device.versions
    assert (version.version, version.measurements, version.outliers, version.drift) == (1, 10, [], None)


def test_packaged_devices_answer_as_before(book: DeviceBook, models: ModelStore) -> None:
    base = models.predictor("network")
    assert book.predictor("network") is base
    add(book)
    together = book.predictor("network")
    assert together is not base
    assert book.predictor("cpu") is models.predictor("cpu")
    raws = list(cells(20))
    known = next(iter(base.devices))
    assert together.predict(raws, [known]) == base.predict(raws, [known])
    assert together.rank(raws, known) == base.rank(raws, known)
    assert together.explain(raws[0], known) == base.explain(raws[0], known)
    both = together.predict(raws, [known, "phone"], ["latency_ms"])
    assert [tuple(p.device for p in outcome) for outcome in both] == [(known, "phone")] * 20
    assert [outcome[:1] for outcome in both] == base.predict(raws, [known], ["latency_ms"])


def test_ranking_is_by_the_added_device(book: DeviceBook) -> None:
    add(book)
    raws = [*cells(30, 5), {"nasbench201": "nonsense"}]
    ranking, errors = book.predictor("network").rank(raws, "phone")
    assert list(errors) == [30]
    values = [entry.prediction.value for entry in ranking]
    assert values == sorted(values)
    assert all(0.5 <= entry.p_better_than_next <= 1 for entry in ranking[:-1])


def test_explaining_an_added_device_is_refused(book: DeviceBook) -> None:
    add(book)
    with pytest.raises(InputError, match="has no breakdown"):
        book.predictor("network").explain(cells(1)[0], "phone")


def test_what_a_device_was_not_measured_on_is_refused(book: DeviceBook) -> None:
    add(book)
    ask = book.predictor("network").predict
    (other_space,) = ask([cells(1, 0, "fbnet")[0]], ["phone"])
    assert "was measured on 'nasbench201' encodings" in str(other_space)
    (other_batch,) = ask([{**cells(1)[0], "batch": 8}], ["phone"])
    assert "another batch size is another device" in str(other_batch)
    (same_batch,) = ask([{**cells(1)[0], "batch": 1}], ["phone"])
    assert not isinstance(same_batch, InputError)
    with pytest.raises(UnknownNameError, match="energy"):
        ask([cells(1)[0]], ["phone"], ["energy_uj"])


def _with(index: int, **changes: Any) -> list[dict[str, Any]]:
    found = measured()
    found[index] = {**found[index], **changes}
    return found


def _off(index: int, factor: float) -> list[dict[str, Any]]:
    return _with(index, latency_ms=factor * measured()[index]["latency_ms"])


def _repeat(factor: float) -> list[dict[str, Any]]:
    found = measured()
    return [*found, {**found[0], "latency_ms": factor * found[0]["latency_ms"]}]


def _unit(unit: str | None) -> list[dict[str, Any]]:
    own = {} if unit is None else {"unit": unit}
    return [{"input": m["input"], "value": m["latency_ms"], **own} for m in measured()]


BAD = {
    "too few": (measured(2), "at least 3 measurements"),
    "none": ([], "at least one measurement"),
    "duplicate": (_repeat(1.01), "given once"),
    "contradicting": (_repeat(3.0), "contradict"),
    "zero": (_with(3, latency_ms=0.0), "positive.*measurement 3"),
    "negative": (_with(3, latency_ms=-1.0), "positive.*measurement 3"),
    "unknown operation": (_with(4, input={"nasbench201": "|conv~0|+|conv~0|conv~1|+|a~0|b~1|c~2|"}), "not known"),
    "unknown encoding": (_with(0, input={"darts": "x"}), "darts.*not known|encoding"),
    "mixed spaces": (_with(4, input=dict(cells(1, 0, "fbnet")[0])), "measured on 'nasbench201'"),
    "mixed batches": (_with(4, conditions={"batch": 8}), "one batch size"),
    "batch in one input": (_with(4, input={**cells(10)[4], "batch": 8}), "one batch size"),
    "batch zero": (_with(4, conditions={"batch": 0}), "at least 1"),
    "one value in us": (_off(5, 1e3), r"10\^3.*measurement 5"),
    "one value in ns": (_off(5, 1e6), r"10\^6.*measurement 5"),
    "one value in s": (_off(5, 1e-3), r"10\^3.*measurement 5"),
    "all in us": (measured(factor=1e3), "microseconds"),
    "all in ns": (measured(factor=1e6), "nanoseconds"),
    "all in s": (measured(factor=1e-3), "seconds"),
    "no unit": (_unit(None), "must have a unit"),
    "unknown unit": (_unit("fortnights"), "unit of time"),
    "two values": (_with(1, value=1.0, unit="ms"), "either"),
    "no value": ([{"input": cells(1)[0]}], "either"),
    "latency_ms in us": (_with(1, unit="us"), "must be ms"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_measurements_are_refused_with_the_reason(book: DeviceBook, case: str) -> None:
    measurements, reason = BAD[case]
    with pytest.raises(InputError, match=reason):
        add(book, measurements=measurements)
    assert book.names() == []


@pytest.mark.parametrize("unit", ["ns", "us", "µs", "ms", "s"])
def test_units_are_converted(book: DeviceBook, unit: str) -> None:
    factor = {"ns": 1e6, "us": 1e3, "µs": 1e3, "ms": 1.0, "s": 1e-3}[unit]
    given = [{"input": m["input"], "value": factor * m["latency_ms"]} for m in measured()]
    device = add(book, measurements=given, unit=unit)
    expected = [m["latency_ms"] for m in measured()]
    assert [r.measured for r in device.fit.residuals] == pytest.approx(expected)


def test_an_exotic_device_is_learned_when_asked_for(book: DeviceBook) -> None:
    device = add(book, measurements=measured(factor=1e4), any_scale=True)
    assert device.fit.residuals[0].measured > 1e4


@pytest.mark.parametrize("name", ["", "plan", "-x", "a b", "a/b", "x" * 101, "ü"])
def test_names_have_a_form(book: DeviceBook, name: str) -> None:
    with pytest.raises(InputError, match="The name of a device"):
        add(book, name)


def test_names_that_are_taken(book: DeviceBook, models: ModelStore) -> None:
    add(book)
    with pytest.raises(NameTakenError):
        add(book)
    with pytest.raises(NameTakenError):
        add(book, next(iter(models.predictor("network").devices)))
    book.remove("phone")
    assert "phone" not in book.predictor("network").devices
    add(book)


def test_more_measurements_make_a_better_version(book: DeviceBook) -> None:
    first = add(book, measurements=measured(3))
    second = more(book, measured(20, 3))
    assert (second.id, second.version, second.fit.measurements) == (first.id, 2, 23)
    assert [version.measurements for version in second.versions] == [3, 20]
    asked = list(cells(100, 9))
    (answer,) = book.predictor("network").predict(asked[:1], ["phone"])[0]
    assert answer.model_version == "2"


def test_an_outlier_is_named(book: DeviceBook) -> None:
    add(book, measurements=measured(20))
    given = measured(5, 4)
    given[2] = {**given[2], "latency_ms": 5 * given[2]["latency_ms"]}
    version = more(book, given).versions[-1]
    assert [outlier.index for outlier in version.outliers] == [2]
    assert version.drift is None


def test_drift_is_reported(book: DeviceBook) -> None:
    add(book, measurements=measured(20))
    version = more(book, measured(6, 4, factor=1.4)).versions[-1]
    assert version.drift == pytest.approx(1.4, rel=0.1)
    assert version.outliers == []


def test_of_repeats_the_newest_counts(book: DeviceBook) -> None:
    add(book)
    again = measured()[0]
    again["latency_ms"] *= 1.1
    device = more(book, [again])
    assert device.fit.measurements == 10
    assert device.fit.residuals[0].measured == again["latency_ms"]


BAD_MORE = {
    "contradicts": ([_off(0, 3.0)[0]], "contradict"),
    "us": (measured(5, 4, factor=1e3), r"10\^3"),
    "other batch": ([{**measured(1, 4)[0], "conditions": {"batch": 8}}], "batch size 1"),
    "none": ([], "at least one"),
}


@pytest.mark.parametrize("case", BAD_MORE)
def test_bad_further_measurements_are_refused(book: DeviceBook, case: str) -> None:
    add(book)
    measurements, reason = BAD_MORE[case]
    with pytest.raises(InputError, match=reason):
        more(book, measurements)
    assert book.show("phone").version == 1


def test_unknown_devices_are_refused(book: DeviceBook) -> None:
    for action in (book.show, book.remove, lambda name: book.plan(PlanQuestion(device=name))):
        with pytest.raises(UnknownDeviceError, match="not known"):
            action("phone")
    with pytest.raises(UnknownDeviceError):
        more(book, measured())


@pytest.mark.parametrize("space", ["nasbench201", "fbnet", "ofa"])
def test_a_plan_can_be_measured(book: DeviceBook, space: str) -> None:
    plan = book.plan(PlanQuestion(space=space, n=6))
    assert plan.space == space
    values = latency_ms(plan.inputs, space)
    given = [{"input": raw, "latency_ms": value} for raw, value in zip(plan.inputs, values, strict=True)]
    assert add(book, measurements=given).fit.measurements == 6
    following = book.plan(PlanQuestion(device="phone", n=3))
    assert len(following.inputs) == 3
    assert not [raw for raw in following.inputs if raw in plan.inputs]
    after = book.plan(PlanQuestion(device="phone", n=2, measured=following.inputs[:1]))
    assert following.inputs[0] not in after.inputs


def test_a_plan_chooses_among_candidates(book: DeviceBook) -> None:
    offered = [dict(raw) for raw in cells(15)]
    plan = book.plan(PlanQuestion(n=4, candidates=offered, measured=offered[:5]))
    assert len(plan.inputs) == 4
    assert all(raw in offered[5:] for raw in plan.inputs)


def test_bad_plans_are_refused(book: DeviceBook) -> None:
    for wrong in ({"n": 0}, {"n": 101}, {"candidates": []}):
        with pytest.raises(LimitError):
            book.plan(PlanQuestion(**wrong))
    with pytest.raises(UnknownNameError, match="space"):
        book.plan(PlanQuestion(space="darts"))
    with pytest.raises(InputError, match="needs candidates"):
        book.plan(PlanQuestion(space="onnx"))


def test_books_on_one_database_see_each_other(book_of: Callable[[], DeviceBook]) -> None:
    one, other = book_of(), book_of()
    other.follow()
    add(one)
    assert other.names() == []
    other.follow()
    raws = list(cells(5))
    assert other.predictor("network").predict(raws, ["phone"]) == one.predictor("network").predict(raws, ["phone"])
    more(other, measured(5, 6))
    one.follow()
    assert one.predictor("network").devices["phone"].descriptor["version"] == 2
    other.remove("phone")
    one.follow()
    assert "phone" not in one.predictor("network").devices
