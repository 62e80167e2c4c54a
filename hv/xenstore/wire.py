"""Messages as bytes. Facts: xen/include/public/io/xs_wire.h."""

from struct import Struct
from typing import NamedTuple

from hv import abi

#: struct xsd_sockmsg: type, req_id, tx_id, len.
HEADER = Struct("<4I")
assert HEADER.size == abi.layout("xsd_sockmsg").size


class Message(NamedTuple):
    """One message; `payload` is what follows the header."""

    type: int
    req_id: int
    tx_id: int
    payload: bytes


def message(kind: int, payload: bytes, req_id: int = 0, tx_id: int = 0) -> bytes:
    """A message with its header."""
    return HEADER.pack(kind, req_id, tx_id, len(payload)) + payload


def strings(*texts: bytes) -> bytes:
    """Strings, each with a NUL behind it."""
    return b"".join(text + b"\0" for text in texts)


def next_message(data: bytes) -> tuple[Message | None, bytes]:
    """The first whole message in `data`, and the rest; None while it is not complete.

    ValueError if it says that its payload is longer than the protocol allows.
    """
    if len(data) < HEADER.size:
        return None, data
    kind, req_id, tx_id, length = HEADER.unpack_from(data)
    if length > abi.XENSTORE_PAYLOAD_MAX:
        raise ValueError(f"a payload of {length} bytes; {abi.XENSTORE_PAYLOAD_MAX} are allowed")
    end = HEADER.size + length
    if len(data) < end:
        return None, data
    return Message(kind, req_id, tx_id, data[HEADER.size:end]), data[end:]
