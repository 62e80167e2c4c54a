"""Paths: what is valid, and what a relative one means. Facts: docs/misc/xenstore.txt and io/xs_wire.h."""

import re

from hv import abi
from hv.xenstore.errors import StoreError

NAMES = re.compile(r"[0-9A-Za-z/_@-]+")
#: Names that are events, not nodes; they can be watched.
SPECIAL = ("@introduceDomain", "@releaseDomain")


def domain_path(domid: int) -> str:
    """Where the nodes of a domain live; relative paths of that domain begin there."""
    return f"/local/domain/{domid}"


def absolute(path: str, domid: int) -> str:
    """The absolute form of a client's `path`. StoreError EINVAL if it is not valid."""
    given = path
    if not path.startswith(("/", "@")):
        if len(path) > abi.XENSTORE_REL_PATH_MAX:
            raise StoreError("EINVAL", f"a relative path may have {abi.XENSTORE_REL_PATH_MAX} characters")
        path = f"{domain_path(domid)}/{path}"
    if len(path) > abi.XENSTORE_ABS_PATH_MAX:
        raise StoreError("EINVAL", f"a path may have {abi.XENSTORE_ABS_PATH_MAX} characters")
    if path.startswith("@") or not NAMES.fullmatch(path) or "//" in path or (path.endswith("/") and path != "/"):
        raise StoreError("EINVAL", f"{given[:80]!r} is no path; letters, digits and -/_@ only, no empty name")
    return path


def watchable(path: str, domid: int) -> str:
    """The absolute form of a path to watch: a node's, or one of the special events. StoreError EINVAL."""
    if path.startswith("@"):
        if path not in SPECIAL:
            raise StoreError("EINVAL", f"{path[:80]!r} is no event; there are {', '.join(SPECIAL)}")
        return path
    return absolute(path, domid)


def covers(watched: str, path: str) -> bool:
    """Whether a watch on `watched` sees what happens at `path`: the same node or one above it."""
    if watched == "/":
        return not path.startswith("@")
    return watched == path or path.startswith(watched + "/")
