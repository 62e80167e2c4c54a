"""Watches: who is told of a change, and how the message looks. Facts: docs/misc/xenstore.txt, WATCH."""

from typing import TYPE_CHECKING

from hv import abi
from hv.xenstore import tree, wire
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import covers, domain_path, watchable
from hv.xenstore.permissions import PRIVILEGED, Access, Permissions, allowed
from hv.xenstore.state import Connection, Watch

if TYPE_CHECKING:
    from hv.xenstore.store import Store

#: Watches that a guest may have: the default of xenstored's quota.
MAX_WATCHES = 128


def add(store: "Store", domid: int, path: str, token: bytes) -> Watch:
    """Set a watch. StoreError EINVAL, EEXIST for the same path and token, E2BIG when there are too many."""
    connection = store.connection(domid)
    watch = Watch(watchable(path, domid), token, relative=not path.startswith(("/", "@")))
    if any(known.path == watch.path and known.token == token for known in connection.watches):
        raise StoreError("EEXIST", f"{path} is watched with that token")
    if domid != PRIVILEGED and len(connection.watches) >= MAX_WATCHES:
        raise StoreError("E2BIG", f"a domain may have {MAX_WATCHES} watches")
    store.update(domid, watches=(*connection.watches, watch))
    return watch


def remove(store: "Store", domid: int, path: str, token: bytes) -> None:
    """Drop a watch. StoreError ENOENT."""
    connection = store.connection(domid)
    full = watchable(path, domid)
    rest = tuple(watch for watch in connection.watches if (watch.path, watch.token) != (full, token))
    if len(rest) == len(connection.watches):
        raise StoreError("ENOENT", f"{path} is not watched with that token")
    store.update(domid, watches=rest)


def fire(store: "Store", path: str, exact: bool = False, old: Permissions | None = None) -> None:
    """Queue an event for every watch that sees a change at `path` and whose client may know of it.

    `old`: the permissions that a removed or changed node had, which count as well as the new ones.
    """
    for connection in tuple(store.state.connections.values()):
        for watch in connection.watches:
            sees = watch.path == path if exact else covers(watch.path, path)
            if sees and may_know(store, connection.domid, path, old):
                queue(store, connection.domid, watch, path)


def may_know(store: "Store", domid: int, path: str, old: Permissions | None) -> bool:
    """Whether a client may hear of a change at `path`: it can or could read the node, or reads its parent."""
    if path.startswith("@"):
        return domid == PRIVILEGED
    if old is not None and allowed(old, domid) & Access.READ:
        return True
    nodes = (tree.find(store.state.root, path), tree.find(store.state.root, tree.parent_of(path)))
    return any(node is not None and bool(allowed(node.permissions, domid) & Access.READ) for node in nodes)


def queue(store: "Store", domid: int, watch: Watch, path: str) -> None:
    """Queue one event. One that waits already, unchanged, is not queued twice: the client would learn nothing."""
    connection = store.connection(domid)
    message = wire.message(abi.XS_WATCH_EVENT, wire.strings(shown(connection, watch, path).encode(), watch.token))
    if message not in connection.outgoing[1 if connection.sent else 0:]:
        store.update(domid, outgoing=(*connection.outgoing, message))


def shown(connection: Connection, watch: Watch, path: str) -> str:
    """The path as the client wrote it: relative if the watch was."""
    if not watch.relative:
        return path
    return path.removeprefix(domain_path(connection.domid)).removeprefix("/")
