"""A hypervisor without guests, for testing handlers: domains of a few frames, and calls with made-up guest
memory."""

from __future__ import annotations

from typing import Any

from hv import abi, evtchn
from hv.arch import kinds
from hv.disposition import Disposition
from hv.errors import XenError
from hv.hypercall import Context, dispatch, load_handlers
from hv.native import ffi, lib

KIND = next(iter(kinds().values()))
"""Of the domains: PV on x86; whichever there is where that is missing."""
ARGUMENT = 0x1000  # where calls put their argument structure


class Refusals:
    def __init__(self) -> None:
        self.noted: list[XenError] = []

    def note(
        self, vcpu: Any, nr: int, args: list[int], error: XenError, result: int | None = None, status: int | None = None
    ) -> None:
        self.noted.append(error)


class Vcpu:
    def __init__(self, domain: Domain, number: int) -> None:
        native = domain.hv.native
        self.domain, self.id = domain, number
        self.slot = lib.hv_vcpu_create(native, domain.slot, number)
        assert self.slot >= 0
        self.c = ffi.addressof(lib.hv_state(native).vcpus[self.slot])
        self.cpu = lib.hv_cpu(native, self.slot)
        self.c.initialised = self.c.online = 1
        if number < 32:
            self.c.info_pa = (domain.c.shared_info_frame << 12) + 64 * number

    @property
    def info(self) -> dict[str, Any]:
        return abi.layout("vcpu_info").unpack(self.domain.hv.read(self.c.info_pa, 64))

    def set_info(self, **fields: int) -> None:
        layout = abi.layout("vcpu_info")
        for name, value in fields.items():
            data = value.to_bytes(layout.field_size(name), "little")
            self.domain.hv.write(self.c.info_pa + layout.offset(name), data)


class Domain:
    translated = False

    def __init__(self, hv: Lab, domid: int, vcpus: int) -> None:
        self.hv, self.abi, self.name = hv, KIND.abi, f"d{domid}"
        self.slot = lib.hv_domain_create(hv.native, domid, KIND.number, 1000)
        assert self.slot >= 0
        self.c = ffi.addressof(hv.state.domains[self.slot])
        self.domid = domid
        self.c.shared_info_frame = lib.hv_alloc_shared_frame(hv.native, domid)
        self.events: list[int] = []
        self.vcpus = [Vcpu(self, n) for n in range(vcpus)]
        self.console_log = b""

    def read(self, address: int, length: int) -> bytes:
        return self.hv.read(address, length)

    def write_console(self, data: bytes) -> None:
        self.console_log += data

    def host_event(self, port: int) -> None:
        self.events.append(port)

    def frame(self) -> int:
        """A fresh frame of the domain's."""
        frame = int(lib.hv_alloc_frame(self.hv.native, self.domid))
        assert frame != 2**64 - 1
        return frame

    def shared(self, field: str) -> int:
        """Machine address of a field of shared_info."""
        return (self.c.shared_info_frame << 12) + abi.layout("shared_info").offset(field)

    def bit(self, field: str, port: int) -> bool:
        return bool(self.hv.read(self.shared(field) + port // 8, 1)[0] >> port % 8 & 1)

    def set_bit(self, field: str, port: int, to: bool = True) -> None:
        at = self.shared(field) + port // 8
        byte = self.hv.read(at, 1)[0] & ~(1 << port % 8) | to << port % 8
        self.hv.write(at, bytes([byte]))

    def evtchn(self, port: int) -> Any:
        return lib.hv_evtchn(self.hv.native, self.c, port)


class Call(Context):
    """A hypercall whose pointers lead into a dict of pages: only those are mapped."""

    def __init__(self, vcpu: Vcpu, nr: int, args: list[int], memory: dict[int, bytearray]) -> None:
        super().__init__(vcpu.domain.hv, vcpu, nr, args)  # type: ignore[arg-type]  # stand-ins
        self.memory = memory

    def _at(self, address: int, length: int) -> tuple[bytearray, int]:
        page = self.memory.get(address >> 12)
        if page is None or (address & 4095) + length > len(page):
            raise XenError("bad_guest_pointer", address=address, length=length)
        return page, address & 4095

    def read(self, address: int, length: int) -> bytes:
        page, at = self._at(address, length)
        return bytes(page[at : at + length])

    def write(self, address: int, data: bytes) -> None:
        page, at = self._at(address, len(data))
        page[at : at + len(data)] = data

    __slots__ = ("memory",)


class Lab:
    """struct hv with helpers. `d1` and `d2` are domains with two vcpus and one."""

    def __init__(self, frames: int = 2048) -> None:
        out = ffi.new("struct hv **")
        assert lib.hv_create(out, frames) == 0
        self.native = ffi.gc(out[0], lib.hv_destroy)
        self.state = lib.hv_state(self.native)
        self.refusals = Refusals()
        self.d1, self.d2 = Domain(self, 1, 2), Domain(self, 2, 1)
        self.domains = {d.slot: d for d in (self.d1, self.d2)}

    def read(self, pa: int, length: int) -> bytes:
        out = bytearray(length)
        assert lib.machine_read(lib.hv_machine(self.native), pa, ffi.from_buffer(out), length) == 0
        return bytes(out)

    def write(self, pa: int, data: bytes) -> None:
        assert lib.machine_write(lib.hv_machine(self.native), pa, data, len(data)) == 0

    def word(self, pa: int) -> int:
        return int.from_bytes(self.read(pa, 4), "little")

    def advance(self, ns: int) -> None:
        """Let time pass."""
        self.state.idle_ns += ns

    def audit(self) -> str:
        text = ffi.new("char[]", 1000)
        return ffi.string(text).decode() if lib.hv_audit(self.native, text, 1000) else ""

    def call(
        self, vcpu: Vcpu, name: str, args: list[int], memory: dict[int, bytearray] | None = None
    ) -> int | str | Disposition:
        """One hypercall: its result, or the errno and rule of its refusal as "EINVAL rule"."""
        full = [*args, *[0] * (6 - len(args))]
        context = Call(vcpu, abi.HYPERCALL_NUMBERS[name], full, memory if memory is not None else {})
        try:
            result = dispatch(context, load_handlers(context.abi))
        except XenError as error:
            return f"{error.errno_name} {error.rule}"
        args[:] = full
        return result

    def op(self, vcpu: Vcpu, name: str, sub: int, struct: str = "", /, **fields: Any) -> tuple[Any, dict[str, Any]]:
        """A call with a sub-operation and one structure: the result, and the structure as it was left."""
        if not struct:
            return self.call(vcpu, name, [sub, 0]), {}
        layout = abi.layout(struct)
        memory = {ARGUMENT >> 12: bytearray(layout.pack(fields)).ljust(4096, b"\0")}
        result = self.call(vcpu, name, [sub, ARGUMENT], memory)
        return result, layout.unpack(memory[ARGUMENT >> 12])

    def evtchn(self, vcpu: Vcpu, sub: str, /, **fields: Any) -> tuple[Any, dict[str, Any]]:
        """EVTCHNOP_<sub>."""
        return self.op(vcpu, "event_channel_op", getattr(abi, f"EVTCHNOP_{sub}"), f"evtchn_{sub}", **fields)

    def bind(self, vcpu: Vcpu, remote: Domain) -> tuple[int, int]:
        """A connection from `vcpu`'s domain to `remote`: both ports."""
        port = evtchn.alloc_unbound(self.native, vcpu.domain.c, remote.domid)
        return port, evtchn.bind_interdomain(self.native, remote.c, vcpu.domain.domid, port)
