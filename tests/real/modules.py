"""Modules of a Debian kernel for an initramfs: a module with all that it depends on, in the order of loading."""

import re
from pathlib import Path

from tests.real import packages

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def modules(*names: str, package: str = "linux-image-cloud-amd64") -> dict[str, bytes]:
    """Files of the modules by the path to put them at, in the order of loading. A name that the kernel has not got as a
    module is built in, and left out."""
    (folder,) = (packages.package(package) / "lib" / "modules").iterdir()
    files = {path.stem.replace("-", "_"): path for path in sorted(folder.rglob("*.ko"))}
    found: dict[str, bytes] = {}
    for name in names:
        _add(name, files, found)
    return found


def _add(name: str, files: dict[str, Path], found: dict[str, bytes]) -> None:
    path = files.get(name.replace("-", "_"))
    if path is None or f"/lib/modules/{path.name}" in found:
        return
    data = path.read_bytes()
    match = _DEPENDS.search(data)
    for below in match[1].decode().split(",") if match and match[1] else ():
        _add(below, files, found)
    found[f"/lib/modules/{path.name}"] = data


def load(found: dict[str, bytes]) -> str:
    """Shell commands that load them."""
    return "".join(f"insmod {path}\n" for path in found)
