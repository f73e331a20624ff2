"""MLflow: where runs go, what each logs, which version is champion. Imported only where tracking is asked for."""

from costmodel.tracking.store import CHAMPION, registered_name, store_exists, tracking_uri

__all__ = ["CHAMPION", "registered_name", "store_exists", "tracking_uri"]
