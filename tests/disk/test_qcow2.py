"""qcow2 images: what they hold, and what is wrong with them."""

import os
import random
from pathlib import Path

import pytest

from hv.disk.image import ImageError, MediumError
from hv.disk.opening import MAX_CHAIN, open_image
from hv.disk.qcow2 import Qcow2Image
from tests.disk.make_qcow2 import COMPRESSED, COPIED, Qcow2

MIB = 1 << 20
A, B, C = (bytes([letter]) * 4096 for letter in b"ABC")


@pytest.mark.parametrize("version", [2, 3])
def test_clusters_of_every_kind(tmp_path: Path, version: int) -> None:
    (tmp_path / "base").write_bytes(C * 64)
    zeros = (3,) if version == 3 else ()
    packed = {1: A[:2000] + B[:2096]}
    made = Qcow2(MIB, {0: A, 2: b"B" * 100}, packed=packed, zeros=zeros, version=version, backing=b"base")
    image = open_image(made.write(tmp_path / "top"))
    assert (image.size, image.format) == (MIB, "qcow2")
    third = bytes(4096) if zeros else C
    whole = A + A[:2000] + B[:2096] + (b"B" * 100).ljust(4096, b"\0") + third + C * 60
    assert image.read(0, MIB) == whole.ljust(MIB, b"\0")
    assert image.read(4090, 4100) == whole[4090:8190]
    assert image.read(64 * 4096 - 10, 20) == b"C" * 10 + bytes(10)


def test_zstd(tmp_path: Path) -> None:
    image = open_image(Qcow2(MIB, packed={7: A}, compression="zstd").write(tmp_path / "x"))
    assert image.read(7 * 4096 - 1, 4098) == b"\0" + A + b"\0"


@pytest.mark.parametrize("bits", [9, 16, 21])
def test_cluster_sizes(tmp_path: Path, bits: int) -> None:
    image = open_image(Qcow2(3 << bits, {1: b"x" * (1 << bits)}, packed={2: b"y"}, bits=bits).write(tmp_path / "x"))
    assert image.read((1 << bits) - 1, 3) == b"\0xx"
    assert image.read((2 << bits) - 1, 3) == b"xy\0"


def test_a_disk_of_terabytes_costs_nothing(tmp_path: Path) -> None:
    image = open_image(Qcow2(1 << 41, {0: A}, bits=16).write(tmp_path / "x"))
    assert image.read((1 << 41) - 512, 512) == bytes(512)


def test_lazy_reference_counts_do_not_matter(tmp_path: Path) -> None:
    image = open_image(Qcow2(MIB, {0: A}, incompatible=1, compatible=1).write(tmp_path / "x"))
    assert image.read(0, 4096) == A


def test_a_cluster_cut_off_by_the_end_of_the_file_is_zeros(tmp_path: Path) -> None:
    path = Qcow2(MIB, {0: A}).write(tmp_path / "x")
    os.truncate(path, 5 * 4096 + 512)
    assert open_image(path).read(0, 4096) == A[:512].ljust(4096, b"\0")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"version": 4}, "version 4 is unknown"),
        ({"cluster_bits": 8}, "clusters of 2^8"),
        ({"cluster_bits": 0xFFFFFFFF}, "clusters of 2^4294967295"),
        ({"crypt": 2}, "encrypted"),
        ({"size": 0}, "0 bytes"),
        ({"size": 1 << 63, "l1_entries": 1}, "cannot be"),
        ({"size": 1 << 60, "l1_entries": 1}, "larger than 32 MiB"),
        ({"l1_entries": 0}, "has 0 entries, its size needs 1"),
        ({"l1_entries": 0xFFFFFFFF}, "larger than 32 MiB"),
        ({"l1_at": 3 * 4096 + 8}, "L1 table of 1 entries cannot be at"),
        ({"l1_at": 1 << 40}, "L1 table"),
        ({"l1_at": 0}, "L1 table"),
        ({"refcounts_at": 1 << 63}, "reference counts cannot be at"),
        ({"refcount_clusters": 0xFFFFFFFF}, "reference counts cannot be at"),
        ({"refcount_order": 7}, "2^7 bits"),
        ({"header_length": 100}, "100 bytes long"),
        ({"header_length": 1 << 31}, "bytes long"),
        ({"incompatible": 2}, "marked as corrupt"),
        ({"incompatible": 4}, "external file"),
        ({"incompatible": 8}, "contradict each other"),
        ({"incompatible": 16}, "extended L2"),
        ({"incompatible": 1 << 40}, "unknown here"),
        ({"backing_at": 4000, "backing_length": 1000}, "cannot be there"),
        ({"backing_at": 1 << 63, "backing_length": 10}, "cannot be there"),
        ({"backing_at": 200, "backing_length": 1 << 30}, "cannot be there"),
    ],
)
def test_headers_refused(tmp_path: Path, header: dict[str, int], said: str) -> None:
    path = Qcow2(**{"size": MIB} | header).write(tmp_path / "x")
    with pytest.raises(ImageError, match=".*") as error:
        open_image(path)
    assert said in str(error.value) and str(error.value).startswith(path + ": ") and "\n" not in str(error.value)


def test_every_truncation_is_one_line(tmp_path: Path) -> None:
    whole = Qcow2(MIB, {0: A}, backing=b"x").build()
    for length in (3, 4, 50, 72, 100, 103, 110, 4096, 3 * 4096 + 4):
        (tmp_path / "x").write_bytes(whole[:length])
        with pytest.raises(ImageError):
            open_image(str(tmp_path / "x"), "qcow2")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (5 * 4096 + 512, "between two clusters"),
        (1 << 40, "behind the end"),
        (5 * 4096 | 2, "entry"),
        (5 * 4096 | 1 << 60, "entry"),
        (COMPRESSED | 1 << 40, "compressed data"),
        (COMPRESSED | 5 * 4096, "compressed data"),
        (COMPRESSED | (1 << 58) - 1, "compressed data"),
    ],
)
@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_damaged_entries_are_read_errors(tmp_path: Path, entry: int, said: str, compression: str) -> None:
    path = Qcow2(MIB, {0: A}, l2={1: entry}, compression=compression).write(tmp_path / "x")
    image = open_image(path)
    assert image.read(0, 4096) == A
    with pytest.raises(MediumError, match=said):
        image.read(4096, 512)


@pytest.mark.parametrize("entry", [4 * 4096 + 512, 1 << 50, 4 * 4096 | 1, 4 * 4096 | 1 << 62])
def test_damaged_l1_entries_are_read_errors(tmp_path: Path, entry: int) -> None:
    image = open_image(Qcow2(2 * MIB, {0: A}, l1={0: entry}).write(tmp_path / "x"))
    with pytest.raises(MediumError):
        image.read(0, 512)


def test_version_2_has_no_zero_clusters(tmp_path: Path) -> None:
    image = open_image(Qcow2(MIB, zeros=(0,), version=2).write(tmp_path / "x"))
    with pytest.raises(MediumError):
        image.read(0, 512)


def test_tables_that_overlap_stay_in_bounds(tmp_path: Path) -> None:
    """The L2 table is the L1 table is the data: it reads as something, at no cost."""
    image = open_image(Qcow2(MIB, l1={0: 3 * 4096}).write(tmp_path / "x"))
    assert image.read(0, 8) == (3 * 4096).to_bytes(8, "big")


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_bombs_do_not_go_off(tmp_path: Path, compression: str) -> None:
    made = Qcow2(MIB, compression=compression)
    bomb = Qcow2(1 << 30, packed={0: bytes(1 << 22)}, compression=compression, bits=12)
    made.entries, made.tail = bomb.entries, bomb.tail
    image = open_image(made.write(tmp_path / "x"))
    assert isinstance(image, Qcow2Image)
    assert image.read(0, 4096) == bytes(4096)


def test_caches_are_bounded(tmp_path: Path) -> None:
    image = open_image(Qcow2(1 << 40, l1=dict.fromkeys(range(2048), 4 * 65536), bits=16).write(tmp_path / "x"))
    assert isinstance(image, Qcow2Image)
    for number in range(2048):
        image.read(number << 29 | (number % 16) << 25, 512)
    assert len(image._pieces) <= 512


def test_random_damage_never_escapes(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(C * 64)
    whole = Qcow2(MIB, {0: A, 5: B}, packed={1: A, 2: B}, backing=b"base", compression="zstd").build()
    rng = random.Random(1)
    refused = failed = 0
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.choice((rng.randrange(112), rng.randrange(3 * 4096, 5 * 4096), rng.randrange(len(whole))))
            damaged[at] = rng.choice((0, 0xFF, rng.randrange(256)))
        (tmp_path / "x").write_bytes(damaged)
        try:
            image = open_image(str(tmp_path / "x"), "qcow2")
        except ImageError:
            refused += 1
            continue
        for offset in range(0, min(image.size, MIB), 4096):
            try:
                assert len(image.read(offset, 512)) == 512
            except MediumError:
                failed += 1
        image.close()
    assert refused > 100 and failed > 100


# ---- backing files ----


def test_a_chain(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(A + B)
    for number in range(1, MAX_CHAIN):
        format = "raw" if number == 1 else "qcow2"
        Qcow2(MIB, backing=b"%d" % (number - 1), backing_format=format).write(tmp_path / str(number))
    assert open_image(str(tmp_path / str(MAX_CHAIN - 1))).read(4090, 10) == b"A" * 6 + b"B" * 4
    over = Qcow2(MIB, backing=b"%d" % (MAX_CHAIN - 1), backing_format="qcow2").write(tmp_path / "over")
    with pytest.raises(ImageError, match="more than 16"):
        open_image(over)


def test_circles(tmp_path: Path) -> None:
    for name, behind in (("a", b"b"), ("b", b"a"), ("c", b"c")):
        Qcow2(MIB, backing=behind, backing_format="qcow2").write(tmp_path / name)
    os.link(tmp_path / "c", tmp_path / "d")
    for name in "abcd":
        with pytest.raises(ImageError, match="circle"):
            open_image(str(tmp_path / name))


@pytest.mark.parametrize(
    ("backing", "said"),
    [
        (b"/etc/passwd", "another folder"),
        (b"../secret", "another folder"),
        (b"sub/../../secret", "another folder"),
        (b"..", "another folder"),
        (b".", "another folder"),
        (b"sub/x", "another folder"),
        (b"nbd://host/export", "protocol"),
        (b"json:{}", "protocol"),
        (b"a\0b", "protocol"),
        (b"missing", "No such file"),
        (b"link", "symbolic link"),
        (b"sub", "not a file"),
        (b"pipe", "not a file"),
        (b"bad\nname\x1b[31m", "No such file"),
    ],
)
def test_backing_files_refused(tmp_path: Path, backing: bytes, said: str) -> None:
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    path = Qcow2(MIB, backing=backing).write(tmp_path / "x")
    with pytest.raises(ImageError) as error:
        open_image(path)
    assert said in str(error.value) and str(error.value).isprintable()
    assert str(error.value).startswith(f"{path}: ")  # the image that wants it


def test_backing_files_allowed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base").write_bytes(A)
    (tmp_path / "base").write_bytes(B)
    for name in (b"base", b"./base", os.fsencode(tmp_path / "base")):
        assert open_image(Qcow2(MIB, backing=name).write(tmp_path / "x")).read(0, 4) == b"BBBB"
    path = Qcow2(MIB, backing=b"sub/base", backing_format="").write(tmp_path / "x")
    assert open_image(path, backing="anywhere").read(0, 4) == b"AAAA"
    with pytest.raises(ImageError, match="allow it"):
        open_image(path, backing="refuse")


def test_the_format_of_a_backing_file_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(A)
    with pytest.raises(ImageError, match="without a format"):
        open_image(Qcow2(MIB, backing=b"base", backing_format="").write(tmp_path / "x"))
    with pytest.raises(ImageError, match="'vmdk'"):
        open_image(Qcow2(MIB, backing=b"base", backing_format="vmdk").write(tmp_path / "x"))
    Qcow2(MIB, {0: B}).write(tmp_path / "base")
    image = open_image(Qcow2(MIB, backing=b"base", backing_format="raw").write(tmp_path / "x"))
    assert image.read(0, 4) == b"QFI\xfb"


def test_unused_copied_flag_is_no_address(tmp_path: Path) -> None:
    assert open_image(Qcow2(MIB, l2={0: COPIED}).write(tmp_path / "x")).read(0, 4) == bytes(4)
