"""GET /metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from service.dependencies import MetersDep
from service.routes.measurements import FeedbackDep

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Counters in Prometheus' text format",
    response_class=Response,
    responses={200: {"description": "The counters.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(meters: MetersDep, feedback: FeedbackDep) -> Response:
    """Requests, errors, latency by kind, interval width, and answers outside of what the model knows."""
    return Response(meters.text() + feedback.metrics(), media_type=CONTENT_TYPE_LATEST)
