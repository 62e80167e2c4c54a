"""Make small qcow2 images for tests, well-formed or not: every number in them can be overridden."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import zstandard

COPIED, COMPRESSED = 1 << 63, 1 << 62
HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
HEADER_V3 = struct.Struct(">QQQII")
FIELDS = (
    "magic", "version", "backing_at", "backing_length", "cluster_bits", "size", "crypt", "l1_entries", "l1_at",
    "refcounts_at", "refcount_clusters", "snapshots", "snapshots_at",
)  # fmt: skip
FIELDS_V3 = ("incompatible", "compatible", "autoclear", "refcount_order", "header_length")


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


class Qcow2:
    """Header in cluster 0, the table of reference counts in 1, counts in 2, the L1 table in 3, one L2 table in 4, data
    behind. `data`: bytes by cluster number; `packed`: the same, to be compressed; `zeros`: zero clusters."""

    def __init__(
        self, size: int, data: Mapping[int, bytes] = {}, *, packed: Mapping[int, bytes] = {},
        zeros: tuple[int, ...] = (), bits: int = 12, version: int = 3, compression: str = "zlib",
        backing: bytes = b"", backing_format: str = "raw",
        l1: Mapping[int, int] = {}, l2: Mapping[int, int] = {}, **header: int,
    ) -> None:  # fmt: skip
        self.cluster = cluster = 1 << bits
        self.entries: dict[int, int] = {}
        self.tail = b""
        self.first_data = 5 * cluster
        for number, contents in data.items():
            self.entries[number] = self._append(contents.ljust(cluster, b"\0")) | COPIED
        packer = {"zlib": deflate, "zstd": zstd}[compression]
        for number, contents in packed.items():
            self.entries[number] = self._compressed(packer(contents.ljust(cluster, b"\0")), bits)
        self.tail = self.tail.ljust(-(-len(self.tail) // cluster) * cluster, b"\0")
        self.entries |= dict.fromkeys(zeros, 1) | dict(l2)
        self.l1 = {0: 4 * cluster | COPIED} | dict(l1)
        self.header = dict.fromkeys((*FIELDS, *FIELDS_V3), 0) | {
            "version": version, "cluster_bits": bits, "size": size, "l1_at": 3 * cluster,
            "l1_entries": -(-size // (cluster * cluster // 8)), "refcounts_at": cluster, "refcount_clusters": 1,
            "refcount_order": 4, "header_length": 112 if compression == "zstd" else 104,
            "incompatible": 8 if compression == "zstd" else 0,
        }  # fmt: skip
        self.compression = compression
        self.backing, self.backing_format = backing, backing_format
        self.override = header

    def _append(self, contents: bytes) -> int:
        at = self.first_data + len(self.tail)
        self.tail += contents
        return at

    def _compressed(self, contents: bytes, bits: int) -> int:
        at = self._append(contents)
        sectors = (at + len(contents) - 1) // 512 - at // 512
        return COMPRESSED | sectors << (62 - (bits - 8)) | at

    def build(self) -> bytes:
        extensions = b""
        if self.backing and self.backing_format:
            name = self.backing_format.encode()
            extensions = struct.pack(">II", 0xE2792ACA, len(name)) + name.ljust(-(-len(name) // 8) * 8, b"\0")
        extensions += bytes(8)
        version = self.override.get("version", self.header["version"])
        start = self.header["header_length"] if version == 3 else HEADER.size
        if self.backing:
            self.header |= {"backing_at": start + len(extensions), "backing_length": len(self.backing)}
        fields = self.header | self.override
        head = HEADER.pack(b"QFI\xfb", *(fields[name] for name in FIELDS[1:]))
        if version == 3:
            head += HEADER_V3.pack(*(fields[name] for name in FIELDS_V3))
            head = (head + bytes([self.compression == "zstd"])).ljust(start, b"\0")[:start]
        head += extensions + self.backing
        counts = b"\0\1" * (5 + len(self.tail) // self.cluster)
        parts = (head, struct.pack(">Q", 2 * self.cluster), counts, self._table(self.l1), self._table(self.entries))
        return b"".join(part.ljust(self.cluster, b"\0") for part in parts) + self.tail

    def _table(self, entries: Mapping[int, int]) -> bytes:
        table = bytearray(self.cluster)
        for number, entry in entries.items():
            table[8 * number : 8 * number + 8] = entry.to_bytes(8, "big")
        return bytes(table)

    def write(self, path: Path) -> str:
        path.write_bytes(self.build())
        return str(path)
