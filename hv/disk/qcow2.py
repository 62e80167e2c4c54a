"""A qcow2 image, version 2 or 3, as it is read: two levels of tables, compressed clusters, a backing image.

Nothing in the file is believed. Tables are read as they are needed, piece by piece, and only a bounded number of pieces
is kept; an entry that points to where nothing can be is a MediumError at the guest's access, not before. Reference
counts and internal snapshots are not looked at: a reader has no need of them, and whether they are clean (lazy
reference counts, the dirty bit) makes no difference to it.

Source: docs/interop/qcow2.txt of QEMU.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable

from hv.disk.hostfile import HostFile
from hv.disk.image import Image, MediumError, whole_sectors
from hv.disk.qcow2_header import Header

_OFFSET = 0x00FFFFFFFFFFFE00
_L1_RESERVED = 0x7F000000000001FF
_L2_RESERVED = 0x3F000000000001FE
_COMPRESSED, _ZERO = 1 << 62, 1

_PIECE = 4096
"""Tables are read and kept in pieces of so many bytes."""
_PIECES = 512
_UNPACKED = 4
"""So many compressed clusters are kept unpacked."""
_ZSTD_WINDOW = 1 << 25


class Qcow2Image:
    """Implements hv.disk.image.Image."""

    format = "qcow2"

    def __init__(self, file: HostFile, header: Header, backing: Image | None, probed: bool = False) -> None:
        """Takes over file and backing image."""
        self.file = file
        self.name = file.name
        self.probed = probed
        self.header = header
        self.backing = backing
        self.size = whole_sectors(header.size)
        self._bits = header.cluster_bits
        self._cluster = 1 << self._bits
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._unpacked: OrderedDict[int, bytes] = OrderedDict()

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there, cluster by cluster. MediumError: the image is damaged there."""
        parts = []
        end = offset + length
        while offset < end:
            count = min(self._cluster - offset % self._cluster, end - offset)
            parts.append(self._read_cluster(offset, count))
            offset += count
        return b"".join(parts)

    def _read_cluster(self, offset: int, count: int) -> bytes:
        """`count` bytes within one cluster."""
        entry = self._entry(offset)
        if entry & _COMPRESSED:
            inside = offset % self._cluster
            return self._compressed(offset, entry)[inside : inside + count]
        if entry & _L2_RESERVED or (entry & _ZERO and self.header.version < 3):
            raise self._damaged(offset, f"entry {entry:#x}")
        if entry & _ZERO:
            return bytes(count)
        at = entry & _OFFSET
        if at == 0:
            return self._from_backing(offset, count)
        if at % self._cluster:
            raise self._damaged(offset, f"data at {at:#x}, between two clusters")
        return self._from_file(offset, at, count)

    def _from_file(self, offset: int, at: int, count: int) -> bytes:
        # The last cluster of a file may lack what was never written: those are zeros.
        if at >= self.file.size:
            raise self._damaged(offset, f"data at {at:#x}, behind the end of the file")
        return self.file.read(at + offset % self._cluster, count).ljust(count, b"\0")

    def _from_backing(self, offset: int, count: int) -> bytes:
        there = 0 if self.backing is None else max(min(count, self.backing.size - offset), 0)
        if self.backing is None or there == 0:
            return bytes(count)
        return self.backing.read(offset, there).ljust(count, b"\0")

    # ---- tables ----

    def _entry(self, offset: int) -> int:
        """The L2 entry of the cluster that holds `offset`; 0 where there is no table."""
        per_table = self._bits - 3
        cluster = offset >> self._bits
        table = self._word(self.header.l1_offset + 8 * (cluster >> per_table), offset)
        at = table & _OFFSET
        if at == 0:
            return 0
        if table & _L1_RESERVED or at % self._cluster:
            raise self._damaged(offset, f"L1 entry {table:#x}")
        return self._word(at + 8 * (cluster & (1 << per_table) - 1), offset)

    def _word(self, at: int, offset: int) -> int:
        """A number of a table in the file, needed for the bytes at `offset`."""
        start = at - at % _PIECE
        piece = _kept(self._pieces, start, _PIECES, lambda: self.file.read(start, _PIECE))
        word = piece[at - start : at - start + 8]
        if len(word) < 8:
            raise self._damaged(offset, f"a table at {at:#x}, behind the end of the file")
        return int.from_bytes(word, "big")

    # ---- compressed clusters ----

    def _compressed(self, offset: int, entry: int) -> bytes:
        return _kept(self._unpacked, entry, _UNPACKED, lambda: self._unpack(offset, entry))

    def _unpack(self, offset: int, entry: int) -> bytes:
        """The cluster that an L2 entry with its compressed bit describes."""
        at_bits = 62 - (self._bits - 8)
        at = entry & (1 << at_bits) - 1
        sectors = (entry & _COMPRESSED - 1) >> at_bits
        packed = self.file.read(at, (sectors + 1) * 512 - at % 512)
        try:
            data = _UNPACKERS[self.header.compression](packed, self._cluster)
        except _Broken as error:
            raise self._damaged(offset, f"compressed data at {at:#x}: {error}") from None
        if len(data) != self._cluster:
            raise self._damaged(offset, f"compressed data at {at:#x} are {len(data)} bytes, not {self._cluster}")
        return data

    def _damaged(self, offset: int, what: str) -> MediumError:
        return MediumError(f"{self.name}: damaged at {offset:#x}: {what}")

    def close(self) -> None:
        """Let go of the file and of what is behind it."""
        self.file.close()
        if self.backing is not None:
            self.backing.close()


def _kept(cache: OrderedDict[int, bytes], key: int, limit: int, make: Callable[[], bytes]) -> bytes:
    """A value that is kept until `limit` others were used since."""
    found = cache.get(key)
    if found is None:
        found = cache[key] = make()
        if len(cache) > limit:
            cache.popitem(last=False)
    else:
        cache.move_to_end(key)
    return found


class _Broken(Exception):
    """Compressed data that are none."""


def _zlib(packed: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
    except zlib.error as error:
        raise _Broken(str(error)) from None


def _zstd(packed: bytes, limit: int) -> bytes:
    import zstandard  # only images that need it pay for it

    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with stream.stream_reader(packed, read_across_frames=True) as reader:
            return reader.read(limit)
    except zstandard.ZstdError as error:
        raise _Broken(str(error)) from None


_UNPACKERS = {"zlib": _zlib, "zstd": _zstd}
