"""GET /v1/devices: what hardware can be asked about, and how it was measured."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from costmodel.wire import DeviceList, devices_of
from featurizers.errors import UnknownNameError
from service.dependencies import SourceDep
from service.paging import CursorQuery, LimitQuery, page_of
from service.responses import described, json_response

router = APIRouter(tags=["catalogue"])


@router.get(
    "/v1/devices",
    operation_id="listDevices",
    summary="Devices that can be asked about",
    responses=described("DeviceList", "Every device, by kind and name.", e422="An unknown kind, limit or cursor."),
)
async def list_devices(
    source: SourceDep,
    kind: Annotated[str | None, Query(description="Only devices of this kind of input.")] = None,
    limit: LimitQuery = None,
    cursor: CursorQuery = None,
) -> Response:
    """Every device with its targets, their units, and the conditions under which it was measured."""
    if kind is not None and kind not in source.kinds():
        raise UnknownNameError("kind", kind, source.kinds())
    kinds = source.kinds() if kind is None else [kind]
    devices = [device for name in kinds for device in devices_of(source.predictor(name))]
    return json_response(DeviceList(*page_of(devices, lambda device: f"{device.kind}/{device.name}", limit, cursor)))
