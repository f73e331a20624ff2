"""What routes ask for, as annotated aliases; `create_app` puts it into the application's state."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from service.endpoints import Desk
from service.meters import Meters
from service.settings import Settings
from service.source import PredictorSource


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _source(request: Request) -> PredictorSource:
    return _desk(request).source


def _settings(request: Request) -> Settings:
    return _desk(request).settings


def _meters(request: Request) -> Meters:
    return _desk(request).meters


DeskDep = Annotated[Desk, Depends(_desk)]
SourceDep = Annotated[PredictorSource, Depends(_source)]
SettingsDep = Annotated[Settings, Depends(_settings)]
MetersDep = Annotated[Meters, Depends(_meters)]
