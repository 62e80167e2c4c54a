"""The helpers of the real-guest tests, without a network: the fetcher's cache and errors, the initramfs."""

import gzip
from pathlib import Path

import pytest

from tests.real import initramfs
from tools import fetch_debian
from tools.fetch_debian import FetchError, Package, PrivateApt, fetch


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """name -> (mode, content) of a newc archive, read by its specification."""
    found, at = {}, 0
    while True:
        assert archive[at:at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = numbers[1], numbers[6], numbers[11]
        name = archive[at + 110:at + 110 + length - 1].decode()
        start = at + 110 + length + -(110 + length) % 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, archive[start:start + size])
        at = start + size + -size % 4


def test_initramfs_holds_what_init_needs() -> None:
    found = entries(gzip.decompress(initramfs.build(b"\x7fELF", files={"/etc/x/y": b"abc"})))
    assert found["bin/busybox"] == (0o100755, b"\x7fELF")
    assert found["etc/x/y"] == (0o100755, b"abc")
    assert found["dev/console"][0] == 0o020600
    assert found["init"][1].startswith(b"#!/bin/busybox sh\n")
    assert list(found).index("etc") < list(found).index("etc/x") < list(found).index("etc/x/y")


def test_initramfs_is_reproducible() -> None:
    assert initramfs.build(b"x", "true") == initramfs.build(b"x", "true")
    assert initramfs.build(b"x", "true") != initramfs.build(b"x", "false")


def test_cached_package_needs_no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    folder = tmp_path / "amd64" / "busybox-static"
    folder.mkdir(parents=True)
    (folder / ".version").write_text("busybox-static 1\n")
    assert fetch(["busybox-static"], tmp_path) == {"busybox-static": folder}
    with pytest.raises(FetchError, match="not installed"):
        fetch(["busybox-static"], tmp_path, refresh=True)
    assert (folder / ".version").exists(), "a failed refresh must leave what was there"


@pytest.mark.parametrize("name", ["", "x;y", "-o", "../x", "Upper", "a:b:c"])
def test_wild_names_are_refused(name: str) -> None:
    with pytest.raises(FetchError, match="no package name"):
        Package.parse(name)


def test_meta_package_leads_to_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {
        "linux-image-amd64": "Version: 6.1\nInstalled-Size: 11\nDepends: linux-image-6.1.0-9-amd64 (= 6.1)\n",
        "linux-image-6.1.0-9-amd64": "Version: 6.1.2-1\nInstalled-Size: 400000\nDepends: kmod\n",
    }
    monkeypatch.setattr(PrivateApt, "run", lambda self, tool, *words, cwd=None: shown[words[-1]])
    apt = PrivateApt(tmp_path, "amd64")
    assert apt.resolve("linux-image-amd64") == ("linux-image-6.1.0-9-amd64", "6.1.2-1")


@pytest.mark.parametrize("lists", [0, 1])
def test_a_source_that_fails_takes_nothing_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lists: int
) -> None:
    def update(self: PrivateApt, tool: str, *words: str, cwd: Path | None = None) -> str:
        for number in range(lists):
            (self.folder / "state" / "lists" / f"{number}_Packages.lz4").touch()
        raise FetchError("apt-get failed: a list")

    monkeypatch.setattr(PrivateApt, "run", update)
    monkeypatch.setattr(PrivateApt, "copy_sources", lambda self: None)
    if lists:
        PrivateApt(tmp_path, "i386").prepare()
        assert capsys.readouterr().err == "fetch_debian: apt-get failed: a list\n"
    else:
        with pytest.raises(FetchError, match="a list"):
            PrivateApt(tmp_path, "i386").prepare()


def test_command_line_says_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert fetch_debian.main(["x;y", "--target", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
