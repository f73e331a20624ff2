"""Devices that users add: planned, measured, learned from a few measurements, and asked like the packaged ones."""

from costmodel.devices.book import DeviceBook
from costmodel.devices.errors import UnknownDeviceError
from costmodel.devices.protocol import Adapted, Adapter, AdapterMaker, Answer
from costmodel.state.devices import NameTakenError

__all__ = ["Adapted", "Adapter", "AdapterMaker", "Answer", "DeviceBook", "NameTakenError", "UnknownDeviceError"]
