"""The baseline of the trap benchmarks: a small hypervisor on the stock Unicorn Python binding, doing the same work.

It reads and writes only the registers that the work needs. Faults come as #UD (ud2 stands for the privileged or
faulting instruction), because the stock library reports every second #GP or #PF in a row as a double fault.
"""

from __future__ import annotations

import struct
import time
from typing import Any

CODE, STACK = 0x200000, 0x300000
HYPERCALL_XEN_VERSION, HYPERCALL_IRET = 17, 23
VERSION = 4 << 16 | 17


def _engine(code: bytes) -> tuple[Any, Any]:
    import unicorn
    from unicorn import x86_const as x86

    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    uc.mem_map(CODE, 0x10000)
    uc.mem_map(STACK, 0x10000)
    uc.mem_write(CODE, code)
    uc.reg_write(x86.UC_X86_REG_RSP, STACK + 0x8000)
    return uc, x86


def _time(uc: Any, end: int) -> float:
    start = time.process_time()
    uc.emu_start(CODE, CODE + end)
    return time.process_time() - start


def null_hypercall(n: int) -> float:
    """Seconds of `n` xen_version hypercalls: read number and six arguments, find the handler, write the result."""
    import unicorn

    # mov ebx, n; 1: mov eax, 17; xor edi, edi; syscall; dec ebx; jnz 1b
    code = b"\xbb" + struct.pack("<I", n) + b"\xb8\x11\0\0\0\x31\xff\x0f\x05\xff\xcb\x75\xf3"
    uc, x86 = _engine(code)
    arguments = [
        x86.UC_X86_REG_RDI,
        x86.UC_X86_REG_RSI,
        x86.UC_X86_REG_RDX,
        x86.UC_X86_REG_R10,
        x86.UC_X86_REG_R8,
        x86.UC_X86_REG_R9,
    ]
    handlers = {HYPERCALL_XEN_VERSION: lambda args: VERSION if args[0] == 0 else -22}

    def on_syscall(engine: Any, _user: Any) -> None:
        number = engine.reg_read(x86.UC_X86_REG_RAX)
        args = [engine.reg_read(register) for register in arguments]
        engine.reg_write(x86.UC_X86_REG_RAX, handlers[number](args))

    uc.hook_add(unicorn.UC_HOOK_INSN, on_syscall, aux1=x86.UC_X86_INS_SYSCALL)
    return _time(uc, len(code))


def gp_emulation(n: int) -> float:
    """Seconds of `n` emulated privileged instructions: fetch the bytes, find the decoded form, do it, step on."""
    import unicorn

    code = b"\xbb" + struct.pack("<I", n) + b"\x0f\x0b\xff\xcb\x75\xfa"
    uc, x86 = _engine(code)
    control = {0: 0x8005003B}
    decoded = {b"\x0f\x0b": (2, lambda engine: engine.reg_write(x86.UC_X86_REG_RAX, control[0]))}

    def on_invalid(engine: Any, _user: Any) -> bool:
        rip = engine.reg_read(x86.UC_X86_REG_RIP)
        length, execute = decoded[bytes(engine.mem_read(rip, 2))]
        execute(engine)
        engine.reg_write(x86.UC_X86_REG_RIP, rip + length)
        return True

    uc.hook_add(unicorn.UC_HOOK_INSN_INVALID, on_invalid)
    return _time(uc, len(code))


def pf_bounce(n: int) -> float:
    """Seconds of `n` faults bounced to a handler in the guest, which skips the instruction and returns by hypercall."""
    import unicorn

    # mov ebx, n; 1: ud2; dec ebx; jnz 1b; jmp end; handler: pop rcx; pop r11; add rsp, 8; add qword [rsp], 2;
    # push r11; push rcx; push rax; mov eax, 23; syscall; end:
    main = b"\xbb" + struct.pack("<I", n) + b"\x0f\x0b\xff\xcb\x75\xfa"
    handler = b"\x59\x41\x5b\x48\x83\xc4\x08\x48\x83\x04\x24\x02\x41\x53\x51\x50\xb8\x17\0\0\0\x0f\x05"
    code = main + b"\xeb" + bytes([len(handler)]) + handler
    entry = CODE + len(main) + 2
    uc, x86 = _engine(code)
    names = ("RCX", "R11", "RIP", "EFLAGS", "RSP", "CS", "SS", "CR2")
    reg = {name: getattr(x86, f"UC_X86_REG_{name}") for name in names}

    def on_invalid(engine: Any, _user: Any) -> bool:
        v = {name: engine.reg_read(number) for name, number in reg.items()}
        sp = (v["RSP"] & ~15) - 64
        engine.mem_write(
            sp, struct.pack("<8Q", v["RCX"], v["R11"], 4, v["RIP"], v["CS"], v["EFLAGS"], v["RSP"], v["SS"])
        )
        engine.reg_write(reg["RSP"], sp)
        engine.reg_write(reg["RIP"], entry)
        return True

    def on_iret(engine: Any, _user: Any) -> None:
        sp = engine.reg_read(reg["RSP"])
        rax, rcx, r11, rip, _cs, rflags, rsp, _ss = struct.unpack("<8Q", engine.mem_read(sp, 64))
        engine.reg_write(x86.UC_X86_REG_RAX, rax)
        engine.reg_write(reg["RCX"], rcx)
        engine.reg_write(reg["R11"], r11)
        engine.reg_write(reg["EFLAGS"], rflags)
        engine.reg_write(reg["RSP"], rsp)
        engine.reg_write(reg["RIP"], rip - 2)  # the library adds the length of syscall

    uc.hook_add(unicorn.UC_HOOK_INSN_INVALID, on_invalid)
    uc.hook_add(unicorn.UC_HOOK_INSN, on_iret, aux1=x86.UC_X86_INS_SYSCALL)
    return _time(uc, len(code))


if __name__ == "__main__":
    for function in (null_hypercall, gp_emulation, pf_bounce):
        print(function.__name__, f"{function(20000) / 20000 * 1e9:.0f} ns")
