"""A real client, vncdotool: it looks, types, moves, clicks, and waits for a picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hv.devices.picture import Picture
from hv.toolstack.vnc.inputs import LEFT, Pointer
from hv.toolstack.vnc.server import VncServer
from tests.toolstack.vnc.bench import PASSWORD, Log, served, text_screen

pytest.importorskip("vncdotool", reason="vncdotool is not installed; remedy: pip install -e .[dev]")
Image = pytest.importorskip("PIL.Image")
PROGRAM = "from vncdotool.command import vncdo; vncdo()"


def vncdo(
    server: VncServer, *commands: str | Path, password: str = PASSWORD, seconds: int = 60
) -> subprocess.CompletedProcess[str]:
    """Run the client."""
    host, port = server.address
    options = ["-s", f"{host}::{port}", "-p", password, "--nocursor", "-t", str(seconds)]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *options, *map(str, commands)], capture_output=True, text=True, timeout=120
    )


def picture_of(path: Path) -> Picture:
    image = Image.open(path).convert("RGB")
    return Picture(*image.size, image.tobytes())


def test_capture(tmp_path: Path) -> None:
    vga = text_screen()
    with served(vga.screen, Log()) as server:
        done = vncdo(server, "capture", tmp_path / "screen.png")
    assert done.returncode == 0, done.stderr
    assert picture_of(tmp_path / "screen.png") == vga.screen.picture()


def test_keys() -> None:
    log = Log()
    with served(text_screen().screen, log) as server:
        done = vncdo(server, "type", "Ls -1!", "key", "enter", "key", "ctrl-c", "key", "f12")
    assert done.returncode == 0, done.stderr
    assert log.keys == (
        "+shift +l -shift -l +s -s +space -space +minus -minus +1 -1 +shift +1 -shift -1 "
        "+enter -enter +ctrl +c -c -ctrl +f12 -f12"
    )  # fmt: skip


def test_pointer() -> None:
    log = Log()
    with served(text_screen().screen, log) as server:
        done = vncdo(server, "move", "100", "50", "click", "1", "move", "110", "45")
    assert done.returncode == 0, done.stderr
    moved, pressed, released, last = log.pointers
    assert (moved.x, moved.y, moved.buttons, moved.width, moved.height) == (100, 50, 0, 720, 400)
    assert pressed == Pointer(100, 50, 720, 400, 0, 0, LEFT, 0)
    assert released == Pointer(100, 50, 720, 400, 0, 0, 0, 0)
    assert last == Pointer(110, 45, 720, 400, 10, -5, 0, 0)


def test_expect_waits_for_what_a_key_does(tmp_path: Path) -> None:
    vga, log, typed = text_screen(), Log(), []

    def guest() -> None:
        if len(typed) < len(log.keys):
            typed.append(1)
            vga.say(20, 3, "A KEY HAS COME", 0x2F)

    vga.say(20, 3, "A KEY HAS COME", 0x2F)
    (tmp_path / "wanted.png").write_bytes(vga.screen.png())
    vga.say(20, 3, " " * 14)
    with served(vga.screen, log, each=guest) as server:
        done = vncdo(server, "key", "a", "expect", tmp_path / "wanted.png", "0", "capture", tmp_path / "is.png")
    assert done.returncode == 0, done.stderr
    assert picture_of(tmp_path / "is.png") == picture_of(tmp_path / "wanted.png")


def test_expect_fails_for_what_never_comes(tmp_path: Path) -> None:
    vga = text_screen()
    vga.say(20, 3, "NEVER")
    (tmp_path / "wanted.png").write_bytes(vga.screen.png())
    vga.say(20, 3, "     ")
    with served(vga.screen, Log()) as server:
        done = vncdo(server, "expect", tmp_path / "wanted.png", "0", seconds=3)
    assert done.returncode != 0
    assert "TIMEOUT" in done.stderr


def test_a_mode_that_changes_while_it_is_looked_at(tmp_path: Path) -> None:
    vga, log = text_screen(), Log()

    def guest() -> None:
        if log.keys and vga.vga.mode is None:
            vga.vbe_mode(800, 600, 32)
            vga.frame_buffer(4 * 800 * 300, b"\x10\x80\xf0\0" * 800)

    with served(vga.screen, log, each=guest) as server:
        done = vncdo(
            server, "capture", tmp_path / "text.png", "key", "a", "pause", "1", "capture", tmp_path / "vbe.png"
        )
    assert done.returncode == 0, done.stderr
    assert picture_of(tmp_path / "text.png").width == 720
    assert picture_of(tmp_path / "vbe.png") == vga.screen.picture()


def test_a_wrong_password() -> None:
    with served(text_screen().screen, log := Log()) as server:
        done = vncdo(server, "key", "a", password="wrong", seconds=10)
    assert done.returncode != 0
    assert "the password is wrong" in done.stderr
    assert log.events == []
