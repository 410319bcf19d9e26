"""Downloads from a server on this machine that breaks off, lies and refuses."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spatialdep.datasets import download as module
from spatialdep.datasets.checksums import Checksum
from spatialdep.datasets.download import download
from spatialdep.errors import UserError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
RIGHT = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


class Server(ThreadingHTTPServer):
    """Serves CONTENT; ``break_after`` bytes of each answer unless that is None."""

    break_after: int | None = None
    ranges = True
    status: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.tar"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status is not None:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=")[:-1]) if wanted and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if wanted and self.server.ranges else 200)
        if wanted and self.server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        body = CONTENT[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(
            body if self.server.break_after is None else body[: self.server.break_after]
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_download_arrives_whole(server: Server, tmp_path: Path) -> None:
    download(server.url, tmp_path / "a" / "file", RIGHT)
    assert (tmp_path / "a" / "file").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.break_after = 300_000
    download(server.url, tmp_path / "file", RIGHT)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.break_after = 100_000
    with pytest.raises(UserError, match="goes on from the 500000 bytes"):
        download(server.url, tmp_path / "file", RIGHT)
    assert not (tmp_path / "file").exists()
    server.break_after = None
    server.asked.clear()
    download(server.url, tmp_path / "file", RIGHT)
    assert server.asked == ["bytes=500000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    download(server.url, tmp_path / "file", RIGHT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_complete_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "file", RIGHT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    download(server.url, tmp_path / "file", RIGHT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_checksum_never_counts(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not the file that was asked for.*deleted"):
        download(server.url, tmp_path / "file", Checksum("md5", "0" * 32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status, reason", [(404, "Not Found"), (403, "Forbidden")])
def test_a_refusal_is_final(server: Server, tmp_path: Path, status: int, reason: str) -> None:
    server.status = status
    with pytest.raises(UserError, match=f"{status} {reason}"):
        download(server.url, tmp_path / "file", RIGHT)
    assert len(server.asked) == 1


def test_a_failing_server_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.status = 503
    with pytest.raises(UserError, match="503"):
        download(server.url, tmp_path / "file", RIGHT)
    assert len(server.asked) == 5


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://nowhere.invalid/x", "odd://x"])
def test_no_network_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with pytest.raises(UserError, match="check the network"):
        download(url, tmp_path / "file", RIGHT)


@pytest.mark.parametrize("text", ["", "abc", "md5:12", "sha1:" + "0" * 40, "sha256:" + "g" * 64])
def test_a_checksum_of_no_known_form_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a checksum"):
        Checksum.parse(text)
