"""One router per file; each is told in the OpenAPI document."""

from service.routes import devices, health, metrics, models, page

__all__ = ["devices", "health", "metrics", "models", "page"]
