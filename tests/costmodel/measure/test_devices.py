"""Device names carry the CPU, and a device of another CPU is refused by name."""

import pytest

from costmodel.measure.devices import DEVICES, cpu_name, device_name, find_device, host_name
from costmodel.measure.runtimes import runtime
from featurizers.errors import UnknownNameError


@pytest.mark.parametrize(
    ("vendor", "family", "model", "name"),
    [
        ("GenuineIntel", 6, 207, "xeon-emr"),
        ("GenuineIntel", 6, 250, "intel-6-250"),
        ("AuthenticAMD", 25, 1, "epyc-milan"),
        ("AuthenticAMD", 26, 2, "amd-26-2"),
        ("HygonGenuine", 24, 1, "hygongenuine-24-1"),
    ],
)
def test_cpu_names(vendor: str, family: int, model: int, name: str) -> None:
    assert cpu_name(vendor, family, model) == name


@pytest.mark.parametrize("key", list(DEVICES))
def test_a_device_is_found_by_key_and_by_full_name(key: str) -> None:
    assert find_device(key) is DEVICES[key]
    assert find_device(device_name(key)) is DEVICES[key]
    assert device_name(key) == f"{host_name()}-{key}"


@pytest.mark.parametrize("name", ["otherhost-ort-fp32-b1", "ort-fp32-b2", ""])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="ort-fp32-b1"):
        find_device(name)


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="openvino-fp32"):
        runtime("tensorrt")
