"""Recordings: a run is repeated from them to the same state, or the place of the first difference is named."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from hv.debug import recording as recordings
from hv.debug.crash_file import MEMORY, MOST, write_crash
from hv.debug.moments import Moments
from hv.debug.recording import FileFacts, Recorder, Recording, RecordingError, read, write
from hv.debug.replay import Difference, Replay
from hv.debug.snapshot_file import load
from hv.hypervisor import Stop
from hv.inputs import WAIT, Input, Moment, ReplayError
from hv.testing.build import build_guest, find_guest
from hv.toolstack.connect import Console
from hv.toolstack.launch import Guest, GuestConfig, launch

CONFIG = GuestConfig(memory_mib=16, vcpus=4)


def _start(name: str, config: GuestConfig = CONFIG) -> tuple[Guest, Recorder]:
    kernel = build_guest(find_guest(name))
    guest = launch(kernel, config)
    return guest, Recorder(guest.hv, config, kernel)


def _written(recorder: Recorder, stop: str, path: Path) -> Recording:
    recorder.write(path, stop)
    found = read(path)
    assert found == recorder.recording(stop)
    return found


def _typed(path: Path) -> tuple[Guest, Recording]:
    """A run into which keys were typed, in its middle and when it waited for them."""
    guest, recorder = _start("console_ring")
    guest.hv.run(max_insns=500)
    guest.console.feed(b"on")
    guest.hv.run()
    guest.console.feed(b"e two\n")
    stop = guest.hv.run().stop
    return guest, _written(recorder, stop.value, path)


def test_a_recorded_run_is_repeated(tmp_path: Path) -> None:
    first, recording = _typed(tmp_path / "f")
    again = Replay(recording)
    again.run()
    assert again.guest.hv.state_hash == first.hv.state_hash
    assert again.guest.console.text() == first.console.text()
    assert recording.inputs == list(again.guest.hv.inputs)
    part = Replay(recording)
    part.run(to=501)
    assert [entry.data for entry in part.guest.hv.inputs] == [b"on"]
    assert part.guest.hv.instructions == 501


@pytest.mark.parametrize("name", ["smp", "timer", "xenstore", "evtchn_poll", "crash_user"])
def test_every_end_is_an_end_of_the_replay(name: str, tmp_path: Path) -> None:
    """By instructions, by guest time (in the middle of idle time too), and by itself."""
    whole, _ = _start(name)
    whole.hv.run()
    for until in ({}, {"max_insns": whole.hv.instructions // 2}, {"until_ns": whole.hv.now_ns * 2 // 3}):
        guest, recorder = _start(name)
        stop = guest.hv.run(**until).stop  # type: ignore[arg-type]
        recording = _written(recorder, stop.value, tmp_path / "f")
        Replay(recording).run()


def test_waits_on_the_wall_are_inputs(tmp_path: Path) -> None:
    """As with --realtime: some waits end early by a key, some take less than they should; and a key after one."""
    guest, recorder = _start("console_ring")
    waits = random.Random(1)
    timer, timed = _start("timer")
    for one, recording_of in ((guest, recorder), (timer, timed)):

        def idle(ns: int, one: Guest = one) -> int:
            if waits.random() < 0.3:
                one.console.feed(b"k")
            return waits.randrange(1, ns + 1)

        one.hv.idle = idle
        one.hv.run()
        one.hv.inputs.wait(250_000_000)  # the session waits for a key when nothing else can go on
        one.console.feed(b"one two\n")
        one.hv.run()
        recording = _written(recording_of, "idle", tmp_path / "f")
        assert any(entry.service == WAIT for entry in recording.inputs)
        replay = Replay(recording)
        replay.run()
        assert replay.guest.hv.state_hash == one.hv.state_hash


def test_a_key_behind_many_waits_enters_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice can end just behind idle time, and a key enter there."""
    import hv.hypervisor

    monkeypatch.setattr(hv.hypervisor, "MAX_SKIPS", 1)
    guest, recorder = _start("timer")
    guest.hv.idle = lambda ns: max(ns // 3, 1)
    keys = 0

    def poll() -> bool:
        nonlocal keys
        if guest.hv.inputs.moment is Moment.SKIPPED:
            guest.console.feed(b"k")
            keys += 1
        return False

    guest.hv.run(poll=poll)
    assert keys > 3
    recording = _written(recorder, "shutdown", tmp_path / "f")
    Replay(recording).run()


# ---- differences ----


def test_where_a_run_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "FIRST_GAP", 1000)
    monkeypatch.setattr(recordings, "MAX_HASHES", 8)
    guest, recorder = _start("smp")
    while guest.hv.run(max_insns=recorder.due).stop is Stop.INSNS:
        recorder.reached()
    recording = _written(recorder, "shutdown", tmp_path / "f")
    assert [count for count, _ in recording.hashes] == [8000, 16000, 24000, 32000]
    Replay(recording).run()
    other = recording.hashes.copy()
    other[1] = (16000, "0" * 64)
    cases: list[tuple[Recording, str]] = [
        (recording._replace(hashes=other), "at instruction 16,000 or before, and not yet at 8,000"),
        (recording._replace(config=recording.config._replace(cmdline="x")), "8,000 or before, and not yet at 0"),
        (recording._replace(config=recording.config._replace(seed=3)), "not yet at"),
        (recording._replace(inputs=[Input(100, 0, Moment.IDLE, 1, "console", b"x")]), "at instruction 100: input"),
        (recording._replace(inputs=[Input(1 << 40, 0, Moment.IDLE, 1, "console", b"x")]), "was not taken"),
        (recording._replace(inputs=[Input(100, 0, Moment.COUNT, 1, "disk", b"x")]), "there is none"),
    ]
    assert recording.end is not None
    cases.append((recording._replace(end=recording.end._replace(idle_ns=7)), "and not yet at 32,000"))
    for changed, why in cases:
        with pytest.raises(Difference, match=why):
            Replay(changed).run()


def test_a_changed_kernel_is_refused(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(build_guest(find_guest("hello")).read_bytes())
    ramdisk = tmp_path / "ramdisk"
    ramdisk.write_bytes(b"some data")
    config = GuestConfig(memory_mib=16, ramdisk=ramdisk)
    guest = launch(kernel, config)
    recorder = Recorder(guest.hv, config, kernel)
    guest.hv.run()
    recorder.write(tmp_path / "f", "shutdown")
    recording = read(tmp_path / "f")
    Replay(recording).run()
    for path, what in ((ramdisk, "ramdisk"), (kernel, "kernel")):
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        with pytest.raises(RecordingError, match=f"^{path}: the {what} is not the one that was recorded; remedy: "):
            Replay(recording)
        path.write_bytes(content)
    for path in ("/dev/zero", str(tmp_path)):
        with pytest.raises(RecordingError, match="no regular file"):
            Replay(recording._replace(kernel=FileFacts(path, "0" * 64)))
    kernel.unlink()
    with pytest.raises(RecordingError, match="cannot be read"):
        Replay(recording)


def test_damaged_recordings_are_refused(tmp_path: Path) -> None:
    _, recording = _typed(tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    path = tmp_path / "f"
    rng = random.Random(5)
    for _ in range(300):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with pytest.raises(RecordingError, match="; remedy: record the run again") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    write(path, recording)
    assert path.read_bytes() == good
    broken: list[Any] = [
        recording._replace(stop="tired"), recording._replace(kernel=FileFacts("a\0b", "0" * 64)),
        recording._replace(kernel=FileFacts("a", "0")), recording._replace(hashes=[(5, "0" * 64), (4, "0" * 64)]),
        recording._replace(config=recording.config._replace(memory_mib=0)),
        recording._replace(config=recording.config._replace(vcpus=65)),
        recording._replace(config=recording.config._replace(scheduler="none")),
        recording._replace(config=recording.config._replace(quantum=-1)),
        recording._replace(config=recording.config._replace(cmdline="\ud800")),
        recording._replace(inputs=[Input(0, 0, Moment.IDLE, 0, WAIT, b"-5")]),
        recording._replace(inputs=[Input(-1, 0, Moment.IDLE, 0, WAIT, b"5")]),
    ]  # fmt: skip
    for changed in broken:
        write(path, changed)
        with pytest.raises(RecordingError, match="is damaged"):
            read(path)


# ---- moments up to a crash ----


def test_moments_of_a_run_stay_within_their_memory() -> None:
    guest, _ = _start("timer")
    moments = Moments(guest.hv, gap=100, memory=2 << 20)
    start = moments.snapshots[0]
    while guest.hv.run(max_insns=moments.due).stop is Stop.INSNS:
        moments.reached()
        assert moments.snapshots[-1].held <= 2 << 20 or len(moments.snapshots) == 2
    assert moments.snapshots[0] is start
    assert len(moments.snapshots) > 3
    counts = [snapshot.retired for snapshot in moments.snapshots]
    assert counts == sorted(counts)


def test_a_crash_can_be_looked_back_from(tmp_path: Path) -> None:
    guest, _ = _start("crash_double")
    moments = Moments(guest.hv, gap=1000, memory=MEMORY, most=MOST)
    while guest.hv.run(max_insns=moments.due).stop is Stop.INSNS:
        moments.reached()
    write_crash(tmp_path / "f", guest.hv, moments.snapshots, {})
    loaded = load(tmp_path / "f")
    assert len(loaded.snapshots) == len(moments.snapshots) + 1 > 3
    assert loaded.hv.state_hash == guest.hv.state_hash
    for snapshot in loaded.snapshots:
        loaded.hv.restore(snapshot)
        loaded.hv.run()
        assert loaded.hv.state_hash == guest.hv.state_hash


def test_output_is_shown_once(tmp_path: Path) -> None:
    """A replay gives its sink what the guest prints, as it comes."""
    first, recording = _typed(tmp_path / "f")
    shown = bytearray()
    again = Replay(recording, shown.extend)
    again.run()
    console = again.guest.domain.services["console"]
    assert isinstance(console, Console)
    assert shown.decode() == first.console.text()


@pytest.mark.parametrize(
    ("domid", "service", "data", "why"),
    [(1, "xenstore", b"x", "takes no input"), (0, WAIT, b"9" * 18, "no machine comes as far as")],
)
def test_inputs_that_nothing_can_take_are_a_difference(domid: int, service: str, data: bytes, why: str) -> None:
    """Each of them is one that a recording may hold."""
    guest, _ = _start("tour")
    guest.hv.inputs.replay([Input(1000, 0, Moment.COUNT, domid, service, data)] * 20)
    with pytest.raises(ReplayError, match=why):
        guest.hv.run(max_insns=2000)
