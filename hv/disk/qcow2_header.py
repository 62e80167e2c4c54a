"""The header of a qcow2 file: read, checked, and what we cannot do refused by name.

Source: docs/interop/qcow2.txt of QEMU. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hv.disk.hostfile import HostFile
from hv.disk.image import ImageError

MAGIC = b"QFI\xfb"
V2 = struct.Struct(">4sIQIIQIIQQIIQ")
V3 = struct.Struct(">QQQII")
HEADER_V3 = V2.size + V3.size
CLUSTER_BITS = range(9, 22)
MAX_L1_BYTES = 32 << 20
"""QEMU's limit, too."""
MAX_BACKING_NAME = 1023
EXTENSION_END, EXTENSION_BACKING_FORMAT = 0, 0xE2792ACA

DIRTY, CORRUPT, EXTERNAL_DATA, COMPRESSION_TYPE, EXTENDED_L2 = (1 << bit for bit in range(5))
_REFUSED = {
    CORRUPT: ("it is marked as corrupt", "repair it (qemu-img check -r all FILE)"),
    EXTERNAL_DATA: ("its data are in an external file", "convert it (qemu-img convert -O qcow2 FILE NEW)"),
    EXTENDED_L2: ("it has extended L2 entries (subclusters)", "convert it (qemu-img convert -O qcow2 FILE NEW)"),
}
COMPRESSIONS = {0: "zlib", 1: "zstd"}
_DAMAGED = "the file is truncated or damaged; repair it (qemu-img check -r all FILE) or fetch it again"


class Header(NamedTuple):
    """What is needed to read an image. Offsets and sizes in bytes; `backing` as it is in the file, b"" for none."""

    version: int
    cluster_bits: int
    size: int
    l1_offset: int
    l1_entries: int
    compression: str
    backing: bytes
    backing_format: str


def read(file: HostFile) -> Header:
    """The header of a file that begins with MAGIC. ImageError for all that is wrong with it."""
    name = file.name
    start = file.read(0, 1 << 16)
    if len(start) < V2.size:
        raise ImageError(name, f"its header is cut off at {len(start)} bytes", _DAMAGED)
    (_, version, backing_at, backing_length, bits, size, crypt, l1_entries, l1_at, refcounts_at, refcount_clusters,
     _snapshots, _snapshots_at) = V2.unpack_from(start)  # fmt: skip
    if version not in (2, 3):
        raise ImageError(name, f"qcow2 version {version} is unknown", "give version 2 or 3 (qemu-img amend)")
    if bits not in CLUSTER_BITS:
        raise ImageError(name, f"clusters of 2^{bits} bytes cannot be", _DAMAGED)
    if crypt:
        raise ImageError(name, "it is encrypted", "decrypt it (qemu-img convert)")
    compression, length = 0, V2.size
    if version == 3:
        compression, length = _version3(name, start, bits)
    backing_format = _extensions(name, start, length, backing_at, 1 << bits)
    backing = _backing(name, start, backing_at, backing_length, 1 << bits)
    _check_refcounts(file, refcounts_at, refcount_clusters, bits)
    _check_l1(file, l1_at, l1_entries, size, bits)
    return Header(version, bits, size, l1_at, l1_entries, COMPRESSIONS[compression], backing, backing_format)


def _version3(name: str, start: bytes, bits: int) -> tuple[int, int]:
    """(number of the compression type, length of the header); ImageError for features that are not for us."""
    if len(start) < HEADER_V3:
        raise ImageError(name, f"its header is cut off at {len(start)} bytes", _DAMAGED)
    incompatible, _, _, refcount_order, length = V3.unpack_from(start, V2.size)
    for bit, (problem, remedy) in _REFUSED.items():
        if incompatible & bit:
            raise ImageError(name, problem, remedy)
    if unknown := incompatible & ~(DIRTY | COMPRESSION_TYPE):
        raise ImageError(
            name, f"it uses features that are unknown here (incompatible features {unknown:#x})",
            "convert it (qemu-img convert -O qcow2 FILE NEW)",
        )  # fmt: skip
    if refcount_order > 6:
        raise ImageError(name, f"reference counts of 2^{refcount_order} bits cannot be", _DAMAGED)
    if not HEADER_V3 <= length <= 1 << bits or length % 8:
        raise ImageError(name, f"its header cannot be {length} bytes long", _DAMAGED)
    compression = start[HEADER_V3] if length > HEADER_V3 and len(start) > HEADER_V3 else 0
    if bool(compression) != bool(incompatible & COMPRESSION_TYPE):
        raise ImageError(name, "its compression type and its feature bits contradict each other", _DAMAGED)
    if compression not in COMPRESSIONS:
        raise ImageError(name, f"compression type {compression} is unknown", "convert it (qemu-img convert)")
    return compression, length


def _extensions(name: str, start: bytes, at: int, end: int, cluster: int) -> str:
    """The format of the backing file that the header extensions name, "" if none does."""
    found = ""
    end = min(end or cluster, cluster, len(start))
    while at + 8 <= end:
        kind, length = struct.unpack_from(">II", start, at)
        if kind == EXTENSION_END:
            break
        if at + 8 + length > end:
            raise ImageError(name, f"its header extension at {at:#x} has no room for {length} bytes", _DAMAGED)
        if kind == EXTENSION_BACKING_FORMAT:
            found = start[at + 8 : at + 8 + length].decode("ascii", "replace")
        at += 8 + -(-length // 8) * 8
    return found


def _backing(name: str, start: bytes, at: int, length: int, cluster: int) -> bytes:
    if at == 0:
        return b""
    if not 0 < length <= MAX_BACKING_NAME or at + length > min(cluster, len(start)):
        raise ImageError(name, f"the name of its backing file ({length} bytes at {at:#x}) cannot be there", _DAMAGED)
    return start[at : at + length]


def _check_refcounts(file: HostFile, at: int, clusters: int, bits: int) -> None:
    """Reading needs no reference counts; a table that is not there tells of a damaged header all the same."""
    if at == 0 or at % (1 << bits) or clusters == 0 or at + (clusters << bits) > file.size:
        raise ImageError(file.name, f"its table of reference counts cannot be at {at:#x}", _DAMAGED)


def _check_l1(file: HostFile, at: int, entries: int, size: int, bits: int) -> None:
    if size == 0:
        raise ImageError(file.name, "it is a disk of 0 bytes", "give it a size (qemu-img resize FILE 1G)")
    if size > 1 << 62:
        raise ImageError(file.name, f"a disk of {size} bytes cannot be", _DAMAGED)
    covered = bits + bits - 3
    needed = -(-size >> covered)
    if 8 * needed > MAX_L1_BYTES or 8 * entries > MAX_L1_BYTES:
        raise ImageError(file.name, f"its L1 table is larger than {MAX_L1_BYTES >> 20} MiB", _DAMAGED)
    if entries < needed:
        raise ImageError(file.name, f"its L1 table has {entries} entries, its size needs {needed}", _DAMAGED)
    if at % (1 << bits) or at == 0 or at + 8 * entries > file.size:
        raise ImageError(file.name, f"its L1 table of {entries} entries cannot be at {at:#x}", _DAMAGED)
