"""The toy kind behind a real server."""

from tests.served_box import box_models, box_url

__all__ = ["box_models", "box_url"]
