"""Fixtures of the toy kind behind a real server: its bundle in a models folder, and the address that answers."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from service import Settings, create_app


@pytest.fixture
def box_models(box_kind: str, box_training: tuple[Path, Any], tmp_path: Path) -> Path:
    """A folder of bundles by kind that holds the toy kind only."""
    shutil.copytree(box_training[0], tmp_path / "models" / box_kind)
    return tmp_path / "models"


@pytest.fixture
def box_url(box_models: Path) -> Iterator[str]:
    """A running service that answers from `box_models`, in a thread of this process."""
    app = create_app(Settings(models_dir=str(box_models), use_registry=False))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
