"""Disks in a snapshot file: which image files they are of, and what guests have written to them.

An image is not copied into the file. It is named, with the size and SHA-256 of each of its files (a qcow2 image may
have others behind it), and a file that is not that one any more is refused: its name may come from anybody, and whoever
can give the digest has the contents already.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.fields import FieldError, flag, hexbytes, items, number, record, text
from hv.debug.shapes import Shape
from hv.disk.image import Image, ImageError, MediumError
from hv.disk.opening import FORMATS, MAX_CHAIN, open_cd, open_image
from hv.disk.overlay import BLOCK, Overlay
from hv.disk.qcow2 import Qcow2Image
from hv.disk.raw import RawImage

if TYPE_CHECKING:
    from hv.disk.hostfile import HostFile

MAX_IMAGES = 1 << 12
MAX_OVERLAYS = 1 << 22
MAX_BLOCKS = 1 << 52
_PIECE = 1 << 20
OverlayShape = Callable[[int], Shape]
"""Gives the shape of what was written to a disk of so many blocks: in a moment, the number of an overlay."""


class MissingError(FieldError):
    """Another file that is needed is not there, or is another by now. `remedy` says what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


# ---- images ----


class ImageFile(NamedTuple):
    """One file of an image: absolute path, bytes, and SHA-256 of its contents."""

    path: str
    size: int
    sha256: str


def files_of(image: Image) -> list[ImageFile]:
    """The files of an image, the one that was named first. OSError: the host cannot read one, or it is of none."""
    return [ImageFile(os.path.abspath(file.name), file.size, _digest(file)) for file in _chain(image)]


def _chain(image: Image | None) -> Iterator[HostFile]:
    while image is not None:
        if not isinstance(image, RawImage | Qcow2Image):
            raise OSError(errno.ENOTSUP, f"the disk {image.name} is of no image file")
        yield image.file
        image = image.backing if isinstance(image, Qcow2Image) else None


def _digest(file: HostFile) -> str:
    digest = hashlib.sha256()
    try:
        for at in range(0, file.size, _PIECE):
            digest.update(file.read(at, min(_PIECE, file.size - at)))
    except MediumError as error:
        raise OSError(errno.EIO, str(error)) from None
    return digest.hexdigest()


class Images:
    """The table of images of one file, as it is written."""

    def __init__(self) -> None:
        self.plain: list[Any] = []
        self._known: list[Image] = []

    def add(self, image: Image, *, cdrom: bool) -> int:
        """The number of an image. OSError: it cannot be read."""
        for known, other in enumerate(self._known):
            if other is image:
                return known
        self._known.append(image)
        self.plain.append({
            "format": image.format, "probed": image.probed, "cdrom": cdrom, "files": [list(f) for f in files_of(image)],
        })  # fmt: skip
        return len(self.plain) - 1


def images_from(data: Any, folder: str) -> list[Image]:
    """Open the images of a file in `folder`; one that is not at its place any more is looked for there. FieldError:
    they are none; MissingError: one is not there, or another."""
    return [_image_from(entry, folder) for entry in items(data, "images", MAX_IMAGES)]


def _image_from(data: Any, folder: str) -> Image:
    format, probed, cdrom, files = record(data, "an image", "format", "probed", "cdrom", "files")
    if format not in FORMATS:
        raise FieldError("there is no such format of images")
    wanted = [image_file_from(entry) for entry in items(files, "an image", MAX_CHAIN, 1)]
    guess = flag(probed, "an image") and not cdrom
    return open_same(wanted, None if guess else format, folder, cdrom=flag(cdrom, "an image"))


def image_file_from(data: Any) -> ImageFile:
    """One file of an image. FieldError."""
    path, size, digest = items(data, "a file of an image", 3, 3)
    if "\0" in text(path, "path of an image", 4096) or not path:
        raise FieldError("an image has no path")
    return ImageFile(path, number(size, "size of an image", 1 << 62), hexbytes(digest, "an image", exactly=32).hex())


def open_same(wanted: list[ImageFile], format: str | None, folder: str, *, cdrom: bool) -> Image:
    """Open the image that these files were, and no other. MissingError."""
    path = _place(wanted[0].path, folder)
    remedy = "put back the image as it was"
    try:
        image: Image = open_cd(path) if cdrom else open_image(path, format)
    except ImageError as error:
        raise MissingError(*str(error).rsplit("; ", 1)) from None
    try:
        sizes = [file.size for file in _chain(image)]
        same = sizes == [file.size for file in wanted]
        same = same and [file.sha256 for file in files_of(image)] == [file.sha256 for file in wanted]
    except OSError as error:
        image.close()
        raise MissingError(f"{path}: {error.strerror}", remedy) from None
    if not same:
        image.close()
        raise MissingError(f"{path}: it, or a file behind it, is not the image that the guest had", remedy)
    return image


def _place(path: str, folder: str) -> str:
    beside = os.path.join(folder, os.path.basename(path))
    return beside if folder and not os.path.exists(path) and os.path.exists(beside) else path


# ---- what was written ----


class Overlays:
    """The table of overlays of one file, as it is written: each as what differs from an earlier one."""

    def __init__(self) -> None:
        self.plain: list[Any] = []
        self._last: dict[Any, tuple[int, Overlay]] = {}
        self._written: list[list[tuple[int, bytes]]] = []

    def add(self, overlay: Overlay, disk: Any) -> int:
        """The number of an overlay of `disk`, which is anything that tells disks apart."""
        known = self._last.get(disk)
        changes = None if known is None else overlay.changes(known[1])
        if known is not None and changes == []:
            return known[0]
        base = None if known is None or changes is None else known[0]
        blocks = list(overlay.blocks()) if changes is None else changes
        self.plain.append([overlay.capacity, base, _runs(blocks)])
        self._written.append(blocks)
        self._last[disk] = len(self.plain) - 1, overlay
        return len(self.plain) - 1

    def pieces(self) -> Iterator[bytes]:
        """The contents of all blocks, in order."""
        for blocks in self._written:
            for _, contents in blocks:
                yield contents


def _runs(blocks: list[tuple[int, bytes]]) -> list[list[int]]:
    """Neighbouring blocks as (first, how many)."""
    runs: list[list[int]] = []
    for block, _ in blocks:
        if runs and sum(runs[-1]) == block:
            runs[-1][1] += 1
        else:
            runs.append([block, 1])
    return runs


def overlays_from(data: Any, size: int, read: Callable[[int], bytes]) -> list[Overlay]:
    """The overlays of a file, whose blocks are `size` bytes, to be read by `read(bytes)`. FieldError."""
    found: list[Overlay] = []
    left = size
    for entry in items(data, "overlays", MAX_OVERLAYS):
        capacity, base, runs = items(entry, "an overlay", 3, 3)
        overlay = Overlay(number(capacity, "size of an overlay", MAX_BLOCKS, 1))
        if base is not None:
            overlay = found[number(base, "an overlay", len(found) - 1)]
        if overlay.capacity != capacity:
            raise FieldError("an overlay is of another disk than what it began from")
        for run in items(runs, "an overlay", MAX_OVERLAYS):
            first, count = items(run, "blocks of an overlay", 2, 2)
            number(count, "blocks of an overlay", min(left // BLOCK, capacity), 1)
            number(first, "blocks of an overlay", capacity - count)
            left -= count * BLOCK
            for at in range(0, count, _PIECE // BLOCK):
                part = read(min(count - at, _PIECE // BLOCK) * BLOCK)
                blocks = [part[i : i + BLOCK] for i in range(0, len(part), BLOCK)]
                overlay = overlay.put(first + at, blocks)
        found.append(overlay)
    if left:
        raise FieldError("there is more on its disks than it says")
    return found


class DiskParts(NamedTuple):
    """What the disks in a file are made of, by number."""

    images: list[Image]
    overlays: list[Overlay]

    def overlay(self, capacity: int) -> Shape:
        """An OverlayShape."""

        def read(data: Any, what: str) -> Overlay:
            found = self.overlays[number(data, what, len(self.overlays) - 1)]
            if found.capacity != capacity:
                raise FieldError(f"{what} is of a disk of another size")
            return found

        return read
