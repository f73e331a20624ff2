"""Downloads from a server of this test: streamed, resumed after a cut, checked; the command that pulls data."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from costmodel.cli import main
from costmodel.corpus import CorpusError
from costmodel.cpu.pull import origins, pull_origin, pull_tables
from costmodel.downloads import check_commit, download

CONTENT = bytes(range(256)) * 4096
SHA = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def archive(commit: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": commit}) as made:
        made.addfile(tarfile.TarInfo("r/readme"), io.BytesIO(b""))
    return stream.getvalue()


class Server:
    """Files by path. `cut`: how many answers are broken off in the middle; `ranges`: whether it knows them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/cpu_perf/table.parquet": CONTENT}
        self.cut, self.ranges, self.asked = 0, True, []  # type: ignore[var-annotated]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test's own output is enough."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("range")
        self.asked.append(wanted)
        if handler.path not in self.files:
            return handler.send_error(404)
        body = self.files[handler.path]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start >= len(body):
            return handler.send_error(416)
        handler.send_response(206 if start else 200)
        handler.send_header("content-length", str(len(body) - start))
        handler.end_headers()
        end = len(body)
        if self.cut:
            self.cut, end = self.cut - 1, start + (len(body) - start) // 2
        handler.wfile.write(body[start:end])
        handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path):
    server.cut = 2
    out = download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", SHA)
    assert out.read_bytes() == CONTENT
    assert server.asked[0] is None
    starts = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in server.asked[1:]]
    assert 0 < starts[0] < starts[1] < len(CONTENT)
    assert not (tmp_path / "table.part").exists()


def test_a_server_that_stays_away_leaves_the_part_for_the_next_time(server: Server, tmp_path: Path):
    server.cut = 10
    with pytest.raises(CorpusError, match="bytes are kept"):
        download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", SHA)
    kept = (tmp_path / "table.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    server.cut, server.asked = 0, []
    download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", SHA)
    assert server.asked == [f"bytes={kept}-"]
    assert (tmp_path / "table").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path):
    server.cut, server.ranges = 1, False
    assert download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", SHA).read_bytes() == CONTENT


def test_what_is_there_already_is_not_fetched_again(server: Server, tmp_path: Path):
    (tmp_path / "table").write_bytes(CONTENT)
    download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", SHA)
    assert server.asked == []


def test_another_content_is_refused_and_deleted(server: Server, tmp_path: Path):
    with pytest.raises(CorpusError, match="its sha256 is"):
        download(f"{server.url}/cpu_perf/table.parquet", tmp_path / "table", "0" * 64)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CorpusError, match="answers 404"):
        download(f"{server.url}/nothing", tmp_path / "table", SHA)


CARD: dict[str, Any] = {
    "name": "small",
    "mirror_folder": "cpu_perf",
    "files": {"table.parquet": {"sha256": SHA}},
    "origin": {"v1": {"repository": "https://github.com/owner/raw", "commit": COMMIT}},
}


def test_tables_from_an_http_mirror(server: Server, tmp_path: Path):
    assert pull_tables(CARD, server.url + "/", tmp_path) == [tmp_path / "table.parquet"]


def test_the_origins_archives_are_held_to_their_commits(server: Server, tmp_path: Path):
    assert origins(CARD) == [("owner", "raw", COMMIT)]
    place = f"/owner/raw/tar.gz/{COMMIT}"
    server.files[place] = archive(COMMIT)
    (path,) = pull_origin(CARD, tmp_path, server.url)
    assert path.name == "raw-0123456789ab.tar.gz"
    asked = len(server.asked)
    pull_origin(CARD, tmp_path, server.url)
    assert len(server.asked) == asked
    path.unlink()
    server.files[place] = archive("f" * 40)
    with pytest.raises(CorpusError, match="is of commit 'ffff"):
        pull_origin(CARD, tmp_path, server.url)
    assert not path.exists()


def test_a_truncated_archive_is_refused(tmp_path: Path):
    whole = archive(COMMIT)
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match="cannot be read"):
        check_commit(tmp_path / "a.tar.gz", COMMIT)


def test_the_command_checks_the_mirror_and_tells_the_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "mirror" / "mlperf_inference"
    folder.mkdir(parents=True)
    (folder / "results.parquet").write_bytes(b"other")
    asked = ["datasets", "pull", "mlperf_inference", "--mirror", str(tmp_path / "mirror"), "--out", str(tmp_path)]
    assert main(asked) == 1
    assert "its sha256 is" in capsys.readouterr().err
    assert main(["datasets", "pull"]) == 2


def test_every_card_names_origin_licence_and_checksums():
    from costmodel.cpu.pull import CARDS, read_card
    from costmodel.paths import dataset_folder

    for name in CARDS:
        card = read_card(dataset_folder(name))
        assert card["licence"]
        assert card["licence_holder"]
        assert all(len(commit) == 40 for _, _, commit in origins(card))
        assert all(len(entry["sha256"]) == 64 for entry in card["files"].values())
