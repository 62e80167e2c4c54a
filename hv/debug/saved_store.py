"""xenstore's state as plain data, and back.

Nodes are immutable and shared: by the transactions that have not touched them, and by the moments between which nothing
changed. `Nodes` keeps that: every node is written once, children before their parents, and named by its number.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.debug.fields import U64, FieldError, flag, hexbytes, items, mapping, number, record, text
from hv.xenstore import wire
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import absolute, watchable
from hv.xenstore.permissions import MAX_DOMID, PRIVILEGED, Permission
from hv.xenstore.state import Change, Connection, StoreState, Transaction, Watch
from hv.xenstore.tree import Node, find, parent_of

MAX_NODES = 1 << 20
MAX_DEPTH = abi.XENSTORE_ABS_PATH_MAX
_LISTS = 1 << 16
_MESSAGE = wire.HEADER.size + abi.XENSTORE_PAYLOAD_MAX


class Nodes:
    """The table of nodes of one file, as it is written."""

    def __init__(self) -> None:
        self.plain: list[Any] = []
        self._number: dict[int, int] = {}
        self._kept: list[Node] = []  # so that no other node gets the id of one that is in the table

    def add(self, root: Node) -> int:
        """The number of a node; it and everything below it is in the table afterwards."""
        waiting = [root]  # a guest may nest deeper than Python's stack
        while waiting:
            node = waiting[-1]
            unknown = [child for child in node.children.values() if id(child) not in self._number]
            if unknown and id(node) not in self._number:
                waiting += unknown
                continue
            waiting.pop()
            if id(node) not in self._number:
                self._number[id(node)] = len(self.plain)
                self._kept.append(node)
                self.plain.append(self._plain(node))
        return self._number[id(root)]

    def _plain(self, node: Node) -> list[Any]:
        return [
            node.value.hex(), " ".join(map(str, node.permissions)), node.generation,
            {name: self._number[id(child)] for name, child in node.children.items()},
        ]  # fmt: skip


def nodes_from(data: Any) -> list[Node]:
    """The nodes of a file, by number. FieldError: a node is none, or there are more or deeper ones than can be."""
    nodes: list[Node] = []
    sizes: list[int] = []
    depths: list[int] = []
    for number_, entry in enumerate(items(data, "nodes", MAX_NODES)):
        what = f"node {number_}"
        value, permissions, generation, children = items(entry, what, 4, 4)
        below = {
            _name(name, what): number(child, f"child of {what}", number_ - 1)
            for name, child in mapping(children, f"children of {what}").items()
        }
        sizes.append(1 + sum(sizes[child] for child in below.values()))
        depths.append(1 + max((depths[child] for child in below.values()), default=0))
        if sizes[-1] > MAX_NODES or depths[-1] > MAX_DEPTH:
            raise FieldError(f"{what} has more below it than can be")
        made = {name: nodes[child] for name, child in below.items()}
        stamp = number(generation, f"generation of {what}", U64)
        nodes.append(Node(hexbytes(value, f"value of {what}", 1 << 16), _permissions(permissions, what), stamp, made))
    return nodes


def _name(name: str, what: str) -> str:
    if "/" in name or name.startswith("@"):
        raise FieldError(f"{what} has a child of a name that no node has")
    _path(f"/{name}", what)
    return name


def _permissions(value: Any, what: str) -> tuple[Permission, ...]:
    try:
        return tuple(Permission.parse(entry) for entry in text(value, what).split(" "))
    except StoreError:
        raise FieldError(f"{what} has no permissions") from None


def _path(value: Any, what: str, *, special: bool = False) -> str:
    path = text(value, what)
    try:
        if not path.startswith(("/", "@")):
            raise FieldError(f"{what} is no absolute path")
        return watchable(path, PRIVILEGED) if special else absolute(path, PRIVILEGED)
    except StoreError:
        raise FieldError(f"{what} is no path") from None


# ---- connections ----


def store_plain(state: StoreState, nodes: Nodes) -> dict[str, Any]:
    """A whole store; its nodes go into the table."""
    return {
        "root": nodes.add(state.root),
        "generation": state.generation,
        "connections": [_connection_plain(connection, nodes) for connection in state.connections.values()],
    }


def _connection_plain(c: Connection, nodes: Nodes) -> dict[str, Any]:
    return {
        "domid": c.domid,
        "watches": [[watch.path, watch.token.hex(), watch.relative] for watch in c.watches],
        "transactions": [[key, _transaction_plain(t, nodes)] for key, t in c.transactions.items()],
        "next_transaction": c.next_transaction,
        "received": c.received.hex(),
        "outgoing": [message.hex() for message in c.outgoing],
        "sent": c.sent,
        "error": c.error,
    }


def _transaction_plain(t: Transaction, nodes: Nodes) -> dict[str, Any]:
    return {
        "base": nodes.add(t.base),
        "root": nodes.add(t.root),
        "accessed": sorted(t.accessed),
        "changes": [[change.path, change.exact] for change in t.changes],
    }


def store_from(data: Any, nodes: list[Node]) -> StoreState:
    """The reverse of store_plain(). FieldError: what it says cannot be a store's state."""
    root, generation, connections = record(data, "the store", "root", "generation", "connections")
    found = {}
    for entry in items(connections, "the store's connections", 1 << 15, 1):
        connection = _connection_from(entry, nodes)
        if connection.domid in found:
            raise FieldError(f"domain {connection.domid} is connected twice")
        found[connection.domid] = connection
    if PRIVILEGED not in found:
        raise FieldError("domain 0 is not connected with the store")
    return StoreState(_node(root, nodes, "the root"), number(generation, "the store's generation", U64 >> 2), found)


def _node(value: Any, nodes: list[Node], what: str) -> Node:
    return nodes[number(value, what, len(nodes) - 1)]


def _connection_from(data: Any, nodes: list[Node]) -> Connection:
    names = ("domid", "watches", "transactions", "next_transaction", "received", "outgoing", "sent", "error")
    domid, watches, transactions, following, received, outgoing, sent, error = record(data, "a connection", *names)
    what = f"connection {number(domid, 'domid of a connection', MAX_DOMID)}"
    messages = tuple(
        hexbytes(message, f"message of {what}", _MESSAGE) for message in items(outgoing, f"messages of {what}", _LISTS)
    )
    for message in messages:
        _check_message(message, what, events_only=domid == PRIVILEGED)
    return Connection(
        domid,
        tuple(_watch_from(entry, what) for entry in items(watches, f"watches of {what}", _LISTS)),
        dict(_transaction_from(entry, nodes, what) for entry in items(transactions, f"transactions of {what}", _LISTS)),
        number(following, f"next transaction of {what}", 0xFFFFFFFF, 1),
        hexbytes(received, f"what {what} received", _MESSAGE + abi.XENSTORE_RING_SIZE),
        messages,
        number(sent, f"what {what} sent", len(messages[0]) - 1 if messages else 0),
        number(error, f"error of {what}", abi.XENSTORE_ERROR_PROTO),
    )


def _check_message(data: bytes, what: str, *, events_only: bool) -> None:
    try:
        message, rest = wire.next_message(data)
    except ValueError:
        message, rest = None, b""
    if message is None or rest:
        raise FieldError(f"{what} has a message to send that is none")
    if events_only:
        parts = message.payload.split(b"\0")
        if message.type != abi.XS_WATCH_EVENT or len(parts) != 3 or not all(part.isascii() for part in parts):
            raise FieldError(f"{what} has a message that is no event")


def _watch_from(data: Any, what: str) -> Watch:
    path, token, relative = items(data, f"watch of {what}", 3, 3)
    return Watch(
        _path(path, f"watch of {what}", special=True), hexbytes(token, f"token of {what}", _MESSAGE),
        flag(relative, f"watch of {what}"),
    )  # fmt: skip


def _transaction_from(data: Any, nodes: list[Node], what: str) -> tuple[int, Transaction]:
    key, content = items(data, f"transaction of {what}", 2, 2)
    base, root, accessed, changes = record(content, f"transaction of {what}", "base", "root", "accessed", "changes")
    made = Transaction(
        _node(base, nodes, f"transaction of {what}"),
        _node(root, nodes, f"transaction of {what}"),
        frozenset(_path(path, f"transaction of {what}") for path in items(accessed, f"transaction of {what}", _LISTS)),
        tuple(_change_from(entry, what) for entry in items(changes, f"transaction of {what}", _LISTS)),
    )
    # Committing puts each node that was made under one that was there or is put first.
    for path in made.accessed:
        if find(made.base, path) is None and find(made.root, path) is not None and parent_of(path) not in made.accessed:
            raise FieldError(f"transaction of {what}: {path[:80]} stands nowhere")
    return number(key, f"transaction of {what}", 0xFFFFFFFF, 1), made


def _change_from(data: Any, what: str) -> Change:
    path, exact = items(data, f"change of {what}", 2, 2)
    return Change(_path(path, f"change of {what}"), flag(exact, f"change of {what}"))
