"""How long an access to a device takes (docs/time.md)."""

from __future__ import annotations

from pathlib import Path

from hv.arch.x86.builder.hvm import build_hvm, start
from hv.devices.platform import Platform
from hv.devices.rtc import Rtc
from hv.hypervisor import Hypervisor, Stop
from hv.native import lib
from tests.devices.flat32 import compiled

DONE, ACCESSES = 0x300000, 100

PROGRAM = (
    r"""
typedef unsigned int u32;
static inline u32 now(void) { u32 low, high; __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)); return low; }
__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");
void work(void)
{
    volatile u32 *const done = (u32 *)0x300000;
    u32 from = now();
    for (int i = 0; i < ACCESSES; i++)
        __asm__ volatile("inb $0x71, %%al" ::: "eax");
    done[1] = now() - from;
    done[0] = 1;
    for (;;)
        ;
}
"""
).replace("ACCESSES", str(ACCESSES))


def test_an_access_that_python_answers_takes_its_time(tmp_path: Path) -> None:
    hv = Hypervisor(memory_mib=8)
    domain = hv.create_domain("pc", memory_mib=8, kind="hvm")
    built = build_hvm(domain, compiled(tmp_path, PROGRAM))
    platform = Platform(domain)
    platform.add(Rtc(platform, 0))
    platform.reset()
    start(domain, built)
    assert hv.run(max_insns=2_000).stop == Stop.INSNS
    done, took_ns = memoryview(domain.read_physical(DONE, 8)).cast("I")
    on_the_bus, instructions = divmod(took_ns, ACCESSES * lib.HVM_ACCESS_NS)
    assert done == 1 and on_the_bus == 1 and ACCESSES < instructions < 2_000
