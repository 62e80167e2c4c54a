"""A virtual processor: a view on its `struct vcpu` in the arena and on its cpu's registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.arch import registers_of
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.domain import Domain

LAST_ADDRESS = (1 << 64) - 1


class Vcpu:
    """One vcpu of a domain. `c` is its `struct vcpu`, `cpu` the engine's cpu that runs it."""

    def __init__(self, domain: Domain, slot: int) -> None:
        self.domain = domain
        self.bind(slot)

    def bind(self, slot: int) -> None:
        """From now on it is the vcpu of this slot: its domain begins anew."""
        self.slot = slot
        native = self.domain.hv.native
        self.c: Any = ffi.addressof(lib.hv_state(native).vcpus[slot])
        self.cpu: Any = lib.hv_cpu(native, slot)

    @property
    def id(self) -> int:
        """Number inside the domain, from 0."""
        return int(self.c.id)

    @property
    def arch(self) -> Any:
        """What its architecture says of registers (hv.arch)."""
        return registers_of(self.domain.kind)

    @property
    def registers(self) -> dict[str, int]:
        """The general registers and the program counter, by name."""
        values: dict[str, int] = self.arch.general(self.cpu)
        return values

    @property
    def pc(self) -> int:
        """The program counter: the next instruction, as the guest sees it."""
        return int(lib.cpu_pc(self.cpu))

    def state(self) -> Any:
        """A copy of the whole architectural state, as the architecture's struct (native/engine/engine.h)."""
        state = ffi.new(f"{self.arch.STATE} *")
        lib.cpu_save(self.cpu, state)
        return state

    def set_state(self, state: Any) -> None:
        """Load the whole architectural state."""
        lib.cpu_load(self.cpu, state)

    def read(self, address: int, length: int) -> bytes | None:
        """Guest memory by linear address with the vcpu's present rights; None where it is not mapped."""
        if address > LAST_ADDRESS:  # an array that runs off the end of the address space
            return None
        out = ffi.new("unsigned char[]", max(length, 1))
        if lib.hv_copy_from_guest(self.domain.hv.native, self.c, out, address, length) != 0:
            return None
        return bytes(ffi.buffer(out, length))

    def peek(self, address: int, length: int) -> bytes | None:
        """As read(), and leaves no accessed bit in the guest's page tables: for who only looks on."""
        if not 0 <= address <= LAST_ADDRESS:
            return None
        out = ffi.new("unsigned char[]", max(length, 1))
        if lib.hv_peek(self.domain.hv.native, self.c, out, address, length) != length:
            return None
        return bytes(ffi.buffer(out, length))

    def write(self, address: int, data: bytes) -> bool:
        """Write guest memory by linear address; False where the guest itself could not."""
        if address > LAST_ADDRESS:
            return False
        return bool(lib.hv_copy_to_guest(self.domain.hv.native, self.c, address, data, len(data)) == 0)
