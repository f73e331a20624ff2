"""Settings: read from the environment, checked, and told in docs/settings.md."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from featurizers.errors import InputError
from service import Settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_environment_is_read_and_the_rest_is_default():
    settings = Settings.from_environment(
        {
            "COSTMODEL_ITEMS_MAX": "5",
            "COSTMODEL_EXPOSE_ECHO": "true",
            "COSTMODEL_REFRESH_INTERVAL_S": "0.5",
            "HOME": "/",
        }
    )
    assert settings == Settings(items_max=5, expose_echo=True, refresh_interval_s=0.5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ITEMS_MAX", "many"),
        ("ITEMS_MAX", "0"),
        ("EXPOSE_ECHO", "perhaps"),
        ("REFRESH_INTERVAL_S", "nan"),
        ("THREADS", "1.5"),
    ],
)
def test_a_wrong_setting_is_named(name, text):
    with pytest.raises(InputError) as raised:
        Settings.from_environment({f"COSTMODEL_{name}": text})
    assert raised.value.what == f"The setting COSTMODEL_{name}"


def test_the_documented_table_is_the_code():
    rows = re.findall(r"^\| `(COSTMODEL_\w+)` \| `([^`]*)` \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    told = {name: (default, text) for name, default, text in rows}
    assert told == {
        f"COSTMODEL_{spec.name.upper()}": (str(spec.default).lower(), spec.metadata["help"])
        for spec in dataclasses.fields(Settings)
    }
