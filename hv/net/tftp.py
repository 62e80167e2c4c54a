"""The TFTP server of a NAT (RFC 1350; options blksize and tsize of RFC 2347 to 2349): read only.

Files are the host's: what a guest asks for is requested and comes in by events, in pieces of CHUNK bytes, one ahead of
the guest at most. A lost packet is the client's to ask for again, so the server needs no timer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from hv.net.headers import Udp
from hv.net.messages import CHUNK, Close, Event, OpenFile, ReadFile
from hv.net.part import Net, Part

SERVER_PORT = 69
TRANSFERS = 16
"""At most at one time; the oldest makes room for another."""
FIRST_PORT = 0xC000
"""The server's ends of transfers have ports from here on."""
PORTS = 0x2000
_READ, _WRITE, _DATA, _ACK, _ERROR, _OACK = range(1, 7)
NOT_FOUND, DENIED = 1, 2
LONGEST_BLOCK = 1428
"""So that a block's packet is not cut: 1500 less the headers of IPv4, UDP and TFTP, in whole words."""


@dataclass(slots=True)
class Transfer:
    """One file on its way. `block` counts without wrapping; `data` is what has been read of the file, from `start` on.
    """

    flow: int
    guest: bytes
    guest_port: int
    server: bytes
    port: int
    size: int = -1
    options: tuple[str, ...] = ()
    block_size: int = 512
    block: int = 0
    start: int = 0
    data: bytes = b""
    waiting: bool = True
    """For the host."""


_FIELDS = tuple(field.name for field in fields(Transfer))


class Tftp(Part):
    """All transfers of one NAT."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.transfers: dict[int, Transfer] = {}

    def flows(self) -> list[int]:
        """By age."""
        return list(self.transfers)

    def save(self) -> tuple[Any, ...]:
        """The transfers' fields."""
        return tuple(tuple(getattr(t, name) for name in _FIELDS) for t in self.transfers.values())

    def load(self, saved: Iterable[Any]) -> None:
        """The transfers of another time."""
        self.transfers = {t.flow: t for t in (Transfer(*values) for values in saved)}

    def datagram(self, guest: bytes, server: bytes, datagram: Udp, files: bool) -> bool:
        """The guest has sent the gateway a datagram; whether it was for the TFTP server. files: there are some."""
        if datagram.target_port == SERVER_PORT:
            self._ask(guest, server, datagram, files)
            return True
        ends = (guest, datagram.source_port, datagram.target_port)
        transfer = next((t for t in self.transfers.values() if (t.guest, t.guest_port, t.port) == ends), None)
        if transfer is None:
            return False
        code = int.from_bytes(datagram.payload[:2], "big")
        if code == _ACK and len(datagram.payload) >= 4:
            self._acknowledged(transfer, int.from_bytes(datagram.payload[2:4], "big"))
        elif code == _ERROR:
            self._end(transfer)
        return True

    def _ask(self, guest: bytes, server: bytes, datagram: Udp, files: bool) -> None:
        code, words = int.from_bytes(datagram.payload[:2], "big"), datagram.payload[2:].split(b"\0")
        if code not in (_READ, _WRITE) or len(words) < 3:
            return
        ends = (guest, datagram.source_port)
        old = next((t for t in self.transfers.values() if (t.guest, t.guest_port) == ends), None)
        if old is not None and old.size < 0:
            return  # asked again, and the host has not answered yet
        if old is not None:
            self._end(old)  # the client has begun anew
        flow = self.net.new_flow()
        transfer = Transfer(flow, guest, datagram.source_port, server, FIRST_PORT + flow % PORTS)
        if code == _WRITE or not files:
            self._error(transfer, DENIED, "no file can be written here" if code == _WRITE else "there are no files")
            return
        options = dict(zip(words[2::2], words[3::2], strict=False))
        named = {name.lower(): value for name, value in options.items()}
        if named.get(b"blksize", b"").isdigit() and int(named[b"blksize"][:9]) >= 8:
            transfer.block_size = min(int(named[b"blksize"][:9]), LONGEST_BLOCK)
            transfer.options += ("blksize",)
        if b"tsize" in named:
            transfer.options += ("tsize",)
        if len(self.transfers) >= TRANSFERS:
            self._end(next(iter(self.transfers.values())))
        self.transfers[flow] = transfer
        self.net.request(OpenFile(flow, words[0].decode("utf-8", "replace")))

    def _acknowledged(self, transfer: Transfer, block: int) -> None:
        if transfer.waiting:
            return
        if block == transfer.block & 0xFFFF:
            if transfer.block and transfer.block * transfer.block_size > transfer.size:
                self._end(transfer)  # that was the last one
                return
            transfer.block += 1
        self._block(transfer)  # the next, or the same again

    def _block(self, transfer: Transfer) -> None:
        """Send the current block, once the host has brought it."""
        at = (transfer.block - 1) * transfer.block_size
        end = min(at + transfer.block_size, transfer.size)
        if transfer.block == 0:
            self._send(transfer, _OACK, self._granted(transfer))
        elif at >= transfer.start and end <= transfer.start + len(transfer.data):
            data = transfer.data[at - transfer.start : end - transfer.start]
            self._send(transfer, _DATA, (transfer.block & 0xFFFF).to_bytes(2, "big") + data)
        else:
            transfer.waiting, transfer.start, transfer.data = True, at, b""
            self.net.request(ReadFile(transfer.flow, at, min(CHUNK, transfer.size - at)))

    def _granted(self, transfer: Transfer) -> bytes:
        values = {"blksize": transfer.block_size, "tsize": transfer.size}
        return b"".join(b"%s\0%d\0" % (name.encode(), values[name]) for name in transfer.options)

    def _send(self, transfer: Transfer, code: int, rest: bytes) -> None:
        message = Udp(transfer.port, transfer.guest_port, code.to_bytes(2, "big") + rest)
        self.net.datagram(transfer.server, transfer.guest, message)

    def _error(self, transfer: Transfer, code: int, text: str) -> None:
        self._send(transfer, _ERROR, code.to_bytes(2, "big") + text.encode() + b"\0")

    def _end(self, transfer: Transfer) -> None:
        del self.transfers[transfer.flow]
        self.net.request(Close(transfer.flow))

    def event(self, kind: Event, flow: int, rest: bytes) -> None:
        """Something of a file has come in."""
        transfer = self.transfers[flow]
        if kind in (Event.REFUSED, Event.RESET):
            del self.transfers[flow]
            self._error(transfer, NOT_FOUND if kind is Event.REFUSED else 0, "no such file")
        elif kind is Event.FILE and transfer.size < 0 and len(rest) == 8:
            transfer.size, transfer.waiting = int.from_bytes(rest, "big"), False
            transfer.block = 0 if transfer.options else 1
            self._block(transfer)
        elif kind is Event.DATA and transfer.waiting and transfer.size >= 0:
            transfer.waiting, transfer.data = False, rest
            block = min(transfer.block_size, transfer.size - transfer.start)
            if len(rest) < block:  # the file has become shorter
                del self.transfers[flow]
                self._error(transfer, 0, "the file has changed")
            else:
                self._block(transfer)

    def close_all(self) -> None:
        """The guest is gone."""
        for transfer in list(self.transfers.values()):
            self._end(transfer)
