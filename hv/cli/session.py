"""One run of a guest with its terminal, and what watches it, from launch to the end: of `hv run`, `trace` and `why`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from hv.cli.terminal import Terminal
from hv.hypervisor import DEFAULT_QUANTUM, Stop
from hv.native import ffi, lib
from hv.toolstack.launch import GuestConfig, launch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from hv.debug.coverage import Coverage
    from hv.debug.trace import Tracer, Trap, Writer
    from hv.vcpu import Vcpu

_IDLE_WAIT = 0.25  # seconds between two looks at the wall clock while waiting for keys


class Session:
    """A guest with a terminal. A context manager: the terminal is raw inside.

    Raises BuilderError when the guest cannot be launched.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        config = GuestConfig(
            memory_mib=options.memory,
            vcpus=options.vcpus,
            cmdline=options.cmdline,
            ramdisk=options.ramdisk,
            quantum=options.quantum or DEFAULT_QUANTUM,
            seed=options.seed,
            scheduler=options.scheduler,
            wallclock_ns=time.time_ns() if options.realtime else None,
        )
        self.guest = launch(options.kernel, config)
        self.hv = self.guest.hv
        self.domain = self.guest.domain
        self.terminal = Terminal()
        self.guest.console.sink = self.terminal.write
        self.tracer: Tracer | None = None
        self._coverage: Coverage | None = None
        if getattr(options, "coverage", None) or getattr(options, "drcov", None):
            from hv.debug.coverage import Coverage

            self._coverage = Coverage(self.hv)
        if options.realtime:
            self.hv.idle = self._idle

    def trace(self, writers: Sequence[Writer], *, live: bool) -> None:
        """Trace the run for these writers; they are closed when it ends. `live`: they write while it runs."""
        from hv.debug.trace import Tracer

        self.tracer = Tracer(self.hv, writers, live=live)
        self.hv.after_exit = self.tracer.flush

    def __enter__(self) -> Session:
        self.terminal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminal.__exit__(kind, value, trace)
        if self.tracer is not None:
            self.tracer.close()

    def run(self) -> str:
        """Run to the end. Why it ended: a hv.hypervisor.Stop value, or "left" when the user typed Ctrl-]."""
        options = self.options
        wall_end = None if options.wall_timeout is None else time.monotonic() + options.wall_timeout
        while True:
            result = self.hv.run(
                max_insns=options.max_insns,
                until_ns=None if options.timeout is None else int(options.timeout * 1e9),
                wall_seconds=None if wall_end is None else max(wall_end - time.monotonic(), 0),
                poll=self.poll,
            )
            if self.terminal.left:
                return "left"
            if result.stop is not Stop.PAUSED:
                return str(result.stop.value)
            if self.terminal.ended:
                return Stop.IDLE.value
            # everything waits and no timer runs: only a key can go on
            start = time.monotonic_ns()
            self._take(self.terminal.poll(_IDLE_WAIT))
            if options.realtime:
                self.hv.state.idle_ns += time.monotonic_ns() - start

    @property
    def source(self) -> int | None:
        """The file that keys come from; None: there will be no more."""
        return None if self.terminal.ended or self.terminal.left else self.terminal.source

    def poll(self) -> bool:
        """Let enter what was typed; whether the user wants to leave."""
        if self.tracer is not None:
            self.tracer.flush()
        self._take(self.terminal.poll())
        return self.terminal.left

    def _take(self, data: bytes) -> None:
        if data:
            self.guest.console.feed(data)

    def _idle(self, ns: int) -> int:
        """--realtime: wait for `ns` to pass on the wall, or for a key; how many have passed."""
        start = time.monotonic_ns()
        if self.terminal.ended or self.terminal.left:
            time.sleep(ns / 1e9)
        else:
            self._take(self.terminal.poll(ns / 1e9))
        return min(time.monotonic_ns() - start, ns)

    # ---- afterwards ----

    @property
    def lost(self) -> int:
        """Records that the trace has lost."""
        return 0 if self.tracer is None else self.tracer.lost

    def write_coverage(self) -> None:
        """Write the files of --coverage and --drcov, and say what of them is missing."""
        if self._coverage is None:
            return
        if self.options.coverage:
            from hv.debug.symbols import symbols_of

            symbols = symbols_of(self.guest.image)
            self._coverage.write_lcov(self.options.coverage, symbols)
            sys.stderr.writelines(f"hv: {warning}\n" for warning in symbols.warnings)
            if not symbols.lines.rows:
                sys.stderr.write(f"hv: --coverage: {self.guest.image.name} has no source lines; build it with -g\n")
        if self.options.drcov:
            self._coverage.write_drcov(self.options.drcov, self.guest.image)
        if self._coverage.dropped:
            sys.stderr.write(f"hv: --coverage: {self._coverage.dropped:,} blocks did not fit and are missing\n")

    def crashed_vcpu(self) -> Vcpu:
        """The vcpu that ran last: the one that crashed, in a domain that did."""
        slot = self.hv.last_slot
        return next((vcpu for vcpu in self.domain.vcpus if vcpu.slot == slot), self.domain.vcpus[0])

    def crash_report(self) -> str:
        """The report for stderr."""
        from hv.cli.report import crash_report
        from hv.debug.filters import TRAPS
        from hv.debug.symbols import symbols_of
        from hv.debug.trace import drain

        traps: list[Trap] = self.tracer.last if self.tracer is not None else drain(self.hv)
        traps = [trap for trap in traps if trap.kind in TRAPS.kinds]
        return crash_report(self.domain, self.crashed_vcpu(), self._reason(), traps, symbols_of(self.guest.image))

    def _reason(self) -> str:
        if self.domain.crash_reason:
            return self.domain.crash_reason
        said = lib.hv_crash_reason(self.hv.native)
        return (
            "the guest itself said so (SCHEDOP_shutdown)" if said == ffi.NULL else str(ffi.string(said).decode())
        )

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
