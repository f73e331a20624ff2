"""Spans reach a collector where one is named, and a collector that is gone costs no answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from costmodel.benchmarks.servers import our_server
from featurizers.errors import InputError
from service.telemetry import configure
from tests.served_network import CELLS, DEVICE, network_models

__all__ = ["network_models"]
QUESTION = {"device": DEVICE, "inputs": [{"nasbench201": CELLS[0]}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(ThreadingHTTPServer):
    """Takes what is posted to /v1/traces, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_reach_the_collector_within_the_callers_trace(network_models: Path, collector: Collector) -> None:
    messages = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with our_server(network_models, variables) as server:
        url = f"http://127.0.0.1:{server.port}/v1/predict/network"
        answer = httpx.post(url, json=QUESTION, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, timeout=30)
        assert answer.status_code == 200
    spans = []
    for path, body in collector.received:
        assert path == "/v1/traces"
        request = messages.ExportTraceServiceRequest.FromString(body)
        spans += [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
    (span,) = [span for span in spans if span.name == "POST /v1/predict/{kind}"]
    assert span.trace_id.hex() == TRACE
    attributes = {each.key: each.value for each in span.attributes}
    assert attributes["http.response.status_code"].int_value == 200


def test_a_collector_that_is_gone_costs_no_answer(network_models: Path) -> None:
    with our_server(network_models, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as server:
        answer = httpx.post(f"http://127.0.0.1:{server.port}/v1/predict/network", json=QUESTION, timeout=30)
        assert answer.status_code == 200


@pytest.mark.parametrize("environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_configured_unasked(environment: dict[str, str]) -> None:
    assert configure(environment) is False


def test_a_missing_exporter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InputError, match=r"pip install 'costmodel\[telemetry\]'"):
        configure({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
