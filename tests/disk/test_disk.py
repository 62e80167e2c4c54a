"""A disk: an image with what was written before it, and how that is kept."""

import fcntl
import os
import random
from pathlib import Path

import pytest

from hv.disk.disk import Disk
from hv.disk.image import ImageError, MediumError
from hv.disk.keeping import commit, save_changes
from hv.disk.opening import open_cd, open_image
from tests.disk.make_qcow2 import COMPRESSED, Qcow2

SIZE = 100 * 512


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "disk").write_bytes(random.Random(3).randbytes(SIZE))
    return str(tmp_path / "disk")


def scribble(disk: Disk, seed: int = 4) -> bytes:
    """Write here and there; returns what the disk must hold."""
    rng, model = random.Random(seed), bytearray(disk.read(0, disk.sectors))
    for _ in range(200):
        sector = rng.randrange(disk.sectors)
        count = rng.randrange(1, min(30, disk.sectors - sector) + 1)
        data = rng.randbytes(512 * count)
        disk.write(sector, data)
        model[sector * 512 : (sector + count) * 512] = data
        at = rng.randrange(disk.sectors)
        assert disk.read(at, disk.sectors - at) == model[at * 512 :]
    return bytes(model)


def test_writes_go_to_the_overlay(path: str) -> None:
    before = Path(path).read_bytes()
    disk = Disk(open_image(path))
    start = disk.save()
    after = scribble(disk)
    saved = disk.save()
    disk.load(start)
    assert disk.read(0, 100) == before
    disk.load(saved)
    assert disk.read(0, 100) == after and Path(path).read_bytes() == before


def test_canonical_follows_contents(path: str) -> None:
    one, other = Disk(open_image(path)), Disk(open_image(path))
    assert one.canonical() == other.canonical()
    one.write(1, b"a" * 512)
    assert one.canonical() != other.canonical()
    other.write(1, b"b" * 512)
    other.write(1, b"a" * 512)
    assert one.canonical() == other.canonical()


@pytest.mark.parametrize(("sector", "count"), [(-1, 1), (100, 1), (99, 2), (1 << 60, 1)])
def test_beyond_the_end(path: str, sector: int, count: int) -> None:
    disk = Disk(open_image(path))
    with pytest.raises(MediumError):
        disk.read(sector, count)
    with pytest.raises(MediumError):
        disk.write(sector, bytes(count * 512))


def test_read_only_and_limit(path: str) -> None:
    with pytest.raises(MediumError, match="read-only"):
        Disk(open_image(path), read_only=True).write(0, bytes(512))
    disk = Disk(open_image(path), limit=8192)
    disk.write(0, b"x" * 8192)
    with pytest.raises(MediumError, match="more than 8192"):
        disk.write(16, b"y" * 512)
    disk.write(3, b"z" * 512)
    assert disk.read(2, 2) == b"x" * 512 + b"z" * 512 and disk.overlay.count == 2


def test_a_saved_overlay_belongs_to_its_size(path: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(1 << 20))
    with pytest.raises(ValueError, match="another size"):
        Disk(open_image(path)).load(Disk(open_image(str(tmp_path / "other"))).save())


def test_a_damaged_image_fails_reads_and_partial_writes_only_there(tmp_path: Path) -> None:
    disk = Disk(open_image(Qcow2(1 << 20, l2={1: COMPRESSED | 1 << 40}).write(tmp_path / "x")))
    with pytest.raises(MediumError):
        disk.read(8, 1)
    with pytest.raises(MediumError):
        disk.write(8, bytes(512))
    disk.write(8, b"w" * 4096)
    assert disk.read(7, 3) == bytes(512) + b"w" * 1024


# ---- raw files ----


def test_a_huge_sparse_file(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(8 << 40)
    disk = Disk(open_image(str(tmp_path / "huge")))
    last = disk.sectors - 1
    disk.write(last, b"e" * 512)
    assert disk.sectors == 1 << 34 and disk.read(last - 1, 2) == bytes(512) + b"e" * 512


def test_a_part_of_a_sector_is_filled_up(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" * 700)
    disk = Disk(open_image(str(tmp_path / "x")))
    assert disk.read(0, 2) == (b"a" * 700).ljust(1024, b"\0")


def test_a_file_that_shrinks_fails_reads(path: str) -> None:
    disk = Disk(open_image(path))
    os.truncate(path, 1024)
    assert len(disk.read(1, 1)) == 512
    with pytest.raises(MediumError, match="cut off"):
        disk.read(2, 1)


def test_what_cannot_be_opened(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    Qcow2(4096).write(tmp_path / "q")
    cases = {
        "missing": "No such file", "empty": "it is empty", "pipe": "not a file", ".": "not a file", "a\0b": "null",
    }  # fmt: skip
    for name, said in cases.items():
        with pytest.raises(ImageError, match=said):
            open_image(str(tmp_path / name))
    with pytest.raises(ImageError, match="no format vmdk"):
        open_image(path, "vmdk")
    with pytest.raises(ImageError, match="does not begin as"):
        open_image(path, "qcow2")
    with pytest.raises(ImageError, match="qcow2 image"):
        open_cd(str(tmp_path / "q"))


def test_cd_images(tmp_path: Path) -> None:
    (tmp_path / "iso").write_bytes(bytes(0x8000) + b"\1CD001\1".ljust(2048, b"\0"))
    assert open_cd(str(tmp_path / "iso")).size == 0x8800
    (tmp_path / "bin").write_bytes(b"\0" + b"\xff" * 10 + b"\0" + bytes(2340))
    with pytest.raises(ImageError, match="2352 bytes"):
        open_cd(str(tmp_path / "bin"))


# ---- keeping ----


def test_commit(path: str) -> None:
    disk = Disk(open_image(path))
    after = scribble(disk)
    assert commit(disk) >= SIZE
    assert Path(path).read_bytes() == after
    with pytest.raises(MediumError):
        disk.image.read(0, 512)


def test_commit_writes_what_was_written_only(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as file:
        file.truncate(1 << 30)
    disk = Disk(open_image(str(tmp_path / "x")))
    disk.write(1000, b"a" * 512)
    assert commit(disk) == 4096 and os.stat(tmp_path / "x").st_blocks * 512 <= 1 << 16


def test_commit_waits_for_nobody_and_disturbs_nobody(path: str) -> None:
    disk, other = Disk(open_image(path)), open_image(path)
    disk.write(0, b"a" * 512)
    before = Path(path).read_bytes()
    with pytest.raises(ImageError, match="another run"):
        commit(disk)
    assert Path(path).read_bytes() == before
    other.close()
    commit(disk)
    assert Path(path).read_bytes()[:512] == b"a" * 512


def test_nobody_opens_what_is_being_written(path: str) -> None:
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ImageError, match="writing its changes"):
            open_image(path)


def test_a_guest_cannot_turn_a_guessed_disk_into_another_format(path: str) -> None:
    header = Qcow2(4096, backing=b"secret").build()[:512]
    disk = Disk(open_image(path))
    disk.write(0, header)
    with pytest.raises(ImageError, match="qcow2 header"):
        commit(disk)
    disk.image.close()
    disk = Disk(open_image(path, "raw"))
    disk.write(0, header)
    commit(disk)
    assert Path(path).read_bytes()[:512] == header


def test_commit_refuses_qcow2(tmp_path: Path) -> None:
    disk = Disk(open_image(Qcow2(4096).write(tmp_path / "x")))
    with pytest.raises(ImageError, match="save them beside it"):
        commit(disk)


@pytest.mark.parametrize("of", ["raw", "qcow2"])
def test_saved_changes_are_an_image(tmp_path: Path, path: str, of: str) -> None:
    if of == "qcow2":
        path = Qcow2(SIZE, {0: b"q" * 4096}, backing=b"disk").write(tmp_path / "top")
    before = Path(path).read_bytes()
    disk = Disk(open_image(path))
    after = scribble(disk)
    new = str(tmp_path / "changes")
    assert save_changes(disk, new) == os.stat(new).st_size
    assert Path(path).read_bytes() == before
    again = open_image(new)
    assert again.format == "qcow2" and again.read(0, SIZE) == after


def test_saved_changes_far_out(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    disk = Disk(open_image(str(tmp_path / "huge")))
    for sector in (0, 1 << 20, (1 << 31) - 1):
        disk.write(sector, sector.to_bytes(8, "big") * 64)
    (tmp_path / "sub").mkdir()
    save_changes(disk, str(tmp_path / "sub" / "new"))
    again = Disk(open_image(str(tmp_path / "sub" / "new"), backing="anywhere"))
    assert all(again.read(s, 1) == s.to_bytes(8, "big") * 64 for s in (0, 1 << 20, (1 << 31) - 1))
    assert again.read(1 << 25, 1) == bytes(512)


def test_changes_are_not_saved_over_the_disk(tmp_path: Path, path: str) -> None:
    top = Qcow2(SIZE, backing=b"disk").write(tmp_path / "top")
    disk = Disk(open_image(top))
    (tmp_path / "link").symlink_to("disk")
    for name in (top, path, str(tmp_path / "link")):
        with pytest.raises(ImageError, match="the disk itself"):
            save_changes(disk, name)
    with pytest.raises(ImageError, match="No such file"):
        save_changes(disk, str(tmp_path / "nowhere" / "x"))
    assert sorted(os.listdir(tmp_path)) == ["disk", "link", "top"]
