"""Bring what a guest wrote into files: into the raw image itself, or into a qcow2 image that has it as backing file.

Both are done when a run is over and never by themselves. Committing ends the use of the image, because snapshots that
were taken of the run speak of the image as it was.
"""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from hv.disk import qcow2_header
from hv.disk.disk import Disk
from hv.disk.image import SECTOR, Image, ImageError, MediumError
from hv.disk.overlay import BLOCK
from hv.disk.qcow2 import Qcow2Image
from hv.disk.raw import RawImage

_MAGICS = {qcow2_header.MAGIC: "qcow2", b"KDMV": "VMDK", b"QED\0": "QED", b"vhdx": "VHDX", b"cone": "VHD"}

_BITS = 16
_CLUSTER = 1 << _BITS
_COPIED = 1 << 63
_PER_TABLE = _CLUSTER // 8
_PER_REFCOUNTS = _CLUSTER // 2
"""Reference counts of 16 bits in a cluster."""


def commit(disk: Disk) -> int:
    """Write what the guest has written into its raw image, and close it. Returns how many bytes.

    ImageError: the image is not raw, another run has it open, or the host cannot write it. Then the file may hold part
    of the changes; the disk still holds them all, and commit() may be called again.
    """
    image = disk.image
    if not isinstance(image, RawImage):
        raise ImageError(image.name, "changes cannot be written into a qcow2 image", "save them beside it (save=NEW)")
    _check_guess(disk, image)
    image.file.lock(fcntl.LOCK_EX, "another run has it open, so it cannot be changed")
    written = 0
    try:
        descriptor = image.file.reopen_for_writing()
        try:
            for number, data in disk.overlay.blocks():
                at = number * BLOCK
                written += _write(descriptor, at, data[: image.size - at])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        image.file.lock(fcntl.LOCK_SH, "another run has it open")
        raise ImageError(image.name, error.strerror or str(error), "make it writable, with room for it") from None
    image.close()
    return written


def _check_guess(disk: Disk, image: RawImage) -> None:
    """A guest that was given a disk as raw only because it looked so must not make it look like something else."""
    block = disk.overlay.get(0)
    if image.probed and block is not None and (kind := _MAGICS.get(block[:4])):
        raise ImageError(
            image.name, f"the guest has written a {kind} header to the start of it",
            "say format=raw if this is what you want",
        )  # fmt: skip


def _write(descriptor: int, at: int, data: bytes) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], at + done)
    return done


def save_changes(disk: Disk, path: str) -> int:
    """Write a qcow2 image with what the guest has written, and with the disk's image as its backing file. Returns the
    size of the new file, which appears whole or not at all.

    ImageError: the host cannot write it, or the image that is behind it cannot be read.
    """
    folder = os.path.dirname(path) or "."
    try:
        if os.path.exists(path) and any(os.path.samefile(path, name) for name in _names(disk.image)):
            raise ImageError(path, "the disk itself is in this file", "give the changes a file of their own")
        handle, part = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                size = _write_qcow2(disk, file, _backing_name(disk.image.name, folder))
                file.flush()
                os.fsync(file.fileno())
            os.chmod(part, 0o666 & ~_umask())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
    except OSError as error:
        raise ImageError(path, error.strerror or str(error), "give a file that can be written") from None
    except MediumError as error:
        raise ImageError(path, str(error), "the changes need what is there") from None
    return size


def _names(image: Image | None) -> Iterator[str]:
    """The files of an image and of what is behind it."""
    while image is not None:
        yield image.name
        image = image.backing if isinstance(image, Qcow2Image) else None


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _backing_name(image: str, folder: str) -> bytes:
    """How the new file names the image: plainly if they are in the same folder, else from the root on."""
    above, plain = os.path.split(os.path.abspath(image))
    same = above == os.path.abspath(folder) and ":" not in plain
    name = os.fsencode(plain if same else os.path.join(above, plain))
    if len(name) > qcow2_header.MAX_BACKING_NAME:
        raise ImageError(image, "its path is too long for a qcow2 header", "move it")
    return name


def _clusters(disk: Disk) -> Iterator[int]:
    """Numbers of the clusters that were written to, ascending."""
    last = -1
    for number, _ in disk.overlay.blocks():
        cluster = number * BLOCK // _CLUSTER
        if cluster != last:
            yield cluster
        last = cluster


def _write_qcow2(disk: Disk, file: BinaryIO, backing: bytes) -> int:
    """Header, reference counts, L1 table, L2 tables, data, in this order; a cluster is used once."""
    clusters = list(_clusters(disk))
    tables = sorted({cluster // _PER_TABLE for cluster in clusters})
    entries = -(-disk.sectors * SECTOR // (_CLUSTER * _PER_TABLE))
    if 8 * entries > qcow2_header.MAX_L1_BYTES:
        raise ImageError(disk.image.name, "the disk is too large for a qcow2 image", "use a smaller one")
    l1_clusters = -(-8 * entries // _CLUSTER)
    fixed = 1 + l1_clusters + len(tables) + len(clusters)
    counts, count_tables = _refcount_clusters(fixed)
    first_count = 1 + count_tables
    first_l1 = first_count + counts
    first_l2 = first_l1 + l1_clusters
    first_data = first_l2 + len(tables)
    total = fixed + counts + count_tables

    _cluster(file, _header(disk, backing, first_l1, entries, count_tables))
    _cluster(file, _words(_CLUSTER * (first_count + i) for i in range(counts)), count_tables)
    _cluster(file, b"\0\1" * total, counts)
    where = {table: _CLUSTER * (first_l2 + i) | _COPIED for i, table in enumerate(tables)}
    _cluster(file, _words(where.get(i, 0) for i in range(entries)), l1_clusters)
    data = {cluster: _CLUSTER * (first_data + i) | _COPIED for i, cluster in enumerate(clusters)}
    for table in tables:
        first = table * _PER_TABLE
        _cluster(file, _words(data.get(i, 0) for i in range(first, first + _PER_TABLE)))
    for cluster in clusters:
        sector = cluster * _CLUSTER // SECTOR
        _cluster(file, disk.read(sector, min(_CLUSTER // SECTOR, disk.sectors - sector)))
    return total * _CLUSTER


def _refcount_clusters(fixed: int) -> tuple[int, int]:
    """How many clusters of reference counts, and of the table of those, there must be for them and `fixed` more."""
    counts = count_tables = 1
    while counts * _PER_REFCOUNTS < fixed + counts + count_tables or count_tables * _PER_TABLE < counts:
        counts = -(-(fixed + counts + count_tables) // _PER_REFCOUNTS)
        count_tables = -(-counts // _PER_TABLE)
    return counts, count_tables


def _header(disk: Disk, backing: bytes, first_l1: int, entries: int, count_tables: int) -> bytes:
    format = disk.image.format.encode()
    extension = struct.pack(">II", qcow2_header.EXTENSION_BACKING_FORMAT, len(format)) + format.ljust(8, b"\0")
    length = qcow2_header.HEADER_V3
    name_at = length + len(extension) + 8
    return (
        qcow2_header.V2.pack(
            qcow2_header.MAGIC, 3, name_at, len(backing), _BITS, disk.sectors * SECTOR, 0, entries,
            first_l1 * _CLUSTER, _CLUSTER, count_tables, 0, 0,
        )
        + qcow2_header.V3.pack(0, 0, 0, 4, length) + extension + bytes(8) + backing
    )  # fmt: skip


def _words(values: Iterator[int]) -> bytes:
    return b"".join(value.to_bytes(8, "big") for value in values)


def _cluster(file: BinaryIO, data: bytes, count: int = 1) -> None:
    file.write(data.ljust(count * _CLUSTER, b"\0"))
