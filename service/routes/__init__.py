"""One router per file; each is told in the OpenAPI document."""

from service.routes import added, devices, health, invocations, measurements, metrics, models, open_inference, page

__all__ = ["added", "devices", "health", "invocations", "measurements", "metrics", "models", "open_inference", "page"]
