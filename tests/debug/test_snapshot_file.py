"""Snapshot files: what was saved is what another process loads, and what is no such file is refused in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hv import abi, evtchn_fifo
from hv.debug import container
from hv.debug.fields import FieldError
from hv.debug.saved_store import MAX_NODES, Nodes, nodes_from, store_from, store_plain
from hv.debug.snapshot_file import KIND, SnapshotFileError, info, load, save
from hv.debug.trace import drain
from hv.devices.ata_disk import DiskState
from hv.hypervisor import Stop
from hv.native import ffi, lib
from hv.net.options import parse_nic
from hv.testing.build import build_guest, find_guest
from hv.testing.disks import NumberedImage
from hv.testing.runner import DomainUnderTest, Options
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.xenstore.permissions import Access, Permission
from hv.xenstore.state import Connection, StoreState
from hv.xenstore.tree import Node
from tests.debug import pc_tour
from tests.guests import pairs
from tests.guests.pairs import Plan

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ["smp", "grant_self", "grant_v2", "xenstore", "evtchn_fifo", "pt_pin", "debug_io", "user_tables", "multicall"]
PVH_GUESTS = ["hvm_smp", "physmap", "lapic_timer", "hvm_exceptions", "evtchn_poll"]
"""In what is left of memory beside the tables of the physmap, and with whole processors."""
ARM_GUESTS = [("arm64", "arm_smp"), ("arm64", "arm_grant_region"), ("arm32", "arm_gic_nesting")]
MOMENTS = 6
DAMAGES = int(os.environ.get("XENLAB_DAMAGES", "600"))
"""Damaged files that are tried; 10,000 take some minutes."""
LOOK = """\
import json, sys
from hv.debug.snapshot_file import load
for path in sys.argv[1:]:
    loaded = load(path)
    hashes = []
    for snapshot in loaded.snapshots:
        loaded.hv.restore(snapshot)
        hashes.append(loaded.hv.state_hash)
        assert loaded.hv.audit() == ""
    ends = set()
    for snapshot in loaded.snapshots:
        loaded.hv.restore(snapshot)
        loaded.hv.run()
        ends.add(loaded.hv.state_hash)
    print(json.dumps([loaded.about, hashes, sorted(ends)]))
"""


def _moments(name: str, count: int = MOMENTS, env: str = "pv64") -> tuple[DomainUnderTest, list[Any], list[str], str]:
    """A guest, moments of its run, the state hashes there, and the one at its end."""
    whole = DomainUnderTest(name, Options(env=env)).run()
    dom = DomainUnderTest(name, Options(env=env))
    saved, hashes = [], []
    for piece in range(count):
        dom.hv.run(max_insns=whole.instructions * piece // count)
        saved.append(dom.hv.snapshot())
        hashes.append(dom.state_hash)
    return dom, saved, hashes, whole.state_hash


def _good_pc(folder: Path) -> Path:
    """A file of moments in the middle of disk transfers and of changes of the screen's mode, with network cards."""
    guest = pc_tour.start(pc_tour.prepare(folder), much=True)
    saved = []
    for count in (1_100, 40_200, 57_800):
        guest.hv.run(max_insns=count)
        saved.append(guest.hv.snapshot())
    save(folder / "pc", guest.hv, saved, {})
    return folder / "pc"


def _good(path: Path, name: str = "smp", env: str = "pv64") -> Path:
    dom, saved, _, _ = _moments(name, 3, env)
    save(path, dom.hv, saved[1:], {})
    return path


def _looked_at(*paths: Path) -> list[Any]:
    """By another process, of each file: what it is about, the hashes of its moments, and those at the end of each."""
    command = [sys.executable, "-c", LOOK, *map(str, paths)]
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_another_process_loads_what_was_saved(tmp_path: Path) -> None:
    expected = {}
    for env, name in (*(("pv64", name) for name in GUESTS), *(("pvh64", name) for name in PVH_GUESTS)):
        dom, saved, hashes, end = _moments(name, env=env)
        path = tmp_path / name
        save(path, dom.hv, saved, {"name": name, "moments": len(saved)})
        expected[path] = [{"name": name, "moments": len(saved)}, hashes, [end]]
    for seen, (path, wanted) in zip(_looked_at(*expected), expected.items(), strict=True):
        assert seen == wanted, path.name


def test_domains_of_two_architectures_come_back_in_another_process(tmp_path: Path) -> None:
    hv = pairs.start("exchange", Plan("arm64", "pv64", quantum=777))[pairs.GIVER].hv
    saved, hashes = [], []
    for count in (5_000, 24_000, 30_000):
        hv.run(max_insns=count)
        saved.append(hv.snapshot())
        hashes.append(hv.state_hash)
    hv.run()
    save(tmp_path / "pair", hv, saved, {"name": "pair"})
    assert _looked_at(tmp_path / "pair") == [[{"name": "pair"}, hashes, [hv.state_hash]]]


def test_a_pc_comes_back_in_another_process(tmp_path: Path) -> None:
    """Its devices' states, what was written to its disks, and its screen, at places all over its run."""
    guest = pc_tour.start(pc_tour.prepare(tmp_path), much=True)
    saved, hashes, counts = [], [], range(0, 76_000, 3_000)
    for count in counts:
        guest.hv.run(max_insns=count)
        saved.append(guest.hv.snapshot())
        hashes.append(guest.hv.state_hash)
    guest.hv.run()
    save(tmp_path / "pc", guest.hv, saved, {"name": "pc"})
    assert _looked_at(tmp_path / "pc") == [[{"name": "pc"}, hashes, [guest.hv.state_hash]]]


def test_images_are_found_beside_the_file_and_others_are_refused(tmp_path: Path) -> None:
    path, moved = _good_pc(tmp_path), tmp_path / "moved"
    moved.mkdir()
    for name in ("pc", "disk.img", "cd.iso"):
        (tmp_path / name).rename(moved / name)
    path, disk = moved / "pc", moved / "disk.img"
    expected = load(path).hv.state_hash
    contents = disk.read_bytes()
    disk.write_bytes(b"x" + contents[1:])
    with pytest.raises(SnapshotFileError, match="is not the image that the guest had; remedy: put back") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    disk.unlink()
    with pytest.raises(SnapshotFileError, match="No such file.*; remedy: "):
        load(path)
    disk.write_bytes(contents)
    assert load(path).hv.state_hash == expected


IMPOSSIBLE_PC: dict[str, Callable[[Any, Any], None]] = {
    "no drive does that": lambda ide, state: ide[2][0][0].__setitem__(_drive_field("rest"), "0102"),
    "step is none of": lambda ide, state: ide[2][0][0].__setitem__(_drive_field("step"), "__init__"),
    "disk of another size": lambda ide, state: state["overlays"].append([7, None, []]) or ide[2][0].__setitem__(
        1, len(state["overlays"]) - 1
    ),
    "there is no drive": lambda ide, state: ide[2].__setitem__(3, ide[2][0]),
    "not the machine that it says": lambda ide, state: state["machines"][0].update(vcpus=2),
    "not the devices that it was made with": lambda ide, state: state["moments"][0]["domains"][0]["devices"].pop(),
    "more on its disks": lambda ide, state: [overlay.__setitem__(2, []) for overlay in state["overlays"]] and None,
    "devices are those of another version": lambda ide, state: state.update(devices="0"),
    "not of the type": lambda ide, state: state["moments"][0]["domains"][0].update(machine=None),
}


def _drive_field(name: str) -> int:
    return [field.name for field in dataclasses.fields(DiskState)].index(name)


@pytest.mark.parametrize("why", IMPOSSIBLE_PC)
def test_a_pc_that_cannot_be_is_refused(tmp_path: Path, why: str) -> None:
    path = _good_pc(tmp_path)

    def edit(about: Any, state: Any) -> None:
        devices = dict(state["moments"][0]["domains"][0]["devices"])
        IMPOSSIBLE_PC[why](devices["ide"], state)

    _rewrite(path, edit)
    with pytest.raises(SnapshotFileError, match=why) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_what_devices_write_to_is_not_the_guests_to_give_back(tmp_path: Path) -> None:
    guest = pc_tour.start(pc_tour.prepare(tmp_path))
    hv = guest.hv
    frames = lib.hv_hvm_domain(hv.native, guest.domain.c)
    page = lib.hv_pages(hv.native)[int(frames.video_frame)]
    page.ref_info &= ~lib.PGC_XEN_HEAP
    guest.domain.c.tot_pages += 1
    save(tmp_path / "pc", hv, [hv.snapshot()], {})
    with pytest.raises(SnapshotFileError, match="what its PC's devices use; "):
        load(tmp_path / "pc")


def _with_pv_devices(folder: Path, name: str) -> Guest:
    """A guest with the disk that its header comment asks for, in a file, and two interfaces."""
    contents = NumberedImage(256)
    (folder / "numbered.img").write_bytes(contents.read(0, contents.size))
    disks = (DiskOptions(str(folder / "numbered.img")),)
    nics = tuple(parse_nic(nic, ("none",)) for nic in ("user", "switch=lan"))
    return launch(build_guest(find_guest(name)), GuestConfig(memory_mib=16, disks=disks, nics=nics))


@pytest.mark.parametrize("name", ["blk_rw", "net_ping"])
def test_pv_devices_come_back(tmp_path: Path, name: str) -> None:
    """At places all over the run: before they are connected, in the middle, and behind."""
    whole = _with_pv_devices(tmp_path, name).hv
    whole.run()
    hv = _with_pv_devices(tmp_path, name).hv
    saved, hashes = [], []
    for piece in range(12):
        hv.run(max_insns=whole.instructions * piece // 12)
        saved.append(hv.snapshot())
        hashes.append(hv.state_hash)
    save(tmp_path / "f", hv, saved, {})
    loaded = load(tmp_path / "f")
    for snapshot, state in zip(loaded.snapshots, hashes, strict=True):
        loaded.hv.restore(snapshot)
        assert loaded.hv.state_hash == state
        loaded.hv.run()
        assert loaded.hv.state_hash == whole.state_hash
    links = [state[1] for s in saved for _, state in s.domains[0].services["backends"]]
    assert any(link is not None for link in links)


def test_a_disk_that_is_of_no_file_is_refused(tmp_path: Path) -> None:
    dom = DomainUnderTest("blk_rw")
    with pytest.raises(OSError, match="the disk numbered is of no image file"):
        save(tmp_path / "f", dom.hv, [dom.hv.snapshot()], {})
    assert list(tmp_path.iterdir()) == []


def test_a_transaction_under_way_comes_back(tmp_path: Path) -> None:
    whole = DomainUnderTest("xenstore").run()
    dom = DomainUnderTest("xenstore")
    store = dom.guest.store
    saved = []
    while dom.instructions < whole.instructions and len(saved) < 2:
        dom.hv.run(max_insns=dom.instructions + 100)
        transactions = list(store.daemon.store.state.connections[1].transactions.values())
        if transactions and (transactions[0].root is transactions[0].base) == (not saved):
            saved.append(dom.hv.snapshot())  # one just begun, and one that has written
    assert len(saved) == 2
    save(tmp_path / "f", dom.hv, saved, {})
    loaded = load(tmp_path / "f")
    for snapshot, was in zip(loaded.snapshots, saved, strict=True):
        state, old = snapshot.domains[0].services["xenstore"], was.domains[0].services["xenstore"]
        assert state.digest() == old.digest()
        (mine,), (theirs,) = state.connections[1].transactions.values(), old.connections[1].transactions.values()
        assert (mine.base is state.root) == (theirs.base is old.root)
        assert (mine.root is mine.base) == (theirs.root is theirs.base)
        loaded.hv.restore(snapshot)
        loaded.hv.run()
        assert loaded.hv.state_hash == whole.state_hash


def _table_calls(name: str, limit: int) -> list[int]:
    """The counts at which a guest makes page-table calls that may be interrupted after `limit` entries."""
    dom = DomainUnderTest(name)
    lib.hv_set_work_limit(dom.hv.native, limit)
    numbers = (abi.HYPERCALL_NUMBERS["mmu_update"], abi.HYPERCALL_NUMBERS["mmuext_op"])
    counts: set[int] = set()
    while dom.hv.run(max_insns=dom.instructions + 1000).stop is Stop.INSNS:
        counts |= {trap.when for trap in drain(dom.hv) if trap.kind == "hypercall" and trap.number in numbers}
    return sorted(counts)


def test_a_validation_that_was_interrupted_comes_back(tmp_path: Path) -> None:
    dom = DomainUnderTest("pt_pin")
    lib.hv_set_work_limit(dom.hv.native, 1)
    pages = ffi.buffer(lib.hv_pages(dom.hv.native), int(dom.hv.state.frames) * ffi.sizeof("struct page_info"))
    saved, hashes = [], []
    for count in _table_calls("pt_pin", 1):
        dom.hv.run(max_insns=count + 1)
        if any(byte & 0x10 for byte in bytes(pages)[3::16]):  # PGC_PARTIAL, in the last byte of ref_info
            saved.append(dom.hv.snapshot())
            hashes.append(dom.state_hash)
    assert saved, "nothing was interrupted"
    dom.run()
    save(tmp_path / "f", dom.hv, saved, {})
    loaded = load(tmp_path / "f")
    lib.hv_set_work_limit(loaded.hv.native, 1)
    for snapshot, state in zip(loaded.snapshots, hashes, strict=True):
        loaded.hv.restore(snapshot)
        assert loaded.hv.state_hash == state
        loaded.hv.run()
        assert loaded.hv.state_hash == dom.state_hash


def test_a_file_of_a_machine_that_a_domain_has_left(tmp_path: Path) -> None:
    """What it used of the arena is empty, whatever it did; else the file would be refused."""
    kernel = build_guest(find_guest("grant_self"))
    first = launch(kernel, GuestConfig(memory_mib=16, machine_mib=40))
    second = launch(kernel, GuestConfig(memory_mib=16, name="second"), beside=first)
    hv = first.hv
    while not second.domain.c.maptrack_used:
        assert hv.run(max_insns=hv.instructions + 50).stop is Stop.INSNS
    hv.snapshot()
    evtchn_fifo.init_control(hv.native, second.domain.c, 0, int(second.domain.c.start_info_frame), 0)
    evtchn_fifo.set_priority(hv.native, second.domain.c, 60, 3)  # a port that was never allocated
    second.destroy()
    save(tmp_path / "f", hv, [hv.snapshot()], {})
    loaded = load(tmp_path / "f").hv
    assert loaded.state_hash == hv.state_hash
    hv.run()
    loaded.run()
    assert loaded.state_hash == hv.state_hash


def test_pages_are_stored_once(tmp_path: Path) -> None:
    dom, saved, _, _ = _moments("timer", 2)
    save(tmp_path / "one", dom.hv, saved[1:], {})
    save(tmp_path / "many", dom.hv, [saved[1], dom.hv.snapshot(), dom.hv.snapshot()], {})
    pages = info(tmp_path / "many")["pages"]
    assert pages[0] == info(tmp_path / "one")["pages"][0] > 50
    assert pages[1:] == [0, 0]


def test_two_domains_in_one_file(tmp_path: Path) -> None:
    kernel = build_guest(find_guest("xenstore"))
    first = launch(kernel, GuestConfig(memory_mib=16, machine_mib=40))
    launch(kernel, GuestConfig(memory_mib=16, name="second"), beside=first)
    hv = first.hv
    hv.run(max_insns=10_000)
    save(tmp_path / "f", hv, [hv.snapshot()], {})
    loaded = load(tmp_path / "f").hv
    assert loaded.state_hash == hv.state_hash
    assert [domain.name for domain in loaded.domains.values()] == ["guest", "second"]
    hv.run()
    loaded.run()
    assert loaded.state_hash == hv.state_hash


def test_why_a_domain_crashed_and_what_was_counted_come_back(tmp_path: Path) -> None:
    dom = DomainUnderTest("crash_user").run()
    save(tmp_path / "f", dom.hv, [dom.hv.snapshot()], {})
    loaded = load(tmp_path / "f").hv
    (domain,) = loaded.domains.values()
    assert "no user page table" in domain.crash_reason
    assert loaded.last_slot == dom.hv.last_slot
    again = DomainUnderTest("crash_user")
    again.hv, again.domain = loaded, domain
    assert (again.traps, again.hypercalls) == (dom.traps, dom.hypercalls)


def test_what_is_saved_is_one_run_in_order(tmp_path: Path) -> None:
    dom, saved, _, _ = _moments("console_ring", 3)
    for wrong, why in (([], "one moment"), (saved[::-1], "order of time")):
        with pytest.raises(ValueError, match=why):
            save(tmp_path / "f", dom.hv, wrong, {})
    dom.type("x")
    typed = dom.hv.snapshot()
    dom.hv.restore(saved[2])
    dom.hv.run(max_insns=dom.instructions + 10)
    with pytest.raises(ValueError, match="not of one run"):
        save(tmp_path / "f", dom.hv, [typed, dom.hv.snapshot()], {})
    assert list(tmp_path.iterdir()) == []


# ---- files that are none ----


def _refused(path: Path, why: str) -> None:
    for read in (load, info):
        with pytest.raises(SnapshotFileError, match=why) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")
        assert "; remedy: " in str(caught.value)


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    """By root, /dev/null would be."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is no regular file"):
        container.write(pipe, KIND, {b"ABOU": [b"{}"]})
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    good = _good(tmp_path / "good").read_bytes()
    cases = {
        b"": "is not a snapshot file", b"\x7fELF" * 100: "is not a snapshot file",
        good[:8] + b"\x03" + good[9:]: "of version 3, and only 2", good[:-1]: "checksum", good + b"\0": "checksum",
        good[:40]: "checksum", good[:200] + b"\0" + good[201:]: "checksum", good[:12] + b"\xff" * 4: "checksum",
    }  # fmt: skip
    for content, why in cases.items():
        (tmp_path / "f").write_bytes(content)
        _refused(tmp_path / "f", why)
    _refused(tmp_path / "missing", "cannot be read")
    _refused(tmp_path, "cannot be read")


def _rewrite(path: Path, edit: Callable[[Any, Any], None]) -> None:
    """Change the plain data of a file (`about`, `state`), and make the file whole again."""
    with container.Reader(path, KIND) as reader:
        about, state = reader.json(b"ABOU"), reader.json(b"STAT")
        pages = reader.pieces(b"PAGE", 1 << 30)(reader.size(b"PAGE"))
        rest = {name: [reader.pieces(name, 1 << 30)(reader.size(name))] for name in (b"BLOB", b"DISK")}
    edit(about, state)
    parts = {b"ABOU": container.dump(about), b"STAT": container.dump(state), **rest, b"PAGE": [pages]}
    container.write(path, KIND, parts)


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = _good(tmp_path / "f")
    with container.Reader(path, KIND) as reader:
        about, state = reader.json(b"ABOU"), reader.json(b"STAT")
    zeros = [bytes(1 << 20)] * 256
    text, data = container.dump(about), container.dump(state)
    rest = {b"BLOB": [b""], b"DISK": [b""]}
    container.write(path, KIND, {b"ABOU": text, b"STAT": zeros, **rest, b"PAGE": [b""]})
    assert path.stat().st_size < 50_000
    with pytest.raises(SnapshotFileError, match="would unpack to 268,435,456 bytes"):
        load(path)
    container.write(path, KIND, {b"ABOU": container.dump(about), b"STAT": data, **rest, b"PAGE": zeros})
    with pytest.raises(SnapshotFileError, match="not the pages that it says"):
        load(path)


def _cpu(state: Any) -> Any:
    return state["moments"][0]["cpus"][0][2]


ES, CS, SS = 0, 1, 2
IMPOSSIBLE: dict[str, Callable[[Any, Any], None]] = {
    "laid out as another": lambda about, state: about.update(layout="0" * 64),
    "more than the host has": lambda about, state: about.update(memory_mib=1 << 20),
    "pages are more": lambda about, state: about.update(pages=[1 << 40, 0]),
    "no such scheduler": lambda about, state: about.update(scheduler="fair"),
    "does not exist, or comes twice": lambda about, state: about.update(memory_mib=1),
    "not the pages that it says": lambda about, state: about["pages"].reverse() or about["pages"].pop(),
    "count is not that": lambda about, state: state["moments"][0].update(instructions=1),
    "no order": lambda about, state: state["moments"][0].update(instructions=1 << 40),
    "it comes twice": lambda about, state: state["moments"][0]["cpus"][1].__setitem__(0, 0),
    "rflags cannot be": lambda about, state: _cpu(state).update(rflags=0x3202),
    "cr0 cannot be": lambda about, state: _cpu(state).update(cr0=0x10),
    "efer cannot be": lambda about, state: _cpu(state).update(efer=0),
    "cr3 cannot be": lambda about, state: _cpu(state).update(cr3=1 << 40),
    "not those of its state": lambda about, state: _cpu(state).update(cr3=4096),
    "cs cannot be": lambda about, state: _cpu(state)["segments"][CS].update(attributes=0xA09B00),
    "ss cannot be": lambda about, state: _cpu(state)["segments"][SS].update(attributes=0xC09300),
    "es cannot be": lambda about, state: _cpu(state)["segments"][ES].update(base=1 << 40),
    "idt_base cannot be": lambda about, state: _cpu(state).update(idt_base=4096),
    "has not the fields gprs": lambda about, state: _cpu(state).pop("gprs"),
    "gprs.rax is no number": lambda about, state: _cpu(state)["gprs"].update(rax=1 << 64),
    "no PV guest|x87 are no bytes": lambda about, state: _cpu(state).update(x87="00"),
    "not those of the arena": lambda about, state: state["moments"][0].update(domains=[]),
    "1 is not that of the arena": lambda about, state: state["moments"][0]["domains"][0].update(vcpus=[0]),
    "not connected with the store": lambda about, state: state["moments"][0]["domains"][0].update(domid=9),
    "rings of its console": lambda about, state: state["moments"][0]["domains"][0].update(console=None),
    "an input comes before": lambda about, state: state.update(
        inputs=[[5, 0, "count", 1, "console", ""], [4, 0, "count", 1, "console", ""]]
    ),
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_a_state_that_cannot_be_is_refused(tmp_path: Path, why: str) -> None:
    path = _good(tmp_path / "f")
    _rewrite(path, IMPOSSIBLE[why])
    with pytest.raises(SnapshotFileError, match=why) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused_or_sound(tmp_path: Path) -> None:
    """In a process of its own: a crash of the host would be its end, with a report of where."""
    names = ("smp", "grant_self", "xenstore", "evtchn_fifo", "pt_writable")
    paths = [str(_good(tmp_path / name, name)) for name in names]
    paths += [str(_good(tmp_path / name, name, "pvh64")) for name in ("hvm_smp", "physmap", "lapic_timer")]
    paths += [str(_good(tmp_path / f"{name} {env}", name, env)) for env, name in ARM_GUESTS]
    paths.append(str(_good_pc(tmp_path)))
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.debug.damage", "1", str(DAMAGES), *paths]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    assert sum(results.values()) == DAMAGES
    assert results[": is damaged: its checksum is wrong"] > DAMAGES * 0.4
    assert len(results) > 20, "what lies behind the checksum is hardly tried"
    assert 0 < results["loaded"] < DAMAGES * 0.3


# ---- xenstore ----


def _chain(depth: int) -> Node:
    node = Node(b"", (Permission(Access.NONE, 0),), 1)
    for _ in range(depth):
        node = Node(b"", (Permission(Access.NONE, 0),), 1, {"x": node})
    return node


def test_nodes_nest_deeper_than_pythons_stack() -> None:
    table = Nodes()
    number = table.add(_chain(1500))
    nodes = nodes_from(json.loads(json.dumps(table.plain)))
    assert nodes[number].digest() == _chain(1500).digest()


def test_a_tree_that_only_looks_small_is_refused() -> None:
    """Each node has two children that are the same node: a thousand nodes that stand for 2**1000."""
    plain: list[Any] = [["", "n0", 1, {}]]
    plain += [["", "n0", 1, {"a": number, "b": number}] for number in range(60)]
    with pytest.raises(FieldError, match="more below it"):
        nodes_from(plain)
    assert len(nodes_from(plain[:15])) == 15
    assert MAX_NODES == 1 << 20


@pytest.mark.parametrize(
    "edit",
    [
        {"connections": []},
        {"root": 5},
        {"generation": -1},
        {"watches": [["/a//b", "", False]]},
        {"watches": [["/a", "zz", False]]},
        {"sent": 1},
        {"outgoing": ["00"]},
        {"error": 4},
        {"received": "00" * 6000},
        {"transactions": [[0, {"base": 0, "root": 0, "accessed": [], "changes": []}]]},
        {"transactions": [[1, {"base": 0, "root": 3, "accessed": ["/x/x"], "changes": []}]]},
    ],
)
def test_a_store_that_cannot_be_is_refused(edit: dict[str, Any]) -> None:
    table = Nodes()
    plain = store_plain(StoreState(_chain(0), 1, {0: Connection(0), 1: Connection(1)}), table)
    table.add(_chain(2))
    nodes = nodes_from(table.plain)
    assert store_from(json.loads(json.dumps(plain)), nodes).generation == 1
    target = plain if edit.keys() <= plain.keys() else plain["connections"][1]
    target.update(edit)
    with pytest.raises(FieldError):
        store_from(plain, nodes)
