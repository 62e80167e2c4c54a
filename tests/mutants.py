"""`make mutants`: faults planted in the hypervisor, one at a time, each of which the suite must catch.

Each mutant changes one place of a copied tree, which is built again and tested with the tests named (a few, to save
time; they are part of `make test`). A mutant that lives is a hole in the suite, and fails the run; so does one whose
place in the source is gone. `make mutants ARGS="refund mask"` runs those whose names contain a word.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tree import build, copy_tree, pytest


@dataclass(frozen=True)
class Mutant:
    """One planted fault: in `file`, `old` (which occurs once) becomes `new`; `tests` should notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PATIENCE = 120.0  # seconds; the tests of a mutant take a quarter of that
GUESTS = "tests/guests/test_guests.py"
MUTANTS = (
    Mutant(
        "wrong page-fault error code",
        "native/xen/x86/bounce.c",
        "error = v->kernel_mode ? error & ~(uint32_t)PF_USER : error | PF_USER;",
        "error = v->kernel_mode ? error : error | PF_USER;",
        (f"{GUESTS}", "-k", "exc_pf"),
    ),
    Mutant(
        "missing type check: a page table may be mapped writable",
        "native/xen/x86/mm_validate.c",
        "if ((pte & PTE_RW) && !page_get_writable(page)) {",
        "if ((pte & PTE_RW) && !page_get_writable(page) && page_type(page) != PGT_l1) {",
        ("tests/native/test_mm_update.py",),
    ),
    Mutant(
        "dropped upcall mask",
        "native/xen/x86/bounce.c",
        "pv_bounce(hv, v, v->callbacks[CB_EVENT].address, FRAME_MASK_EVENTS, 0)",
        "pv_bounce(hv, v, v->callbacks[CB_EVENT].address, 0, 0)",
        (f"{GUESTS}", "-k", "evtchn_mask"),
    ),
    Mutant(
        "lost refund of the count",
        "native/engine/target/count.c",
        "    LEFT += cpu_unretired(c, c->restored_pc);\n",
        "",
        ("tests/engine/test_count.py",),
    ),
    Mutant(
        "stale translation after a changed page-table entry",
        "native/xen/x86/mm_entry.c",
        "        hv->tlb_stale = true;",
        "        hv->tlb_stale = hv->tlb_stale;",
        (GUESTS, "-k", "exc_pf or pt_"),
    ),
    Mutant(
        "store to translated code not noticed",
        "native/engine/target/tlb.c",
        "            machine_drop_writable(m, map->frame);",
        "            (void)0;",
        ("tests/engine/test_defects.py",),
    ),
    Mutant(
        "an event that waits while the guest chooses its callback is forgotten",
        "native/xen/x86/hvm/cpu.c",
        "    if (hv_upcall_pending(hv, v) || hvm_vcpu_of(hv, v)->upcall_vector)\n        hvm_events_pending(hv, v);\n",
        "",
        (GUESTS, "-k", "hvm_callback"),
    ),
    Mutant(
        "events delivered where a run was cut",
        "native/xen/hv_run.c",
        "    v->undisturbed = reason == EXIT_BUDGET || reason == EXIT_DECODE || reason == EXIT_BREAKPOINT;",
        "    v->undisturbed = 0;",
        ("tests/guests/test_cuts.py",),
    ),
    Mutant(
        "timer that fires late",
        "native/xen/timer.c",
        "    if (*deadline == 0 || *deadline > now)",
        "    if (*deadline == 0 || *deadline + 100 > now)",
        (GUESTS, "-k", "timer or time or poll"),
    ),
    Mutant(
        "iret that keeps the upcall mask",
        "native/xen/x86/pvops_iret.c",
        "    pv_set_upcall_mask(hv, v, !(f.rflags & RFLAGS_IF));",
        "    pv_set_upcall_mask(hv, v, pv_upcall_masked(hv, v));",
        (GUESTS, "-k", "evtchn"),
    ),
    Mutant(
        "descriptor kept at DPL 0",
        "native/xen/x86/segment.c",
        "    high |= SEG_ATTR_DPL;\n",
        "",
        (GUESTS, "-k", "descriptors"),
    ),
    Mutant(
        "int n through a closed gate",
        "native/xen/x86/trap.c",
        "    return (gate->flags & 3) >= (v->kernel_mode ? 1 : 3);",
        "    return (gate->flags & 3) >= (v->kernel_mode ? 1 : 2) || !v->kernel_mode;",
        (f"{GUESTS}", "-k", "int_n"),
    ),
    Mutant(
        "state hash without the event channels",
        "hv/statehash.py",
        '        ("struct evtchn", hv.state.evtchn_offset, lib.HV_MAX_PORTS, lib.hv_evtchn_limit(domain.c)),\n',
        "",
        ("tests/test_statehash.py",),
    ),
    Mutant(
        "reference kept by a refused update",
        "native/xen/x86/mm_validate.c",
        "    if ((pte & PTE_RW) && !page_get_writable(page)) {\n        page_put(hv, mfn);",
        "    if ((pte & PTE_RW) && !page_get_writable(page)) {",
        ("tests/native/test_mm_update.py", "tests/native/test_mm_random.py"),
    ),
    Mutant(
        "page-table bits set by the walker are not noticed by a snapshot",
        "native/engine/x86/walk.c",
        "    m->flags[pa >> ENGINE_PAGE_SHIFT] |= FRAME_DIRTY;\n",
        "    (void)m;\n",
        ("tests/test_snapshot.py",),
    ),
    Mutant(
        "stores after a snapshot go by the old translations, unnoticed",
        "native/engine/image.c",
        "    if (new_base(m, image))\n        machine_tlb_stale(m);",
        "    (void)new_base(m, image);",
        ("tests/test_snapshot.py",),
    ),
    Mutant(
        "a breakpoint charges its block twice",
        "native/engine/target/count.c",
        "    LEFT -= count;\n}",
        "    LEFT -= count + count;\n}",
        ("tests/engine/test_stops.py",),
    ),
    Mutant(
        "a stop point forgets that the run was cut there",
        "native/xen/hv_run.c",
        " || reason == EXIT_BREAKPOINT;",
        ";",
        ("tests/debug/test_timeline.py", "-k", "thousand or other_guests"),
    ),
    Mutant(
        "a late breakpoint is taken for one at the first moment of its count",
        "native/engine/cpu.c",
        "    return retired > 0 && c->trap_at != retired;",
        "    return retired > 0;",
        ("tests/debug/test_timeline.py", "tests/engine/test_stops.py"),
    ),
    Mutant(
        "input enters one moment too late on replay",
        "hv/inputs.py",
        "due.retired if due.moment is Moment.COUNT and due.retired > retired else due.retired + 1",
        "due.retired + 1",
        ("tests/test_snapshot.py",),
    ),
    Mutant(
        "xenstore stays as it was when time goes back",
        "hv/toolstack/connect.py",
        "        self.host.daemon.store.state = saved\n",
        "        self.host.daemon\n",
        ("tests/test_snapshot.py",),
    ),
    Mutant(
        "8259A: an interrupt interrupts itself",
        "native/xen/x86/hvm/pic.c",
        "request >= first(pic, served)",
        "request > first(pic, served)",
        (GUESTS, "-k", "pic_"),
    ),
    Mutant(
        "I/O APIC: a level does not wait for its end",
        "native/xen/x86/hvm/ioapic.c",
        "        ioapic->entry[pin] |= ENTRY_REMOTE_IRR;",
        "        ioapic->entry[pin] |= 0;",
        (GUESTS, "-k", "ioapic"),
    ),
    Mutant(
        "local APIC: a class interrupts itself",
        "native/xen/x86/hvm/lapic.c",
        "((uint32_t)vector & 0xf0) > (priority(l) & 0xf0)",
        "((uint32_t)vector & 0xf0) >= (priority(l) & 0xf0)",
        (GUESTS, "-k", "lapic_priority"),
    ),
    Mutant(
        "8254: a second latch replaces the first",
        "hv/devices/pit_channel.py",
        "        if self.latched:\n            return self\n        value",
        "        value",
        (GUESTS, "-k", "pit_counters"),
    ),
    Mutant(
        "clock: an alarm ignores its hour",
        "hv/devices/rtc.py",
        "return [self.state.memory[number] for number in ALARM_REGISTERS]",
        "return [self.state.memory[number] for number in ALARM_REGISTERS[:2]] + [0xFF]",
        (GUESTS, "-k", "rtc_interrupts"),
    ),
    Mutant(
        "HPET: a narrow comparator compares all bits",
        "hv/devices/hpet.py",
        "return 0xFFFFFFFF if self.configuration & NARROW else ONES",
        "return ONES",
        (GUESTS, "-k", "hpet"),
    ),
    Mutant(
        "host bridge: RAM that is only to be read takes writes",
        "hv/devices/i440fx.py",
        "bool(now & READ_RAM), bool(now & WRITE_RAM)",
        "bool(now & READ_RAM), bool(now)",
        (GUESTS, "-k", "pci_shadow"),
    ),
    Mutant(
        "16550: a modem interrupt comes before data",
        "hv/devices/uart.py",
        "        if state.enable & ON_DATA and len(state.fifo) >= self._trigger:",
        "        if state.enable & ON_MODEM and state.deltas:\n            return MODEM\n"
        "        if state.enable & ON_DATA and len(state.fifo) >= self._trigger:",
        (GUESTS, "-k", "uart"),
    ),
    Mutant(
        "8042: a byte of the mouse interrupts as the keyboard's",
        "hv/devices/i8042.py",
        "from_mouse = state.full and state.source == MOUSE",
        "from_mouse = False",
        (GUESTS, "-k", "kbc"),
    ),
    Mutant(
        "address line 20 is always open",
        "native/xen/x86/hvm/paging.c",
        "    return h->a20 ? frame : frame & ~(A20 >> ENGINE_PAGE_SHIFT);",
        "    return h->a20 ? frame : frame;",
        (GUESTS, "-k", "a20"),
    ),
    Mutant(
        "the firmware's DMA goes on where another item ended",
        "hv/devices/fw_cfg.py",
        "self.state.selected, self.state.offset = number, 0",
        "self.state.selected = number",
        (GUESTS, "-k", "fw_cfg"),
    ),
    Mutant(
        "bus master: a region that ends early is still active",
        "hv/devices/bus_master.py",
        "            if state.left == 0 and state.last:\n                state.status &= ~ACTIVE\n",
        "",
        (GUESTS, "-k", "ide_dma or atapi"),
    ),
    Mutant(
        "IDE: the alternate status tells the interrupt off",
        "hv/devices/ata_channel.py",
        "        drive = self._selected()\n        return 0 if drive is None else int(drive.state.status)",
        "        return self._read_register(STATUS)",
        (GUESTS, "-k", "ide_pio"),
    ),
    Mutant(
        "ATAPI: sense data outlive a good command",
        "hv/devices/scsi.py",
        "            if opcode != REQUEST_SENSE:\n                state.sense = NO_SENSE\n",
        "",
        (GUESTS, "-k", "atapi"),
    ),
    Mutant(
        "VGA: write mode 3 does not rotate",
        "native/xen/vga.c",
        "        mask &= turned;",
        "        mask &= byte;",
        (GUESTS, "-k", "vga_planes"),
    ),
    Mutant(
        "e1000: an address that is not valid is compared",
        "hv/devices/e1000_receive.py",
        "addresses[i + 1] & 0x8003FFFF == high",
        "(addresses[i + 1] | 1 << 31) & 0x8003FFFF == high",
        (GUESTS, "-k", "e1000"),
    ),
    Mutant(
        "RTL8139: a frame at the ring's end does not go on at its beginning",
        "hv/devices/rtl8139.py",
        "        self.dma_write(state.rbstart, entry[len(first) :])\n",
        "",
        (GUESTS, "-k", "rtl8139"),
    ),
    Mutant(
        "UHCI: nobody's answer is waited for for ever",
        "hv/devices/uhci_schedule.py",
        "        if errors == 1 or control & ISOCHRONOUS:",
        "        if control & ISOCHRONOUS:",
        (GUESTS, "-k", "uhci"),
    ),
    Mutant(
        "USB disk: a cleared halt is enough after a wrapper that was none",
        "hv/devices/usb_storage.py",
        "        if self.state.lost:\n            self.halt(address)\n",
        "        assert address\n",
        (GUESTS, "-k", "usb_storage"),
    ),
    Mutant(
        "USB keyboard: the idle time does not pass",
        "hv/devices/usb_hid.py",
        "return bool(state.idle) and self.machine.now_ns - state.told_ns >= state.idle * IDLE_UNIT_NS",
        "return False",
        (GUESTS, "-k", "usb_hid"),
    ),
    Mutant(
        "GIC: what is being served is signalled again",
        "native/xen/arm/vgic.c",
        "vgic_pending_bits(b) & b->enabled & ~b->active;",
        "vgic_pending_bits(b) & b->enabled;",
        ("tests/arm/test_gic_interface.py",),
    ),
    Mutant(
        "GIC: group 1's end drops a priority of group 0",
        "native/xen/arm/vgic_cpu.c",
        "    if (c->apr[group] & lowest)\n        c->apr[group] &= ~lowest;\n",
        "    c->apr[0] &= ~lowest, c->apr[1] &= ~lowest;\n",
        ("tests/arm/test_gic_v3.py",),
    ),
    Mutant(
        "ARM timer: due one tick late",
        "native/xen/arm/vtimer.c",
        "t->ctl & VTIMER_ENABLE && count >= t->cval;",
        "t->ctl & VTIMER_ENABLE && count > t->cval;",
        ("tests/arm/test_vtimer.py",),
    ),
    Mutant(
        "PSCI: an affinity of another cluster is taken for this one",
        "native/xen/arm/vgic.c",
        "if ((fields & 0xff) >= VGIC_CLUSTER || fields >> 16)",
        "if ((fields & 0xff) >= VGIC_CLUSTER)",
        ("tests/arm/test_psci.py", "tests/arm/test_gic_v3.py"),
    ),
)


def plant(tree: Path, mutant: Mutant) -> str | None:
    """Change the place; what is wrong with the mutant itself, or None."""
    path = tree / mutant.file
    if not path.exists():
        return f"there is no {mutant.file}"
    text = path.read_text()
    if text.count(mutant.old) != 1:
        return f"its place occurs {text.count(mutant.old)} times in {mutant.file}"
    path.write_text(text.replace(mutant.old, mutant.new))
    return None


def judge(tree: Path, mutant: Mutant) -> str | None:
    """Run the tests; None when the mutant was caught. A suite that hangs has noticed, too."""
    try:
        done = pytest(tree, "-x", "-q", *mutant.tests, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 0:
        return "lives: no test failed"
    return None if done.returncode == 1 else f"pytest left with {done.returncode}:\n{done.stdout[-2000:]}"


def main(words: list[str]) -> int:
    """Run the mutants; 1 when one of them lives or cannot be planted."""
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    failed = 0
    for mutant in chosen:
        start = time.monotonic()
        tree = copy_tree("mutants")  # puts the file of the mutant before back as it was
        verdict = plant(tree, mutant)
        if verdict is None and mutant.file.startswith("native/"):
            built = build(tree)
            verdict = f"does not build:\n{built.stderr[-2000:]}" if built.returncode else None
        if verdict is None:
            verdict = judge(tree, mutant)
        failed += verdict is not None
        print(f"{verdict or 'caught':<8} {time.monotonic() - start:5.0f} s  {mutant.name}", flush=True)
    copy_tree("mutants")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
