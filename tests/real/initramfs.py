"""Build an initramfs for the Linux tests: busybox and an /init, as a cpio archive in the "newc" format.

Everything is written here, so no root and no cpio is needed, and the archive depends on nothing but its
contents: no time, owner or inode number of the host gets in. Format:
Documentation/driver-api/early-userspace/buffer-format.rst of Linux.

    python -m tests.real.initramfs OUTPUT BUSYBOX       # one with a shell on the console
"""

import gzip
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = "xenlab# "

#: Mounts what a shell needs, says READY, gives the console to a shell, and powers off when the shell ends.
INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=dumb PS1='{PROMPT}'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo READY
@run@
poweroff -f
"""
SHELL = "setsid cttyhack sh -i"
FOLDERS = {"bin", "dev", "proc", "sys", "tmp", "root"}
"""What /init wants to be there."""


def init(commands: str) -> bytes:
    """The program /init that runs `commands`."""
    return INIT.replace("@run@", commands).encode()


@dataclass
class Archive:
    """A cpio archive under construction; entries are written in the order of `add_*`."""

    data: bytearray = field(default_factory=bytearray)
    entries: int = 0

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        """Add one entry; `mode` holds the file type too, `device` is (major, minor) of a device node."""
        self.entries += 1
        path = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        numbers = (self.entries, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(path), 0)
        self.data += b"070701" + b"".join(b"%08X" % number for number in numbers) + path
        self.pad(4)
        self.data += content
        self.pad(4)

    def pad(self, to: int) -> None:
        """Zeros up to a multiple of `to`."""
        self.data += bytes(-len(self.data) % to)

    def finish(self) -> bytes:
        """The archive with its trailer."""
        self.entries = -1
        self.add("TRAILER!!!", 0)
        self.pad(512)
        return bytes(self.data)


def build(busybox: bytes, commands: str = SHELL, files: Mapping[str, bytes] | None = None) -> bytes:
    """An initramfs (gzip) whose /init runs `commands`, shell text, then powers off.

    `files`: more files by absolute path, mode 755; their folders are made.
    """
    archive = Archive()
    folders = set(FOLDERS)
    extra = {name.lstrip("/"): content for name, content in sorted((files or {}).items())}
    for name in extra:
        folders |= {str(parent) for parent in Path(name).parents if str(parent) != "."}
    for folder in sorted(folders):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    archive.add("init", stat.S_IFREG | 0o755, init(commands))
    for name, content in extra.items():
        archive.add(name, stat.S_IFREG | 0o755, content)
    return gzip.compress(archive.finish(), 6, mtime=0)


def write(path: Path, busybox: Path, commands: str = SHELL, files: Mapping[str, bytes] | None = None) -> Path:
    """Write the initramfs made of the busybox binary at `busybox` to `path`; `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build(busybox.read_bytes(), commands, files))
    return path


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.real.initramfs OUTPUT BUSYBOX")
    write(Path(sys.argv[1]), Path(sys.argv[2]))
