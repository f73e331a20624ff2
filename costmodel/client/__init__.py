"""A client of the service: the same questions and the same answers as `Predictor`, over HTTP."""

from costmodel.client.clients import AsyncClient, Client
from costmodel.client.errors import RefusedError, ServiceError, UnavailableError

__all__ = ["AsyncClient", "Client", "RefusedError", "ServiceError", "UnavailableError"]
