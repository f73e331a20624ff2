"""Both clients answer as the library does in process, and raise what it raises."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import httpx
import pytest

from costmodel.client import AsyncClient, Client, RefusedError, UnavailableError
from costmodel.registry import ModelStore
from featurizers.errors import InputError, UnknownNameError

INPUTS: list[Any] = [{"sides": [3, 4, 5]}, {"sides": [0, 1, 1]}, {"sides": [20, 9, 2]}, {"size": 3}]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, box_url: str) -> Any:
    """Calls a client's method: ``ask("predict", ...)``."""

    def call(method: str, *args: Any) -> Any:
        if request.param == "sync":
            with Client(box_url) as client:
                return getattr(client, method)(*args)

        async def wait() -> Any:
            async with AsyncClient(box_url) as client:
                return await getattr(client, method)(*args)

        return asyncio.run(wait())

    return call


@pytest.fixture
def predictor(box_models: Path) -> Any:
    return ModelStore(box_models, use_registry=False).predictor("box")


def same(remote: Any, local: Any) -> bool:
    """Equal, where two errors are equal if class, message and members are."""
    if isinstance(local, InputError):
        return type(remote) is type(local) and str(remote) == str(local) and vars(remote) == vars(local)
    return bool(remote == local)


def test_predict_gives_the_library_s_predictions_and_errors(ask: Any, predictor: Any) -> None:
    local = predictor.predict(INPUTS, ["fast", "slow"])
    remote = ask("predict", "box", INPUTS, ["fast", "slow"])
    assert len(remote) == len(local) == 4
    assert all(map(same, remote, local))


def test_one_wrong_input_alone_is_an_error_in_the_list(ask: Any, predictor: Any) -> None:
    [remote], [local] = ask("predict", "box", [INPUTS[1]], ["fast"]), predictor.predict([INPUTS[1]], ["fast"])
    assert same(remote, local)


def test_rank_gives_the_library_s_ranking(ask: Any, predictor: Any) -> None:
    ranking, errors = ask("rank", "box", INPUTS, "slow")
    local_ranking, local_errors = predictor.rank(INPUTS, "slow")
    assert ranking == local_ranking
    assert errors.keys() == local_errors.keys() == {1, 3}
    assert all(same(errors[i], local_errors[i]) for i in errors)
    assert [list(part) for part in ask("rank", "box", [INPUTS[1]], "slow")] == [[], [0]]


def test_explain_gives_the_library_s_shares(ask: Any, predictor: Any) -> None:
    assert ask("explain", "box", INPUTS[0], "fast") == predictor.explain(INPUTS[0], "fast")
    with pytest.raises(InputError) as remote:
        ask("explain", "box", INPUTS[1], "fast")
    with pytest.raises(InputError) as local:
        predictor.explain(INPUTS[1], "fast")
    assert same(remote.value, local.value)


@pytest.mark.parametrize("question", [("predict", "box", INPUTS, ["slw"]), ("explain", "box", INPUTS[0], "slw")])
def test_an_unknown_device_raises_as_in_process(ask: Any, question: tuple[Any, ...]) -> None:
    with pytest.raises(UnknownNameError, match=r"'slw' is not known\. Nearest: slow") as raised:
        ask(*question)
    assert raised.value.known == ["fast", "slow"]


def test_catalogue(ask: Any) -> None:
    assert [(d.name, d.kind, d.targets[0].unit) for d in ask("devices", "box")] == [
        ("fast", "box", "ns"),
        ("slow", "box", "ns"),
    ]
    [model] = ask("models")
    assert (model.name, model.kind, model.source) == ("costmodel-box", "box", "packaged")
    assert ask("model", "costmodel-box") == model
    assert ask("ready").status == "ok"


def test_what_the_service_refuses_is_told_with_its_problem(ask: Any) -> None:
    with pytest.raises(RefusedError, match="'bxo' is not known") as raised:
        ask("predict", "bxo", INPUTS, ["slow"])
    assert raised.value.problem is not None
    assert raised.value.problem.status == 404
    assert raised.value.problem.known is not None
    assert "box" in raised.value.problem.known


def test_what_json_cannot_hold_is_refused_before_it_is_sent(ask: Any) -> None:
    with pytest.raises(InputError, match="must be a JSON type or bytes"):
        ask("predict", "box", [{"sides": object()}], ["slow"])


def test_nobody_there() -> None:
    with Client("http://127.0.0.1:9", timeout_s=5) as client, pytest.raises(UnavailableError, match="No answer"):
        client.models()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(503, b'{"type":"about:blank","title":"","status":503,"detail":"full"}', "full"), (502, b"<html>", "502: <html>")],
)
def test_a_busy_service_is_unavailable(status: int, body: bytes, error: str) -> None:
    answer = httpx.Response(status, content=body, headers={"retry-after": "7"})
    transport = httpx.MockTransport(lambda request: answer)
    with Client(transport=transport) as client, pytest.raises(UnavailableError, match=error) as raised:
        client.models()
    assert raised.value.retry_after_s == 7


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        public = {name: f for name, f in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        return {name: list(inspect.signature(f).parameters) for name, f in public.items()}

    assert methods(Client) == methods(AsyncClient)
