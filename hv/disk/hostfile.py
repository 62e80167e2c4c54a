"""A file of the host's, open for reading: by the name that the user gave, or beside such a file.

Everybody who reads holds a shared lock (flock), so that nobody of us changes a file under another's feet: writing it
back needs the exclusive one. Locks are a courtesy; file systems without them are used all the same.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from hv.disk.image import ImageError, MediumError

_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


class HostFile:
    """An open regular file or block device. `identity` is the same for two names of one file; `size` in bytes, as it
    was when it was opened."""

    def __init__(self, name: str, fd: int) -> None:
        """Takes over the descriptor. ImageError: it is neither of the two, or somebody is writing it back."""
        self.name = name
        self._fd = fd
        try:
            self.size, self.identity = self._look()
            self.lock(fcntl.LOCK_SH, "another run is writing its changes back")
        except BaseException:
            self.close()
            raise

    def _look(self) -> tuple[int, tuple[int, int]]:
        status = os.fstat(self._fd)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
            raise ImageError(self.name, "it is not a file", "give a disk image or a block device")
        return os.lseek(self._fd, 0, os.SEEK_END), (status.st_dev, status.st_ino)

    def lock(self, kind: int, problem: str) -> None:
        """Change the lock to LOCK_SH or LOCK_EX. ImageError with `problem`: others hold it."""
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                raise ImageError(self.name, problem, "try again when it has ended") from None

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer where the file ends. MediumError: the host cannot read them."""
        parts, got = [], 0
        try:
            while got < length:
                part = os.pread(self._fd, length - got, offset + got)
                if not part:
                    break
                parts.append(part)
                got += len(part)
        except (OSError, OverflowError) as error:
            raise MediumError(f"{self.name}: {length} bytes at {offset:#x}: {_reason(error)}") from None
        return b"".join(parts)

    def reopen_for_writing(self) -> int:
        """A descriptor that writes this very file, whatever its name means by now. OSError: that may not be."""
        return os.open(f"/proc/self/fd/{self._fd}", os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1


def open_named(path: str) -> HostFile:
    """The file that the user named. ImageError."""
    return _open(path, path, os.O_RDONLY, None)


def open_beside(named: str, name: str) -> HostFile:
    """The file `name` in the folder of the file that the user named: no path, and no symbolic link. ImageError."""
    folder = os.path.dirname(named) or "."
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ImageError(folder, _reason(error), "is the folder still there?") from None
    try:
        return _open(os.path.join(folder, name), name, os.O_RDONLY | os.O_NOFOLLOW, descriptor)
    finally:
        os.close(descriptor)


def _open(shown: str, path: str, flags: int, folder: int | None) -> HostFile:
    try:
        # O_NONBLOCK: a named pipe must not keep us waiting for its other end.
        return HostFile(shown, os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise ImageError(shown, "it is a symbolic link", "name the file itself") from None
        raise ImageError(shown, _reason(error), "give a disk image that can be read") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
