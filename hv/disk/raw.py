"""A raw image: the file's bytes are the disk's. Hard disks and ISO files alike; holes cost nothing."""

from __future__ import annotations

from hv.disk.hostfile import HostFile
from hv.disk.image import ImageError, MediumError, whole_sectors

_CD_SYNC = b"\x00" + b"\xff" * 10 + b"\x00"
"""What each sector of a CD image with 2352-byte sectors begins with (ECMA-130, 14.1)."""


class RawImage:
    """Implements hv.disk.image.Image. A last sector that the file has in part is filled with zeros."""

    format = "raw"

    def __init__(self, file: HostFile, probed: bool = False) -> None:
        """Takes over the file. ImageError: there is nothing in it."""
        if file.size == 0:
            file.close()
            raise ImageError(file.name, "it is empty", "give it a size (truncate -s 1G FILE)")
        self.file = file
        self.name = file.name
        self.probed = probed
        self.size = whole_sectors(file.size)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there. MediumError: the host cannot read them, or the file has shrunk."""
        wanted = max(min(length, self.file.size - offset), 0)
        data = self.file.read(offset, wanted)
        if len(data) < wanted:
            raise MediumError(f"{self.name}: it was cut off at {offset + len(data):#x} while it was in use")
        return data.ljust(length, b"\0")

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


def check_cd(image: RawImage) -> None:
    """ImageError: a CD image, but not of 2048-byte sectors."""
    if image.read(0, min(len(_CD_SYNC), image.size)) == _CD_SYNC:
        raise ImageError(
            image.name, "it has raw CD sectors of 2352 bytes", "convert it to an ISO file (bchunk, or iat)"
        )
