"""What each message means: one handler an XS_* type, in a table.

A handler gets the store, the client's domain id, the transaction number (0: none) and the payload, and returns the
reply's payload or raises StoreError. Facts: docs/misc/xenstore.txt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hv import abi
from hv.xenstore import watches, wire
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import absolute, domain_path
from hv.xenstore.permissions import PRIVILEGED, Access, Permission
from hv.xenstore.store import Store
from hv.xenstore.wire import Message

OK = b"OK\0"
Handler = Callable[[Store, int, int, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One type of request: who handles it and who may send it."""

    handler: Handler
    privileged: bool = False
    #: Whether a transaction number has no meaning for it and is not looked at.
    no_transaction: bool = False


def texts(payload: bytes, count: int, at_least: bool = False) -> list[bytes]:
    """The NUL-terminated strings of a payload: `count` of them, or more if `at_least`. StoreError EINVAL."""
    parts = payload.split(b"\0")
    if parts.pop() or len(parts) < count or (len(parts) > count and not at_least):
        raise StoreError("EINVAL", f"{count} strings expected, each with a NUL behind it")
    return parts


def path_of(text: bytes) -> str:
    """A path from the wire; what is not ASCII can be no path. StoreError EINVAL."""
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise StoreError("EINVAL", "a path is ASCII") from None


def number_of(text: bytes, limit: int) -> int:
    """A decimal number below `limit`. StoreError EINVAL."""
    if not text.isdigit() or len(text) > 10 or int(text) >= limit:
        raise StoreError("EINVAL", f"a number below {limit} expected")
    return int(text)


def directory(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_DIRECTORY: names of a node's children. E2BIG if they do not fit into a message."""
    (path,) = texts(payload, 1)
    names = wire.strings(*(name.encode() for name in store.directory(domid, path_of(path), tx)))
    if len(names) > abi.XENSTORE_PAYLOAD_MAX:
        raise StoreError("E2BIG", "too many children for one message; XS_DIRECTORY_PART gives them in parts")
    return names


def directory_part(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_DIRECTORY_PART: the node's generation, then names from an offset on; an empty one ends the list."""
    path, offset = texts(payload, 2)
    node = store.node(domid, absolute(path_of(path), domid), Access.READ, tx)
    names = wire.strings(*(name.encode() for name in node.children))
    head = wire.strings(str(node.generation).encode())
    rest = names[number_of(offset, 1 << 32):]
    room = abi.XENSTORE_PAYLOAD_MAX - len(head) - 1
    if len(rest) <= room:
        return head + rest + b"\0"
    return head + rest[:rest.rfind(b"\0", 0, room) + 1]


def read(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_READ: a node's value."""
    (path,) = texts(payload, 1)
    return store.read(domid, path_of(path), tx)


def write(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_WRITE: path, NUL, then the value, which may hold anything."""
    path, separator, value = payload.partition(b"\0")
    if not separator:
        raise StoreError("EINVAL", "a path with a NUL behind it expected")
    store.write(domid, path_of(path), value, tx)
    return OK


def mkdir(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_MKDIR."""
    (path,) = texts(payload, 1)
    store.mkdir(domid, path_of(path), tx)
    return OK


def rm(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_RM."""
    (path,) = texts(payload, 1)
    store.remove(domid, path_of(path), tx)
    return OK


def get_perms(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_GET_PERMS: the entries as strings, the owner's first."""
    (path,) = texts(payload, 1)
    return wire.strings(*(str(entry).encode() for entry in store.permissions(domid, path_of(path), tx)))


def set_perms(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_SET_PERMS: path, then at least one entry."""
    path, *entries = texts(payload, 2, at_least=True)
    parsed = tuple(Permission.parse(entry.decode("latin-1")) for entry in entries)
    store.set_permissions(domid, path_of(path), parsed, tx)
    return OK


def transaction_start(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_TRANSACTION_START: the number of a new transaction. EBUSY inside another."""
    if tx:
        raise StoreError("EBUSY", "transactions do not nest")
    return wire.strings(str(store.start_transaction(domid)).encode())


def transaction_end(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_TRANSACTION_END: `T` commits, `F` gives up."""
    (word,) = texts(payload, 1)
    if word not in (b"T", b"F"):
        raise StoreError("EINVAL", "T or F expected")
    if not tx:
        raise StoreError("ENOENT", "there is no transaction to end")
    store.end_transaction(domid, tx, commit=word == b"T")
    return OK


def watch(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_WATCH: path and token. The first event, which comes at once, is queued by `answer` behind the reply."""
    path, token = texts(payload, 2)
    watches.add(store, domid, path_of(path), token)
    return OK


def unwatch(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_UNWATCH: path and token as they were given to XS_WATCH."""
    path, token = texts(payload, 2)
    watches.remove(store, domid, path_of(path), token)
    return OK


def reset_watches(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_RESET_WATCHES: drop the client's watches and transactions; a kernel that has just started sends it."""
    store.update(domid, watches=(), transactions={})
    return OK


def get_domain_path(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_GET_DOMAIN_PATH: where a domain's nodes live, whether it exists or not."""
    (text,) = texts(payload, 1)
    return wire.strings(domain_path(number_of(text, 1 << 16)).encode())


def is_domain_introduced(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """XS_IS_DOMAIN_INTRODUCED: `T` if that domain is a client, else `F`."""
    (text,) = texts(payload, 1)
    other = number_of(text, 1 << 16)
    return wire.strings(b"T" if other == abi.DOMID_SELF or other in store.state.connections else b"F")


def toolstack_only(store: Store, domid: int, tx: int, payload: bytes) -> bytes:
    """What the control domain asks of a xenstored: not served over a ring. Its Python calls are `Xenstored`'s."""
    raise StoreError("ENOSYS", "use the methods of Xenstored")


CONTROL = Request(toolstack_only, privileged=True)
REQUESTS = {
    abi.XS_CONTROL: CONTROL,
    abi.XS_DIRECTORY: Request(directory),
    abi.XS_READ: Request(read),
    abi.XS_GET_PERMS: Request(get_perms),
    abi.XS_WATCH: Request(watch, no_transaction=True),
    abi.XS_UNWATCH: Request(unwatch, no_transaction=True),
    abi.XS_TRANSACTION_START: Request(transaction_start),
    abi.XS_TRANSACTION_END: Request(transaction_end),
    abi.XS_INTRODUCE: CONTROL,
    abi.XS_RELEASE: CONTROL,
    abi.XS_GET_DOMAIN_PATH: Request(get_domain_path, no_transaction=True),
    abi.XS_WRITE: Request(write),
    abi.XS_MKDIR: Request(mkdir),
    abi.XS_RM: Request(rm),
    abi.XS_SET_PERMS: Request(set_perms),
    abi.XS_IS_DOMAIN_INTRODUCED: Request(is_domain_introduced, no_transaction=True),
    abi.XS_RESUME: CONTROL,
    abi.XS_SET_TARGET: CONTROL,
    abi.XS_RESET_WATCHES: Request(reset_watches, no_transaction=True),
    abi.XS_DIRECTORY_PART: Request(directory_part),
}


def answer(store: Store, domid: int, request: Message) -> None:
    """Carry out one message of client `domid` and queue the reply, and a new watch's first event behind it."""
    # Events that the request causes for this very client go behind its reply.
    before = len(store.connection(domid).outgoing)
    try:
        kind, payload = request.type, carry_out(store, domid, request)
        if len(payload) > abi.XENSTORE_PAYLOAD_MAX:
            raise StoreError("E2BIG", "the reply does not fit into a message")
    except StoreError as error:
        kind, payload = abi.XS_ERROR, wire.strings(error.name.encode())
    reply = wire.message(kind, payload, request.req_id, request.tx_id)
    outgoing = store.connection(domid).outgoing
    store.update(domid, outgoing=(*outgoing[:before], reply, *outgoing[before:]))
    if kind == abi.XS_WATCH:
        newest = store.connection(domid).watches[-1]
        watches.queue(store, domid, newest, newest.path)


def carry_out(store: Store, domid: int, request: Message) -> bytes:
    """The reply's payload. StoreError: ENOSYS for an unknown type, EACCES for one of the control domain's."""
    known = REQUESTS.get(request.type)
    if known is None:
        raise StoreError("ENOSYS", f"no request has type {request.type}")
    if known.privileged and domid != PRIVILEGED:
        raise StoreError("EACCES", "only the control domain may ask for this")
    tx = 0 if known.no_transaction else request.tx_id
    if tx:
        store.transaction(domid, tx)
    return known.handler(store, domid, tx, request.payload)
