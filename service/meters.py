"""What the service counts about itself, for Prometheus."""

from __future__ import annotations

import functools
import os
import statistics
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.memory import Told

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)
_RATIOS = (1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10)

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own: a folder through which worker processes share their counters."""


class Meters:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        at = self.registry
        self._requests = Counter("costmodel_requests", "Requests answered.", ("operation", "status"), registry=at)
        self._request_s = Histogram(
            "costmodel_request_seconds",
            "From the first byte to the last of the answer.",
            ("operation",),
            buckets=_SECONDS,
            registry=at,
        )
        self._answer_s = Histogram(
            "costmodel_answer_seconds",
            "Decoding, predicting and encoding one request.",
            ("operation", "kind"),
            buckets=_SECONDS,
            registry=at,
        )
        self._predictions = Counter("costmodel_predictions", "Predictions given.", ("kind",), registry=at)
        self._out_of_domain = Counter(
            "costmodel_predictions_out_of_domain",
            "Predictions given for what the model never saw.",
            ("kind",),
            registry=at,
        )
        self._failed = Counter("costmodel_failed_inputs", "Inputs answered with an error.", ("kind",), registry=at)
        self._width = Histogram(
            "costmodel_interval_width_ratio",
            "high / low of the predictions, the median of each request.",
            ("kind",),
            buckets=_RATIOS,
            registry=at,
        )
        # A label lookup costs more than the count itself; the label sets are few.
        self.of_kind = functools.lru_cache(maxsize=256)(self._of_kind)
        self.of_request = functools.lru_cache(maxsize=1024)(self._of_request)

    def text(self) -> bytes:
        """Everything counted, by all worker processes together, in Prometheus' text format."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _of_kind(self, operation: str, kind: str) -> KindMeter:
        return KindMeter(
            self._answer_s.labels(operation, kind),
            self._predictions.labels(kind),
            self._out_of_domain.labels(kind),
            self._failed.labels(kind),
            self._width.labels(kind),
        )

    def _of_request(self, operation: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(operation, str(status)), self._request_s.labels(operation)


class KindMeter:
    """The counters of one operation of one kind."""

    def __init__(
        self, answer_s: Histogram, predictions: Counter, out_of_domain: Counter, failed: Counter, width: Histogram
    ):
        self.answer_s = answer_s
        self._predictions = predictions
        self._out_of_domain = out_of_domain
        self._failed = failed
        self._width = width

    def observe(self, told: Sequence[Told]) -> None:
        """Count the results of one answer."""
        if len(told) == 1:
            failed, predictions, strangers, widths = (
                told[0].failed, told[0].predictions, told[0].strangers, told[0].widths,
            )  # fmt: skip
        else:
            failed = sum(each.failed for each in told)
            predictions = sum(each.predictions for each in told)
            strangers = sum(each.strangers for each in told)
            widths = tuple(width for each in told for width in each.widths)
        if failed:
            self._failed.inc(failed)
        if predictions:
            self._predictions.inc(predictions)
        if strangers:
            self._out_of_domain.inc(strangers)
        if widths:
            self._width.observe(widths[0] if len(widths) == 1 else statistics.median(widths))
