"""Open a disk image: which format it is, and which file a qcow2 image may have behind it.

The name of a backing file comes out of the image, so it may be anybody's: by default only a file in the same folder is
opened, by its plain name, and as the format that the image says. A format is never guessed for a backing file, because
a guest that could write a raw disk would choose it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hv.disk import qcow2_header
from hv.disk.hostfile import HostFile, open_beside, open_named
from hv.disk.image import Image, ImageError, MediumError
from hv.disk.qcow2 import Qcow2Image
from hv.disk.qcow2_header import Header
from hv.disk.raw import RawImage, check_cd

FORMATS = ("raw", "qcow2")
BACKING = ("folder", "anywhere", "refuse")
"""Which backing files are opened: in the image's own folder, wherever the image says, none."""
MAX_CHAIN = 16
"""So many images may stand behind one another."""


def open_image(path: str, format: str | None = None, backing: str = "folder") -> Image:
    """The image in a file. `format` is one of FORMATS, or None to look at the first bytes; `backing` is one of BACKING.
    ImageError: one line."""
    if format is not None and format not in FORMATS:
        raise ImageError(path, f"there is no format {format}", f"say {' or '.join(FORMATS)}")
    return _open(open_named(path), format, backing, ())


def open_cd(path: str) -> Image:
    """The image of a CD or DVD: an ISO file. ImageError."""
    file = open_named(path)
    with _handed_over(file):
        if file.read(0, 4) == qcow2_header.MAGIC:
            raise ImageError(path, "it is a qcow2 image", "give an ISO file, or use it as a hard disk (--disk)")
        image = RawImage(file)
        check_cd(image)
        return image


def _open(file: HostFile, format: str | None, policy: str, above: tuple[HostFile, ...]) -> Image:
    """Takes over the file. `above`: the images that stand before this one."""
    with _handed_over(file):
        probed = format is None
        is_qcow2 = file.read(0, 4) == qcow2_header.MAGIC
        if format is None:
            format = "qcow2" if is_qcow2 else "raw"
        if format == "raw":
            return RawImage(file, probed)
        if not is_qcow2:
            raise ImageError(file.name, "it does not begin as a qcow2 image does", "give format=raw if it is raw")
        header = qcow2_header.read(file)
        behind = None
        if header.backing:
            behind = _open_backing(header, policy, (*above, file))
        return Qcow2Image(file, header, behind, probed)


@contextmanager
def _handed_over(file: HostFile) -> Iterator[None]:
    """The file is closed if no image comes of it. A host that cannot read it is an ImageError, too."""
    try:
        yield
    except MediumError as error:
        file.close()
        name, _, problem = str(error).partition(": ")
        raise ImageError(name, problem, "the host cannot read it; is its disk well?") from None
    except ImageError:
        file.close()
        raise


def _open_backing(header: Header, policy: str, above: tuple[HostFile, ...]) -> Image:
    image = above[-1].name
    shown = ascii(os.fsdecode(header.backing))
    if policy == "refuse":
        raise ImageError(image, f"it has a backing file, {shown}", "allow it, or flatten the image (qemu-img convert)")
    if len(above) >= MAX_CHAIN:
        raise ImageError(
            image, f"more than {MAX_CHAIN} images stand behind one another", "flatten it (qemu-img convert)"
        )
    format = header.backing_format or None
    if format not in FORMATS and not (format is None and policy == "anywhere"):
        said = f"of format {format!a}" if format else "without a format"
        raise ImageError(
            image, f"it names a backing file {said}, {shown}",
            "write the format into it (qemu-img rebase -u -F raw|qcow2 -b BACKING FILE)",
        )  # fmt: skip
    file = _find_backing(image, header.backing, policy)
    if any(file.identity == other.identity for other in above):
        file.close()
        raise ImageError(image, f"its backing file {shown} stands before it: they go in a circle", "fetch it again")
    return _open(file, format, policy, above)


def _find_backing(image: str, name: bytes, policy: str) -> HostFile:
    path = os.fsdecode(name)
    shown = ascii(path)
    if "\0" in path or ":" in path.partition("/")[0]:
        raise ImageError(image, f"its backing file {shown} is no file but a protocol", "fetch it and rebase the image")
    folder = os.path.dirname(image) or "."
    if policy == "anywhere":
        return _behind(image, shown, lambda: open_named(os.path.join(folder, path)))
    above, plain = os.path.split(path)
    same = os.path.realpath(os.path.join(folder, above)) == os.path.realpath(folder)
    if not same or plain in ("", ".", ".."):
        raise ImageError(
            image, f"its backing file {shown} is in another folder", "allow it (backing=anywhere), or move it there"
        )
    return _behind(image, shown, lambda: open_beside(image, plain))


def _behind(image: str, shown: str, opened: Callable[[], HostFile]) -> HostFile:
    """A backing file; that it cannot be opened is told with the image that wants it."""
    try:
        return opened()
    except ImageError as error:
        raise ImageError(image, f"its backing file {shown} cannot be opened", str(error)) from None
