"""What the service and the command line say of a device that cannot be found or written.

UnknownDeviceError      no added device has the name or id: 404
NameTakenError          another device has the name: 409
StateUnavailableError   the database does not answer now: 503, ask again
"""

from __future__ import annotations

from costmodel.state import StateUnavailableError
from costmodel.state.devices import NameTakenError
from featurizers.errors import UnknownNameError


class UnknownDeviceError(UnknownNameError):
    """No added device has this name or id; devices of the packaged models are not among them."""


def told(error: Exception) -> tuple[int, str]:
    """HTTP status and words of an error of this module."""
    if isinstance(error, NameTakenError):
        return 409, f"The device name '{error}' is taken: choose another, or remove that device first."
    if isinstance(error, UnknownDeviceError):
        return 404, str(error)
    if isinstance(error, StateUnavailableError):
        return 503, str(error)
    raise TypeError(f"not an error of devices: {error!r}")
