"""The application: `create_app` puts routes, settings, errors and counters together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from costmodel.devices import DeviceBook
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED, ModelStore
from costmodel.state import Database, DeviceStore, KeyStore, StateUnavailableError
from costmodel.state.reports import ReportStore
from featurizers.supervised import READERS, ReadingLimits, Supervised, SupervisedFeaturizer
from service import openapi, problems, telemetry
from service.access import Access
from service.answers import Operation, Predict, explain, rank
from service.endpoints import Desk, EchoEndpoint, OperationEndpoint
from service.extras import KindOperationEndpoint
from service.feedback import Feedback
from service.front import Front
from service.meters import Meters
from service.routes import added, devices, health, invocations, measurements, metrics, models, open_inference, page
from service.settings import Settings
from service.source import PredictorSource, StoreSource
from service.workers import Workers

log = logging.getLogger("costmodel.service")


class Application(FastAPI):
    """FastAPI behind our front door."""

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests by the door, everything else (the lifespan) straight on."""
        await (self.front if scope["type"] == "http" else self.behind)(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application as FastAPI calls it."""
        await super().__call__(scope, receive, send)


def create_app(
    settings: Settings | None = None,
    source: PredictorSource | None = None,
    loaded: Mapping[str, Predictor] | None = None,
) -> FastAPI:
    """The service over `source`, which is the packaged models and the registry's champions unless given.

    loaded : by kind, packaged models that are in memory already, see `packaged`.
    """
    settings = settings or Settings()
    book, database = None, Database(settings.database_url or None)
    readers = Supervised(ReadingLimits(settings.reading_s_max, settings.reading_bytes_max), settings.threads)
    if source is None:
        store = _model_store(settings, readers, loaded or {})
        book = DeviceBook(store, DeviceStore(database))
        source = StoreSource(store, book)
    workers = Workers(settings.threads, settings.queue_max, settings.retry_after_s)
    desk = Desk(settings, source, workers, Meters(), book, readers)
    feedback = Feedback(ReportStore(database), settings.reports_last)
    access = Access(settings.access, KeyStore(database), settings.requests_per_s_max)
    app = Application(
        title="costmodel",
        summary="What will this cost on that hardware?",
        version=version("costmodel"),
        lifespan=lambda _: _lifespan(desk, access, feedback),
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.state.feedback = feedback
    answers: dict[str, Operation] = {"predict": Predict(settings.memory_bytes_max), "rank": rank, "explain": explain}
    operations = [
        _post(f"/v1/{name}/{{kind}}", OperationEndpoint(name, answer, desk)) for name, answer in answers.items()
    ]
    echo = [_post("/v1/echo", EchoEndpoint(settings))] if settings.expose_echo else []
    # First, since a request is matched against one route after the other.
    app.router.routes[:0] = operations + echo
    kept = [] if book is None else [added]
    for routes in (devices, models, health, metrics, open_inference, invocations, measurements, *kept):
        app.include_router(routes.router)
    page.install(app)
    # Last: it takes whatever looks like an operation of a kind and is no other resource.
    app.router.routes.append(Route("/v1/{operation}/{kind}", KindOperationEndpoint(desk), include_in_schema=False))
    problems.install(app)
    openapi.install(app, source)
    endpoints: dict[str, ASGIApp] = {route.name: route.endpoint for route in operations + echo}
    app.front = Front(app.behind, endpoints, access, desk.meters, settings)
    return app


def from_environment(loaded: Mapping[str, Predictor] | None = None) -> FastAPI:
    """The application as uvicorn's factory: settings from the environment. loaded : see `create_app`."""
    telemetry.configure()
    return create_app(Settings.from_environment(), loaded=loaded)


def packaged() -> dict[str, Predictor]:
    """By kind the packaged models, read but for what LightGBM and the tables take; settings from the environment."""
    store = ModelStore(_models_dir(Settings.from_environment()), use_registry=False)
    StoreSource(store).load()
    return {kind: store.predictor(kind) for kind in store.kinds()}


def _post(path: str, endpoint: OperationEndpoint | EchoEndpoint) -> Route:
    return Route(path, endpoint, methods=["POST"], name=endpoint.operation, include_in_schema=False)


def _models_dir(settings: Settings) -> Path:
    return Path(settings.models_dir) if settings.models_dir else PRETRAINED


def _model_store(settings: Settings, readers: Supervised, loaded: Mapping[str, Predictor]) -> ModelStore:
    def prepare(predictor: Predictor) -> None:
        if predictor.kind in READERS:
            predictor.featurizer = SupervisedFeaturizer(predictor.featurizer, readers)

    return ModelStore(_models_dir(settings), settings.use_registry, prepare, loaded)


@contextlib.asynccontextmanager
async def _lifespan(desk: Desk, access: Access, feedback: Feedback) -> AsyncIterator[None]:
    # Read before the first request is let in: a model read inside the event loop would hold up all others.
    await asyncio.to_thread(desk.source.load)
    tasks = [asyncio.create_task(_refresh_forever(desk, access, feedback)), asyncio.create_task(_warm_up(desk))]
    if desk.book is not None:
        await asyncio.to_thread(desk.book.follow)
        tasks.append(asyncio.create_task(_follow_forever(desk.book, desk.settings.devices_interval_s)))
    yield
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    desk.workers.close()
    desk.readers.close()


async def _warm_up(desk: Desk) -> None:
    """Beside the first requests: whoever needs a table or a process that is not there yet waits for that alone."""
    try:
        await asyncio.to_thread(desk.source.warm_up)
    except Exception:
        log.exception("warming up failed")


async def _refresh_forever(desk: Desk, access: Access, feedback: Feedback) -> None:
    while True:
        looked_for = {"API keys": access.refresh, "reports": feedback.refresh, "new models": desk.source.refresh}
        for what, refresh in looked_for.items():
            try:
                await asyncio.to_thread(refresh)
            except StateUnavailableError as error:
                log.warning("looking for %s failed: %s", what, error)
            except Exception:
                # What is in memory goes on answering whatever happens to the registry and the database.
                log.exception("looking for %s failed", what)
        await asyncio.sleep(desk.settings.refresh_interval_s)


async def _follow_forever(book: DeviceBook, interval_s: float) -> None:
    while True:
        try:
            await asyncio.to_thread(book.prepare)
            await asyncio.sleep(interval_s)
            await asyncio.to_thread(book.follow)
        except Exception:
            # The devices in memory go on answering whatever happens to the database.
            log.exception("looking for added devices failed")
            await asyncio.sleep(interval_s)
