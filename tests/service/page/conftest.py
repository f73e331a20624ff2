"""The page in a real browser, against a running service with the packaged models: one of each for the session.

With COSTMODEL_SCREENSHOTS=FOLDER (``make screenshots``) the journeys leave a picture each.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from costmodel.benchmarks.servers import our_server
from costmodel.registry import PRETRAINED

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_COLOURS = 200


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database = f"sqlite:///{tmp_path_factory.mktemp('page') / 'state.db'}"
    with our_server(PRETRAINED, {"COSTMODEL_USE_REGISTRY": "false", "COSTMODEL_DATABASE_URL": database}) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser's driver is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page of the service; anything the browser complains about fails the test."""
    context = browser.new_context(base_url=address, viewport={"width": 1200, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(address) else None)
    page.complaints = complaints
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def picture(page: Any) -> Callable[..., None]:
    """``picture(name)`` keeps what the page shows as FOLDER/name.png, from `at` on; without a folder nothing."""
    folder = os.environ.get("COSTMODEL_SCREENSHOTS")

    def take(name: str, height: int = 900, at: str = "") -> None:
        if not folder:
            return
        from PIL import Image

        size = page.viewport_size
        page.set_viewport_size({"width": size["width"], "height": height})
        page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
        if at:
            page.evaluate("at => window.scrollTo(0, document.querySelector(at).offsetTop - 70)", at)
        page.wait_for_timeout(200)
        image = Image.open(BytesIO(page.screenshot())).convert("RGB")
        Path(folder).mkdir(parents=True, exist_ok=True)
        image.quantize(_COLOURS, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)
        page.set_viewport_size(size)

    return take
