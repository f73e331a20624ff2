"""Spans of requests to an OpenTelemetry collector, where the standard variables name one; else nothing is loaded.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._TRACES_ENDPOINT``), ``OTEL_SERVICE_NAME`` and the other variables of the
OpenTelemetry specification are read by its own library. FastAPI makes the spans.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from featurizers.errors import InputError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def configure(environment: Mapping[str, str] | None = None) -> bool:
    """Send spans where the environment says; whether it says so. Raises InputError where the exporter is missing."""
    variables = os.environ if environment is None else environment
    endpoint = next((name for name in _ENDPOINTS if variables.get(name)), None)
    if endpoint is None or variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        rule = "needs the exporter: pip install 'costmodel[telemetry]'"
        raise InputError(f"The setting {endpoint}", rule, variables[endpoint]) from None
    from opentelemetry import trace

    name = variables.get("OTEL_SERVICE_NAME", "costmodel")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    # In a thread of its own, by batches: a collector that is gone costs spans, never an answer.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
