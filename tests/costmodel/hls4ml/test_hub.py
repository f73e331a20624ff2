"""The collection from a hub of this test, which breaks off half-way."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from costmodel.cli import main
from costmodel.corpus import CorpusError
from costmodel.hls4ml.hub import REPOSITORY, pull_collection

RECORDS = json.dumps([{"meta_data": {"model_name": f"m{i}"}} for i in range(20_000)]).encode()
SMALL = b"[]"
TREE = f"/api/datasets/{REPOSITORY}/tree/main"
FILES = f"/datasets/{REPOSITORY}/resolve/main/"


class Hub:
    """Two pages of files. `cuts`: how many answers still break off in the middle; `asked`: the ranges wanted."""

    def __init__(self):
        self.cuts, self.asked = 0, []
        self.entries = [[self.entry("test/dense.json", RECORDS)], [self.entry("train/a.json", SMALL, lfs=False)]]
        self.content = {"test/dense.json": RECORDS, "train/a.json": SMALL}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self)

            def log_message(self, *_):
                """Nothing: the test's own output is enough."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    @staticmethod
    def entry(path, body, lfs=True):
        found = {"type": "file", "path": path, "size": len(body)}
        return found | ({"lfs": {"oid": hashlib.sha256(body).hexdigest()}} if lfs else {})

    def answer(self, handler):
        path, _, query = handler.path.partition("?")
        if path == TREE:
            page = 1 if "cursor" in query else 0
            handler.send_response(200)
            if page == 0:
                handler.send_header("link", f'<{self.url}{TREE}?recursive=true&cursor=1>; rel="next"')
            handler.end_headers()
            handler.wfile.write(json.dumps(self.entries[page] + [{"type": "directory", "path": "test"}]).encode())
            return
        body = self.content[path.removeprefix(FILES)]
        wanted = handler.headers.get("range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        handler.send_response(206 if start else 200)
        handler.send_header("content-length", str(len(body) - start))
        handler.end_headers()
        cut = self.cuts > 0 and len(body) > 1000
        self.cuts -= cut
        handler.wfile.write(body[start : (start + len(body)) // 2] if cut else body[start:])
        handler.close_connection = True


@pytest.fixture
def hub():
    made = Hub()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def test_cut_download_goes_on_where_it_broke(hub, tmp_path, capsys):
    hub.cuts = 2
    assert main(["datasets", "pull", "wa-hls4ml", "--url", hub.url, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "test/dense.json").read_bytes() == RECORDS
    assert (tmp_path / "train/a.json").read_bytes() == SMALL
    ranges = [wanted for wanted in hub.asked if wanted]
    assert [int(wanted[6:-1]) for wanted in ranges] == [len(RECORDS) // 2, len(RECORDS) * 3 // 4]
    told = capsys.readouterr().err
    assert "CC-BY-NC-4.0" in told
    assert "not for commercial use" in told
    hub.asked.clear()
    pull_collection(tmp_path, hub.url)
    assert hub.asked == [], "what is whole is not fetched again"


def test_an_attempt_given_up_is_taken_up_by_the_next(hub, tmp_path):
    hub.cuts = 99
    with pytest.raises(CorpusError, match="bytes are kept"):
        pull_collection(tmp_path, hub.url)
    assert not (tmp_path / "test/dense.json").exists()
    hub.cuts = 0
    hub.asked.clear()
    pull_collection(tmp_path, hub.url, subset="test")
    assert (tmp_path / "test/dense.json").read_bytes() == RECORDS
    assert int(hub.asked[0][6:-1]) > len(RECORDS) // 2


def test_other_content_is_refused_and_not_kept(hub, tmp_path):
    hub.content["test/dense.json"] = RECORDS[::-1]
    with pytest.raises(CorpusError, match="sha256"):
        pull_collection(tmp_path, hub.url)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_small_file_without_a_checksum_is_held_to_its_size(hub, tmp_path):
    hub.content["train/a.json"] = b"[1, 2"
    with pytest.raises(CorpusError, match=r"train/a.json: 5 bytes came, the hub says 2"):
        pull_collection(tmp_path, hub.url, subset="train")


@pytest.mark.parametrize("path", ["../outside.json", "/etc/outside.json"])
def test_path_outside_of_the_collection_is_refused(hub, tmp_path, path):
    hub.entries[0] = [hub.entry(path, SMALL)]
    with pytest.raises(CorpusError, match="outside"):
        pull_collection(tmp_path, hub.url)


def test_unknown_subset_is_refused(hub, tmp_path):
    with pytest.raises(CorpusError, match="begins with 'exemplar'"):
        pull_collection(tmp_path, hub.url, subset="exemplar")
