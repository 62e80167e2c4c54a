"""Everything xenstore remembers, as immutable data: saving it is keeping a reference, restoring it an assignment.

Mappings are plain dicts that nobody changes once they are in here; their type says so to the type checker.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hv.xenstore.permissions import Access, Permission
from hv.xenstore.tree import Node


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch of one connection. Events carry the path as the client would write it, and its token."""

    path: str              # absolute, or a special event
    token: bytes
    relative: bool         # the client gave a relative path, and is answered with relative ones


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a node, for the watches: `exact` when only watches on that very node are to see it."""

    path: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction under way: the tree as it was, as it is inside, and what the client has come to rely on."""

    base: Node
    root: Node
    accessed: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of one client. `domid` is its identity."""

    domid: int
    watches: tuple[Watch, ...] = ()
    transactions: Mapping[int, Transaction] = field(default_factory=dict)
    next_transaction: int = 1
    #: Bytes received that do not make a message yet.
    received: bytes = b""
    #: Messages to send, oldest first, and how much of the first is in the ring already.
    outgoing: tuple[bytes, ...] = ()
    sent: int = 0
    #: XENSTORE_ERROR_*: the client broke the protocol and is no longer listened to.
    error: int = 0


@dataclass(frozen=True, slots=True)
class StoreState:
    """The whole of it. `generation` numbers every change ever made, also those of given-up transactions."""

    root: Node
    generation: int = 0
    connections: Mapping[int, Connection] = field(default_factory=dict)

    def with_connection(self, connection: Connection) -> "StoreState":
        """A copy in which this connection replaces the one of the same domain."""
        return replace(self, connections={**self.connections, connection.domid: connection})

    def without_connection(self, domid: int) -> "StoreState":
        """A copy without the connection of `domid`."""
        rest = {key: value for key, value in self.connections.items() if key != domid}
        return replace(self, connections=rest)

    def digest(self) -> bytes:
        """SHA-256 of the whole state; equal states have equal digests, in any process."""
        state = hashlib.sha256(self.root.digest() + f"{self.generation}\n".encode())
        for connection in self.connections.values():
            state.update(connection_text(connection))
        return state.digest()


def connection_text(connection: Connection) -> bytes:
    """Canonical form of a connection; each variable part is told its length, so no two states look alike."""
    numbers = (connection.domid, connection.next_transaction, connection.sent, connection.error)
    parts: list[bytes] = [str(numbers).encode(),
                          connection.received, b"out", *connection.outgoing, b"watches"]
    for watch in connection.watches:
        parts += [watch.path.encode(), watch.token, b"relative" if watch.relative else b"absolute"]
    for number, transaction in connection.transactions.items():
        parts += [str(number).encode(), transaction.base.digest(), transaction.root.digest(),
                  "\n".join(sorted(transaction.accessed)).encode(), repr(transaction.changes).encode()]
    return b"".join(str(len(part)).encode() + b":" + part for part in parts)


def empty() -> StoreState:
    """A store that holds the root alone, which is domain 0's."""
    return StoreState(Node(b"", (Permission(Access.NONE, 0),), 0))
