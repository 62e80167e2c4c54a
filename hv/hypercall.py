"""From a trap to its meaning: the registry of hypercall handlers, argument copying, dispatch.

A handler is a function in hv/hypercalls/, registered for a hypercall or for one of its sub-operations, or in
hv/arch/NAME/hypercalls/ where only guests of one architecture have it:

    @hypercall("event_channel_op", sub=abi.EVTCHNOP_bind_virq, arg="evtchn_bind_virq")
    def bind_virq(ctx: Context, arg: dict[str, Any]) -> int:
        arg["port"] = ...
        return 0

`arg` names a structure of native/abi: it is copied in from the guest pointer among the arguments, the handler
gets it as a dict, and what the handler changed is copied out when it returns. A handler refuses by raising
XenError. Any other exception is a mistake of the host's: it leaves run() with the call described in a note, and is
never turned into an errno.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from hv import abi
from hv.arch import FOLDERS, architecture
from hv.arch import package as architecture_package
from hv.disposition import BLOCK, CRASH, RESUME, RETRY, Action, Disposition
from hv.errors import XenError
from hv.native import ffi, lib

if TYPE_CHECKING:
    from types import ModuleType

    from hv.domain import Domain
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu

__all__ = [
    "BLOCK", "CRASH", "RESUME", "RETRY", "Action", "Context", "Disposition", "Handler", "Registry",
    "dispatch", "hypercall", "load_handlers", "of_architecture", "serve",
]  # fmt: skip

Handler = Callable[["Context", dict[str, Any]], "int | Disposition"]

# Which argument points to the structure: the last, but for an array that is followed by its length.
POINTER_ARGUMENT = {"grant_table_op": 1}


class Context:
    """One hypercall being answered: who calls, with what, and access to the caller's memory.

    hv, domain, vcpu: who. nr: the hypercall's number. args: its six arguments; a handler that returns RETRY
    changes them first. abi: the guest ABI ("x86_64", ...) that pointers and structures follow.
    """

    __slots__ = ("abi", "args", "domain", "hv", "nr", "vcpu")

    def __init__(self, hv: Hypervisor, vcpu: Vcpu, nr: int, args: list[int]) -> None:
        self.hv = hv
        self.vcpu = vcpu
        self.domain: Domain = vcpu.domain
        self.nr = nr
        self.args = args
        self.abi = self.domain.abi
        """Of the caller's code, which in an HVM guest may be of another width than its shared pages."""

    def read(self, address: int, length: int) -> bytes:
        """Guest memory by linear address. XenError bad_guest_pointer: the guest could not read all of it.
        The caller bounds `length`."""
        data = self.vcpu.read(address, length)
        if data is None:
            raise XenError("bad_guest_pointer", address=address, length=length)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write guest memory by linear address. XenError bad_guest_pointer: the guest could not write all of it."""
        if not self.vcpu.write(address, data):
            raise XenError("bad_guest_pointer", address=address, length=len(data))

    def read_struct(self, name: str, address: int) -> dict[str, Any]:
        """A structure of native/abi in the guest's memory, in the guest's layout. XenError as read()."""
        layout = abi.layout(name, self.abi)
        return layout.unpack(self.read(address, layout.size))

    def write_struct(self, name: str, address: int, fields: dict[str, Any]) -> None:
        """Write a whole structure; fields not given are zero. XenError as write()."""
        self.write(address, abi.layout(name, self.abi).pack(fields))

    def write_fields(self, name: str, address: int, fields: dict[str, Any]) -> None:
        """Write the named (top-level) fields of a structure and leave the others alone. XenError as write()."""
        layout = abi.layout(name, self.abi)
        packed = layout.pack(fields)
        for field in fields:
            at = layout.offset(field)
            self.write(address + at, packed[at : at + layout.field_size(field)])

    def array(self, code: str, address: int, count: int) -> list[int]:
        """`count` integers of a struct-module code ("I", "Q", ...; "P" is the guest's long) at `address`.
        The caller bounds `count`. XenError as read()."""
        codec = _array(self._code(code), count)
        return list(codec.unpack(self.read(address, codec.size)))

    def write_array(self, code: str, address: int, values: list[int]) -> None:
        """Write integers as array() reads them. XenError as write()."""
        self.write(address, _array(self._code(code), len(values)).pack(*values))

    def word_size(self) -> int:
        """Bytes of the guest's long (xen_ulong_t)."""
        return abi.word_size(self.abi)

    def _code(self, code: str) -> str:
        return ("I" if self.word_size() == 4 else "Q") if code == "P" else code

    @property
    def subop(self) -> int:
        """The first argument as a sub-operation."""
        return self.args[0] & abi.SUBOP_MASKS.get(abi.HYPERCALLS.get(self.nr, ""), 0xFFFFFFFF)

    def address_ok(self, address: int) -> bool:
        """Whether a guest pointer lies outside the hypervisor's part of the address space. (That the guest can
        access it is found out when it is used.)"""
        if self.domain.translated:
            return True
        return address not in architecture(self.abi, "pv").address_hole(self.abi)

    def find_domain(self, domid: int) -> Domain | None:
        """The domain that the guest names: itself, another, or None for domain 0, which is always there and here
        is the host. XenError no_such_domain (ESRCH)."""
        if self.is_self(domid):
            return self.domain
        for domain in self.hv.domains.values():
            if domain.domid == domid:
                return domain
        if domid == 0:
            return None
        raise XenError("no_such_domain", domid=domid)

    def own_domain(self, domid: int) -> Domain:
        """The caller's domain, which the guest must have named. XenError: ESRCH for a domain that does not exist,
        EPERM for another one."""
        if self.find_domain(domid) is not self.domain:
            raise XenError("other_domain_denied", domid=domid)
        return self.domain

    def stopped(self, done: int, error: XenError) -> int:
        """For calls whose result is how much was done: log why it is not more, and return `done`."""
        self.hv.refusals.note(self.vcpu.c, self.nr, self.args, error, result=done)
        return done

    def is_self(self, domid: int) -> bool:
        """Whether the guest's domain number means the caller itself."""
        return domid in (abi.DOMID_SELF, self.domain.domid)


@cache
def _array(code: str, count: int) -> Any:
    from struct import Struct

    return Struct(f"<{count}{code}")


class Entry:
    """What is registered for one hypercall: its sub-operations, or a handler for all of it."""

    __slots__ = ("mask", "name", "pointer", "subs", "translated", "whole")

    def __init__(self, name: str) -> None:
        self.name = name
        self.subs: dict[int, tuple[Handler, str]] = {}
        self.whole: tuple[Handler, str] | None = None
        self.translated: frozenset[int] | None = None
        """The sub-operations that translated domains (HVM, PVH) have; None: all."""
        self.mask = abi.SUBOP_MASKS.get(name, 0xFFFFFFFF)
        self.pointer = POINTER_ARGUMENT.get(name, max(abi.HYPERCALL_ARGS[name] - 1, 0))


class Registry:
    """Handlers by hypercall number. Those of an architecture come before those of `base`, which every guest has."""

    def __init__(self, base: Registry | None = None) -> None:
        self.entries: dict[int, Entry] = {}
        self.base = base

    def known(self) -> dict[int, list[Entry]]:
        """All that is registered here and in the base, by number, in the order in which it is looked at."""
        base = {} if self.base is None else self.base.known()
        numbers = sorted({*self.entries, *base})
        return {number: [*([self.entries[number]] if number in self.entries else []), *base.get(number, [])]
                for number in numbers}  # fmt: skip

    def find(self, nr: int, word: int, translated: bool) -> tuple[Handler, str, int]:
        """Who answers a call by its number and first argument: the handler, the structure of its argument, and which
        argument points to that. XenError: nobody."""
        own = self.entries.get(nr)
        base = None if self.base is None else self.base.entries.get(nr)
        for entry in (own, base):
            if entry is not None and (found := entry.subs.get(word & entry.mask)) is not None:
                break
        else:
            entry = own if own is not None and own.whole is not None else base or own
            if entry is None:
                raise XenError("unknown_hypercall", hypercall=nr)
            if entry.whole is None:
                raise XenError("unknown_subop", hypercall=nr, subop=word & entry.mask)
            found = entry.whole
        if translated and entry.translated is not None and word & entry.mask not in entry.translated:
            raise XenError("subop_pv_only", hypercall=nr, subop=word & entry.mask)
        return *found, entry.pointer

    def add(self, name: str, sub: int | None, arg: str, handler: Handler) -> None:
        """Register `handler`. ValueError: no such hypercall or structure, or the place is taken."""
        if name not in abi.HYPERCALL_NUMBERS:
            raise ValueError(f"native/abi/hypercalls.def has no {name}")
        if arg and not any(arg in abi.layout_names(one) for one in abi.ABIS):
            raise ValueError(f"{name}: native/abi has no struct {arg}")
        entry = self.entries.setdefault(abi.HYPERCALL_NUMBERS[name], Entry(name))
        taken = entry.whole if sub is None else entry.subs.get(sub)
        if taken is not None:
            what = name if sub is None else f"{name} {abi.subop_name(name, sub)}"
            raise ValueError(f"{what}: registered twice, by {place(taken[0])} and {place(handler)}")
        if sub is None:
            entry.whole = (handler, arg)
        else:
            entry.subs[sub] = (handler, arg)

    def translated_have(self, name: str, *subs: int) -> None:
        """Of the sub-operations registered here, translated domains have only these; others are ENOSYS for them."""
        self.entries.setdefault(abi.HYPERCALL_NUMBERS[name], Entry(name)).translated = frozenset(subs)

    def __call__(self, name: str, *, sub: int | None = None, arg: str = "") -> Callable[[Handler], Handler]:
        """Decorator: register a handler for `name`, for one sub-operation of it when `sub` is given."""

        def register(handler: Handler) -> Handler:
            self.add(name, sub, arg, handler)
            return handler

        return register


def place(handler: Handler) -> str:
    """Where a handler is, for messages."""
    return f"{handler.__module__}.{getattr(handler, '__qualname__', handler)}"


hypercall = Registry()
"""Registers a handler that every architecture has."""


@cache
def of_architecture(folder: str) -> Registry:
    """What registers a handler that only one architecture has (a folder of hv/arch)."""
    return Registry(hypercall)


@cache
def load_handlers(abi_name: str) -> Registry:
    """Import every file of hv/hypercalls, and of the architecture's own, in the order of their names, and return the
    registry with all handlers of a guest ABI."""
    for package in packages(abi_name):
        for name in handler_files(package.__path__[0]):
            importlib.import_module(f"{package.__name__}.{name}")
    return of_architecture(FOLDERS[abi_name])


@cache
def packages(abi_name: str) -> tuple[ModuleType, ...]:
    """Where the handlers of a guest ABI are."""
    own = architecture_package(abi_name, "hypercalls")
    everyone = importlib.import_module("hv.hypercalls")
    return (everyone,) if own is None else (everyone, own)


@cache
def handler_files(folder: str) -> tuple[str, ...]:
    """The names of the handler files, sorted. (pkgutil would import `inspect` for it: 5 ms of a start.)"""
    return tuple(sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and name != "__init__.py"))


@cache
def handlers_of(number: int, abi_name: str) -> Registry:
    """The registry with the handlers of one hypercall in it: of its own files where it has some, else of all."""
    name = abi.HYPERCALLS.get(number, "")
    having = [package for package in packages(abi_name) if name in handler_files(package.__path__[0])]
    if not having:
        return load_handlers(abi_name)
    for package in having:
        importlib.import_module(f"{package.__name__}.{name}")
    return of_architecture(FOLDERS[abi_name])


def dispatch(ctx: Context, handlers: Registry) -> int | Disposition:
    """Find the handler of the call, copy its argument in, run it, copy the argument out. Raises XenError."""
    handler, name, pointer = handlers.find(ctx.nr, ctx.args[0], ctx.domain.translated)
    if not name:
        return handler(ctx, {})
    layout = abi.layout(name, ctx.abi)
    address = ctx.args[pointer]
    data = ctx.read(address, layout.size)
    before, arg = layout.unpack(data), layout.unpack(data)
    result = handler(ctx, arg)
    if arg != before:
        ctx.write(address, layout.update(data, before, arg))
    return result


def serve(hv: Hypervisor, vcpu: Vcpu, out: Any) -> None:
    """Answer the hypercall of an EXIT_HYPERCALL record: result and continuation go to the vcpu's registers, or to
    the entry of the multicall it is part of."""
    ctx = Context(hv, vcpu, out.nr, ffi.unpack(out.args, 6))
    if ctx.domain.translated:
        kind = ctx.domain.kind
        ctx.abi = kind.narrow_abi if out.flags & lib.HV_CALL_32 else kind.abi
    try:
        result = dispatch(ctx, handlers_of(ctx.nr, ctx.domain.kind.abi))
    except XenError as error:
        hv.refusals.note(vcpu.c, ctx.nr, ctx.args, error)
        result = -error.errno
    except Exception as error:
        error.add_note(describe(ctx))
        raise
    if isinstance(result, int):
        lib.hv_answer(hv.native, vcpu.c, result, out.aux)
    elif result.action is Action.RETRY:
        retry(ctx, bool(out.aux))
    elif result.action is Action.CRASH:
        crash(ctx, result.reason)
    else:
        lib.hv_answer(hv.native, vcpu.c, result.value, out.aux)


def retry(ctx: Context, in_multicall: bool) -> None:
    """Have the guest execute the call again with the arguments as the handler left them."""
    ctx.args[:] = [value & 0xFFFFFFFFFFFFFFFF for value in ctx.args]  # an array may end where memory does
    lib.hv_answer_again(ctx.hv.native, ctx.vcpu.c, ctx.args, in_multicall)


def crash(ctx: Context, reason: str) -> None:
    """Give the domain up."""
    ctx.domain.crash_reason = reason
    ctx.domain.c.shutdown_code = abi.SHUTDOWN_crash
    ctx.domain.c.shut_down = 1


def describe(ctx: Context) -> str:
    """The call in words, for a host error."""
    name = abi.HYPERCALLS.get(ctx.nr, str(ctx.nr))
    sub = abi.subop_name(name, ctx.subop)
    return (
        f"while serving {name} (sub-operation {sub}, arguments {[hex(a) for a in ctx.args]}) of domain "
        f"{ctx.domain.name}, vcpu {ctx.vcpu.id}, pc {ctx.vcpu.pc:#x}, instruction {int(ctx.hv.state.retired):,}"
    )
