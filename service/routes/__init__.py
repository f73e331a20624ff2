"""One router per file; each is told in the OpenAPI document."""

from service.routes import added, devices, health, metrics, models, page

__all__ = ["added", "devices", "health", "metrics", "models", "page"]
