"""Tiny PV guests as machine code, for tests that must not wait for a compiler."""

from __future__ import annotations

import struct

from hv import abi
from tests.builder.elfwriter import BASE, pv_kernel

ENTRY = BASE + 0x100000
DATA = 0x800  # offset of the guest's data in its page
DATA_VA = ENTRY + DATA
_REGISTERS = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba")  # mov r64, imm64 of rdi, rsi, rdx, r10
UD2 = b"\x0f\x0b"
LOOP = b"\xeb\xfe"


def call(name: str, *args: int) -> bytes:
    """A hypercall by the instruction itself."""
    loads = b"".join(
        register + struct.pack("<Q", value) for register, value in zip(_REGISTERS, args, strict=False)
    )
    return loads + b"\xb8" + struct.pack("<I", abi.HYPERCALL_NUMBERS[name]) + b"\x0f\x05"


def shutdown(reason: int) -> bytes:
    """SCHEDOP_shutdown; the reason lies at the start of the data."""
    return store(DATA_VA, reason) + call("sched_op", abi.SCHEDOP_shutdown, DATA_VA)


def store(address: int, value: int) -> bytes:
    """mov rax, value; mov [address], rax"""
    return b"\x48\xb8" + struct.pack("<Q", value) + b"\x48\xa3" + struct.pack("<Q", address)


def say(text: str) -> bytes:
    """console_io of up to 64 bytes of text that guest() puts behind the data."""
    return call("console_io", abi.CONSOLEIO_write, len(text), DATA_VA + 64)


def repeat(count: int, body: bytes) -> bytes:
    """body, count times: the counter is rbx."""
    loop = body + b"\x48\xff\xcb"  # dec rbx
    return b"\x48\xbb" + struct.pack("<Q", count) + loop + b"\x0f\x85" + struct.pack("<i", -len(loop) - 6)


def guest(*code: bytes, text: str = "", **notes: int | str | None) -> bytes:
    """A kernel file of this code, with `text` where say() looks for it."""
    body = b"".join(code)
    assert len(body) <= DATA
    return pv_kernel(body.ljust(DATA + 64, b"\0") + text.encode(), **notes)
