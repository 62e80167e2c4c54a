"""One run of a guest with its terminal, and what watches it: from launch, or from where a guest stands, to the end."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from hv.cli.terminal import Terminal
from hv.hypervisor import DEFAULT_QUANTUM, Stop
from hv.toolstack.attachments import shortest
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.toolstack.restart import CRASH, EXIT, RESTART

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType

    from hv.builder.image import KernelImage
    from hv.cli.attached import Attached
    from hv.debug.coverage import Coverage
    from hv.debug.crash import Crash
    from hv.debug.trace import Tracer, Trap, Writer
    from hv.hypervisor import Hypervisor
    from hv.toolstack.connect import Console
    from hv.vcpu import Vcpu

_ATTACHED = ("nic", "usb", "vnc", "vnc_password", "serial", "pcap", "vga", "boot", "firmware", "xen_platform")
"""Options that hv.cli.attached looks at."""
_IDLE_WAIT = 0.25  # seconds between two looks at the wall clock while waiting for keys


class Keeper(Protocol):
    """Keeps something of a run (hv.cli.keeping). `due`: the count at which it wants to be called, exactly."""

    due: int

    def reached(self) -> None:
        """The run stands at `due`."""

    def close(self, command: str, stop: str | None) -> None:
        """The run is over; `stop` says why, None: not in any orderly way."""


def config_of(options: Any) -> GuestConfig:
    """The guest that GUEST_OPTIONS (hv.cli.options) ask for."""
    return GuestConfig(
        memory_mib=options.memory,
        vcpus=options.vcpus,
        cmdline=options.cmdline,
        ramdisk=options.ramdisk,
        quantum=options.quantum or DEFAULT_QUANTUM,
        seed=options.seed,
        scheduler=options.scheduler,
        wallclock_ns=time.time_ns() if getattr(options, "realtime", False) else None,
        kind=options.type,
        paging=options.paging,
        forced_emulation=getattr(options, "fep", None) or False,
        machine=getattr(options, "machine", None) or (),
        disks=(*(getattr(options, "disk", None) or ()), *(getattr(options, "cdrom", None) or ())),
        firmware=getattr(options, "firmware", None),
        boot=getattr(options, "boot", None) or "",
        nics=tuple(getattr(options, "nic", None) or ()),
        usb=getattr(options, "usb", None) or (),
        vga=getattr(options, "vga", None) != "none",
        xen_platform=getattr(options, "xen_platform", None) != "off",
        serial_console=_serial(options) == "stdio",
        on_reboot=getattr(options, "on_reboot", None) or EXIT,
        on_crash=RESTART if getattr(options, "on_crash", None) == RESTART else EXIT,
        triple_fault=getattr(options, "triple_fault", None) or CRASH,
    )


def _serial(options: Any) -> str:
    """Where the first serial port leads."""
    serial = getattr(options, "serial", None)
    return "stdio" if serial is None else str(serial.kind)


def wants_attached(options: Any) -> bool:
    """Whether a new guest has anything beside its terminal; most have not, and import nothing for it."""
    return any(getattr(options, name, None) not in (None, []) for name in _ATTACHED)


class Session:
    """A guest with a terminal. A context manager: the terminal is raw inside.

    hv: a hypervisor to go on with, whose first domain gets the terminal, and `image` its kernel as far as it is known;
    None: launch what the options name. Raises BuilderError when that cannot be launched.
    """

    def __init__(self, options: Any, hv: Hypervisor | None = None, image: KernelImage | None = None) -> None:
        self.options = options
        self.config: GuestConfig | None = None
        self._guest: Guest | None = None
        if hv is None:
            self.config = config_of(options)
            self._guest = launch(options.kernel, self.config)
            hv = self._guest.hv
        self.hv = hv
        self._image = image
        self._begun_at = hv.instructions if self.config is None else -1
        self.saved_crash: Crash | None = None
        """What the file that the guest comes from says of its crash."""
        self.domain = hv.domains[min(hv.domains)]
        self.console = cast("Console", self.domain.services["console"])
        self.terminal = Terminal()
        self.console.sink = self.terminal.write
        self.keepers: list[Keeper] = []
        self._interrupted = self._waiting = False
        self._restarts = self.domain.restarts
        self._handlers: dict[int, Any] = {}
        self.tracer: Tracer | None = None
        self._coverage: Coverage | None = None
        if getattr(options, "coverage", None) or getattr(options, "drcov", None):
            from hv.debug.coverage import Coverage

            self._coverage = Coverage(self.hv)
        if options.realtime:
            self.hv.idle = self._idle
        self._attached: Attached | None = None
        if self.config is not None and wants_attached(options):
            from hv.cli.attached import Attached

            self._attached = Attached(options, self.config, self.domain)

    def trace(self, writers: Sequence[Writer], *, live: bool) -> None:
        """Trace the run for these writers; they are closed when it ends. `live`: they write while it runs."""
        from hv.debug.trace import Tracer

        self.tracer = Tracer(self.hv, writers, live=live)
        self.hv.after_exit = self.tracer.flush

    def __enter__(self) -> Session:
        self.terminal.__enter__()
        if self.keepers:
            import signal

            self._handlers = {n: signal.signal(n, self._interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminal.__exit__(kind, value, trace)
        if self._attached is not None:
            self._attached.close()
        if self.tracer is not None:
            self.tracer.close()
        if self._handlers:
            import signal

            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        if kind is not None:
            self.close_keepers("run", None)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """A signal: what is kept wants an orderly end, between two slices. The second one is not waited for."""
        if self._waiting or self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def run(self) -> str:
        """Run to the end. Why it ended: a hv.hypervisor.Stop value, "left" when the user typed Ctrl-], or
        "interrupted" by a signal."""
        options = self.options
        wall_end = None if options.wall_timeout is None else time.monotonic() + options.wall_timeout
        while True:
            limits = [keeper.due for keeper in self.keepers]
            if options.max_insns is not None:
                limits.append(options.max_insns)
            result = self.hv.run(
                max_insns=min(limits, default=None),
                until_ns=None if options.timeout is None else int(options.timeout * 1e9),
                wall_seconds=None if wall_end is None else max(wall_end - time.monotonic(), 0),
                poll=self.poll,
            )
            called = self._call_keepers(result.instructions) and result.stop is Stop.INSNS
            if called and (options.max_insns is None or result.instructions < options.max_insns):
                continue
            if self.terminal.left:
                return "left"
            if self._interrupted:
                return "interrupted"
            if result.stop is not Stop.PAUSED:
                return str(result.stop.value)
            if self.terminal.ended and not (self._attached is not None and self._attached.awaits):
                return Stop.IDLE.value
            # everything waits and no timer runs: only what comes from outside can go on
            start = time.monotonic_ns()
            typed = self._wait(_IDLE_WAIT)
            if options.realtime:
                self.hv.inputs.wait(time.monotonic_ns() - start)
            self._take(typed)

    def _call_keepers(self, count: int) -> bool:
        """Call those whose count has come; whether there was one."""
        due = [keeper for keeper in self.keepers if count >= keeper.due]
        for keeper in due:
            keeper.reached()
        return bool(due)

    @property
    def source(self) -> int | None:
        """The file that keys come from; None: there will be no more."""
        return None if self.terminal.ended or self.terminal.left else self.terminal.source

    def poll(self) -> bool:
        """Let enter what was typed; whether the user wants to leave."""
        if self.tracer is not None:
            self.tracer.flush()
        if self._restarts < self.domain.restarts:
            self._restarts = self.domain.restarts
            sys.stderr.write(f"hv: the guest has ended and begins anew (restart {self._restarts})\n")
        self._take(self.terminal.poll())
        if self._attached is not None:
            self._attached.poll()
        return self.terminal.left or self._interrupted

    def _wait(self, seconds: float) -> bytes:
        """Wait for keys, for what is attached, or for a signal."""
        self._waiting = bool(self._handlers)
        attached = [] if self._attached is None else self._attached.all
        seconds = shortest(attached, seconds)
        try:
            if self.terminal.wait(seconds, [file for one in attached for file in one.files()]):
                return self.terminal.poll()
        except KeyboardInterrupt:
            if not self._handlers:
                raise
            self._interrupted = True
        finally:
            self._waiting = False
        return b""

    def _take(self, data: bytes) -> None:
        if data:
            self.console.feed(data)

    def _idle(self, ns: int) -> int:
        """--realtime: wait for `ns` to pass on the wall, or for a key; how many have passed."""
        start = time.monotonic_ns()
        self._take(self._wait(0 if self._interrupted else ns / 1e9))
        return min(time.monotonic_ns() - start, ns)

    @property
    def image(self) -> KernelImage | None:
        """The guest's kernel, as far as it is known."""
        return self._image if self._guest is None else self._guest.image

    # ---- afterwards ----

    @property
    def lost(self) -> int:
        """Records that the trace has lost."""
        return 0 if self.tracer is None else self.tracer.lost

    def write_coverage(self) -> None:
        """Write the files of --coverage and --drcov, and say what of them is missing."""
        if self._coverage is None or self.image is None:
            return
        if self.options.coverage:
            from hv.debug.symbols import Symbols

            symbols = Symbols(self.image)
            self._coverage.write_lcov(self.options.coverage, symbols)
            sys.stderr.writelines(f"hv: {warning}\n" for warning in symbols.warnings)
            if not symbols.lines.rows:
                sys.stderr.write(f"hv: --coverage: {self.image.name} has no source lines; build it with -g\n")
        if self.options.drcov:
            self._coverage.write_drcov(self.options.drcov, self.image)
        if self._coverage.dropped:
            sys.stderr.write(f"hv: --coverage: {self._coverage.dropped:,} blocks did not fit and are missing\n")

    def close_keepers(self, command: str, stop: str | None) -> None:
        """Write what was kept."""
        for keeper in self.keepers:
            keeper.close(command, stop)
        self.keepers = []

    def crashed_vcpu(self) -> Vcpu:
        """The vcpu that ran last: the one that crashed, in a domain that did."""
        slot = self.hv.last_slot
        return next((vcpu for vcpu in self.domain.vcpus if vcpu.slot == slot), self.domain.vcpus[0])

    def crash_report(self) -> str:
        """The report for stderr."""
        from hv.cli.report import crash_report
        from hv.debug.symbols import Symbols

        crash = self.crash
        assert crash is not None
        traps = crash.traps if crash.traps or self._begun_at < crash.when else None
        return crash_report(self.domain, self.crashed_vcpu(), crash.reason, traps, Symbols(self.image))

    @cached_property
    def crash(self) -> Crash | None:
        """Why the guest has crashed, and the last traps before; those of the file where it had crashed already."""
        from hv.debug.crash import crash_of
        from hv.debug.filters import TRAPS
        from hv.debug.trace import drain

        traps: list[Trap] = self.tracer.last if self.tracer is not None else drain(self.hv)
        found = crash_of(self.hv, [trap for trap in traps if trap.kind in TRAPS.kinds])
        saved = self.saved_crash
        return saved if found and saved and not found.traps and saved.when == found.when else found

    def refusals(self) -> str:
        """The refused hypercalls with their rules: the first of each kind, and how many more there were."""
        more: dict[tuple[int, int, str], int] = {}
        first = []
        for refusal in self.hv.refusals.collect():
            kind = (refusal.hypercall, refusal.args[0] & 0xFFFF, refusal.error.rule)
            if kind not in more:
                first.append((kind, str(refusal)))
            more[kind] = more.get(kind, -1) + 1
        lines = [text + (f" (and {more[kind]:,} more of the kind)" if more[kind] else "") for kind, text in first]
        return "".join(f"{line}\n" for line in lines) or "hv run: no hypercall was refused\n"
