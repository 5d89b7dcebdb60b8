"""The server: this machine alone, only what it was given, at a speed."""

from __future__ import annotations

import http.client
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recodec.web import PacedServer, site_of
from recodec.web.site import Picture
from tests.web.conftest import serving

pytestmark = pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning")


@pytest.fixture
def file(coded: Callable[..., bytes], tmp_path: Path) -> Path:
    path = tmp_path / "a.rcd"
    path.write_bytes(coded())
    (tmp_path / "secret.txt").write_text("secret")
    return path


@pytest.fixture
def server(file: Path) -> Iterator[PacedServer]:
    with serving(site_of([Picture(str(file), file.name)])) as server:
        yield server


def ask(
    server: PacedServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_it_listens_on_loopback_alone(server: PacedServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"
    with socket.socket() as probe:
        # Another address of this machine.
        assert probe.connect_ex(("127.0.0.2", server.server_port)) != 0


def test_all_of_the_site_is_served(server: PacedServer, file: Path) -> None:
    for address, content in server.site.contents.items():
        status, data, headers = ask(server, f"/{address}")
        assert (status, data) == (200, content.read())
        assert headers["content-type"] == content.kind
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
    assert ask(server, "/")[1] == server.site.contents["index.html"].read()
    assert ask(server, "/pictures/1.rcd")[1] == file.read_bytes()


def test_head_has_no_content(server: PacedServer, file: Path) -> None:
    status, data, headers = ask(server, "/pictures/1.rcd", "HEAD")
    assert (status, data, headers["content-length"]) == (200, b"", str(file.stat().st_size))


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/pictures/../secret.txt",
        "/pictures/..%2fsecret.txt",
        "/..%2f..%2f..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/../../../../../etc/passwd",
        "/pictures/",
        "/pictures/1.rcd/",
        "/pictures/1.rcd%00",
        "/./index.html",
        "/site.py",
        "/../site.py",
        "/pictures%5c1.rcd",
    ],
)
def test_nothing_else_is_served(server: PacedServer, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "127.0.0.1:1", "localhost.example.org:80", ""])
def test_names_that_others_make_point_here_are_refused(server: PacedServer, host: str) -> None:
    status, data, _ = ask(server, "/pictures/1.rcd", Host=host)
    assert status == 421
    assert b"RCD" not in data


def test_this_machine_has_two_names(server: PacedServer) -> None:
    assert ask(server, "/", Host=f"LOCALHOST:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_only_gives(server: PacedServer, method: str) -> None:
    assert ask(server, "/", method)[0] == 501


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "1e9", "x", ""])
def test_absurd_speeds_are_refused(server: PacedServer, speed: str) -> None:
    assert ask(server, f"/pictures/1.rcd?speed={speed}")[0] == 400


@pytest.mark.parametrize("asked", [True, False])
def test_pictures_come_at_the_speed(file: Path, asked: bool) -> None:
    size = file.stat().st_size
    speed = size / 1000 / 0.6
    with serving(site_of([Picture(str(file), "a")]), None if asked else speed) as server:
        with socket.create_connection(("127.0.0.1", server.server_port)) as link:
            query = f"?speed={speed}" if asked else ""
            link.sendall(
                f"GET /pictures/1.rcd{query} HTTP/1.0\r\nHost: localhost:{server.server_port}\r\n\r\n".encode()
            )
            start, came = time.monotonic(), []
            while data := link.recv(1 << 16):
                came.append((time.monotonic() - start, len(data)))
        # The page itself waits for nothing.
        start = time.monotonic()
        ask(server, f"/models/{next(a for a in server.site.contents if a.startswith('models/'))[7:]}")
        assert time.monotonic() - start < 0.5
    assert came[-1][0] >= 0.59
    assert len(came) > 10
    received = 0
    for at, count in came:
        received += count
        # Beside the header of the answer.
        assert received - 1000 <= 1000 * speed * (at + 0.02)


def test_a_file_that_goes_or_becomes_a_link_is_gone(server: PacedServer, file: Path) -> None:
    file.unlink()
    assert ask(server, "/pictures/1.rcd")[0] == 410
    os.symlink(file.parent / "secret.txt", file)
    status, data, _ = ask(server, "/pictures/1.rcd")
    assert (status, b"secret" in data) == (410, False)
