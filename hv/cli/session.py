"""One `hv run`: the guest, the terminal and the trace, from launch to the end of the run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hv.cli.terminal import Terminal
from hv.hypervisor import DEFAULT_QUANTUM, Stop
from hv.native import ffi, lib
from hv.toolstack.launch import GuestConfig, launch

if TYPE_CHECKING:
    from types import TracebackType

    from hv.debug.trace import Tracer, Trap
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
        self._trace_file: Any = None
        if options.trace:
            from hv.debug.trace import Tracer

            self._trace_file = open(options.trace, "w", encoding="utf-8")  # noqa: SIM115 - closed by close_trace()
            self.tracer = Tracer(self.hv, self._trace_file)
            self.hv.after_exit = self.tracer.flush
        if options.realtime:
            self.hv.idle = self._idle

    def __enter__(self) -> Session:
        self.terminal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminal.__exit__(kind, value, trace)

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

    def close_trace(self) -> None:
        """Write the rest of the trace and close its file."""
        if self.tracer is not None:
            self.tracer.flush()
            self._trace_file.close()

    def crashed_vcpu(self) -> Vcpu:
        """The vcpu that ran last: the one that crashed, in a domain that did."""
        slot = self.hv.last_slot
        return next((vcpu for vcpu in self.domain.vcpus if vcpu.slot == slot), self.domain.vcpus[0])

    def crash_report(self) -> str:
        """The report for stderr."""
        from hv.cli.report import crash_report
        from hv.debug.symbols import symbols_of
        from hv.debug.trace import drain

        traps: list[Trap] = self.tracer.last if self.tracer is not None else drain(self.hv)
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
