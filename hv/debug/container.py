"""The shell of our binary files: magic, version, named sections compressed with Zstandard, and a checksum over it all.

    8 bytes   magic: what kind of file
    u32       version of the format
    u32       number of sections
    each      4 bytes name, u32 zero, u64 size in the file, u64 size unpacked
    ...       the sections' contents, each one Zstandard frame, in the same order, without gaps
    32 bytes  SHA-256 of everything before

Numbers are little-endian. A reader checks every size against the file's and against a limit before it allocates
anything; what a section unpacks to is counted as it comes, so that a small file cannot become large.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from hv.builder.image import why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_HEAD, _SECTION = struct.Struct("<8sII"), struct.Struct("<4sIQQ")
_DIGEST = 32
_CHUNK = 1 << 20
_MAX_SECTIONS = 16
_WINDOW = 1 << 23
"""Bytes that a decompressor keeps at most: those of Zstandard's level 3 for any size of data."""
JSON_LIMIT = 64 << 20
"""Bytes of JSON that a reader unpacks at most."""


class FileFormatError(Exception):
    """A file that cannot be used. One line: `path: problem; remedy`."""


class Kind(NamedTuple):
    """A kind of file: its magic, its one version, what people call it, and what to do when one is no good."""

    magic: bytes
    version: int
    name: str
    remedy: str
    error: type[FileFormatError]

    def refuse(self, path: str | Path, problem: str) -> FileFormatError:
        """The exception for a file that has this problem."""
        return self.error(f"{path}: {problem}; remedy: {self.remedy}")


class _Section(NamedTuple):
    name: bytes
    offset: int
    packed: int
    size: int


# ---- writing ----


def write(path: str | Path, kind: Kind, sections: Mapping[bytes, Iterable[bytes]]) -> None:
    """Write a file of these sections, given piece by piece. What was at `path` stays until all is written.

    OSError: it cannot be written, or what is there is no file: it would be replaced (/dev/null, by root).
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is no regular file")
    part = f"{path}.part"
    try:
        with open(part, "w+b") as file:
            _write(file, kind, sections)
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


def _write(file: BinaryIO, kind: Kind, sections: Mapping[bytes, Iterable[bytes]]) -> None:
    import zstandard

    heads = []
    file.seek(_HEAD.size + len(sections) * _SECTION.size)
    for name, pieces in sections.items():
        start, size = file.tell(), 0
        with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as packer:
            for piece in pieces:
                packer.write(piece)
                size += len(piece)
        heads.append(_SECTION.pack(name, 0, file.tell() - start, size))
    file.seek(0)
    file.write(_HEAD.pack(kind.magic, kind.version, len(sections)) + b"".join(heads))
    file.write(_digest(file, file.seek(0, os.SEEK_END)))


def _digest(file: BinaryIO, length: int) -> bytes:
    """SHA-256 of the first `length` bytes; leaves the file behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while length > 0:
        data = file.read(min(length, _CHUNK))
        if not data:
            break
        digest.update(data)
        length -= len(data)
    return digest.digest()


def dump(value: Any) -> Iterator[bytes]:
    """JSON as the pieces of a section. OSError (EFBIG): more than a reader would take."""
    data = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    if len(data) > JSON_LIMIT:
        raise OSError(errno.EFBIG, f"{len(data):,} bytes of plain data; a file of this kind holds {JSON_LIMIT:,}")
    yield data


class Blobs:
    """Bytes of all kinds for one section, one behind the other: in the order of their coming, their lengths are all
    that a reader needs."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> int:
        """How many bytes they are."""
        self._parts.append(data)
        return len(data)

    def pieces(self) -> Iterator[bytes]:
        """All of them."""
        yield from self._parts


# ---- reading ----


def is_of(path: str | Path, kind: Kind) -> bool:
    """Does the file look like one of this kind? False for what cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(len(kind.magic)) == kind.magic
    except (OSError, ValueError):
        return False


class Reader:
    """A file of one kind, whose checksum and table of sections are good. A context manager.

    Raises the kind's error for anything else.
    """

    def __init__(self, path: str | Path, kind: Kind) -> None:
        self.path = path
        self.kind = kind
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - closed by __exit__
        except (OSError, ValueError) as error:
            raise self.refuse(f"cannot be read: {why_not(error)}") from None
        try:
            self._sections = self._read_table()
        except OSError as error:
            self._file.close()
            raise self.refuse(f"cannot be read: {why_not(error)}") from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._file.close()

    def refuse(self, problem: str) -> FileFormatError:
        """The exception that says so of this file."""
        return self.kind.refuse(self.path, problem)

    def _read_table(self) -> dict[bytes, _Section]:
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size or head[:8] != self.kind.magic:
            raise self.refuse(f"is not a {self.kind.name}")
        _, version, count = _HEAD.unpack(head)
        if version != self.kind.version:
            raise self.refuse(f"is a {self.kind.name} of version {version}, and only {self.kind.version} is known here")
        length = self._file.seek(0, os.SEEK_END) - _DIGEST
        offset = _HEAD.size + count * _SECTION.size
        if count > _MAX_SECTIONS or length < offset or _digest(self._file, length) != self._file.read(_DIGEST):
            raise self.refuse("is damaged: its checksum is wrong")
        self._file.seek(_HEAD.size)
        sections = {}
        for _ in range(count):
            name, _, packed, size = _SECTION.unpack(self._file.read(_SECTION.size))
            sections[name] = _Section(name, offset, packed, size)
            offset += packed
        if offset != length or len(sections) != count:
            raise self.refuse("is damaged: its sections do not fill it")
        return sections

    def size(self, name: bytes) -> int:
        """Bytes that a section says it unpacks to."""
        if name not in self._sections:
            raise self.refuse(f"has no section {name.decode('ascii', 'replace')!r}")
        return self._sections[name].size

    def pieces(self, name: bytes, limit: int) -> Callable[[int], bytes]:
        """A function that reads on in a section: exactly as many bytes as asked for. `limit`: of the whole section."""
        import zstandard

        if self.size(name) > limit:
            raise self.refuse(f"would unpack to {self.size(name):,} bytes ({name.decode()}), {limit:,} are allowed")
        section = self._sections[name]
        self._file.seek(section.offset)
        source = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(
            cast("BinaryIO", _Part(self._file, section.packed)), read_across_frames=False, closefd=False
        )
        left = section.size

        def read(count: int) -> bytes:
            nonlocal left
            parts = []
            while count > 0:
                try:
                    data = source.read(min(count, _CHUNK)) if left >= count else b""
                except zstandard.ZstdError:
                    data = b""
                if not data:
                    raise self.refuse(f"is damaged: section {name.decode()} does not unpack")
                parts.append(data)
                count -= len(data)
                left -= len(data)
            return b"".join(parts)

        return read

    def json(self, name: bytes) -> Any:
        """A section of JSON."""
        data = self.pieces(name, JSON_LIMIT)(self.size(name))
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise self.refuse(f"is damaged: section {name.decode()} is no JSON") from None


class _Part:
    """The next `length` bytes of a file, for a decompressor to read."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes; none behind the part's end."""
        data = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(data)
        return data
