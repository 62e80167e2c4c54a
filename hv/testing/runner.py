"""Run one guest and look at it: what `boot` of the pytest plugin returns, and what `hv test` runs."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hv.arch.exceptions import exceptions_of
from hv.builder.image import BuilderError
from hv.cli import statistics
from hv.hypervisor import DEFAULT_PAGING, DEFAULT_QUANTUM, Stop
from hv.native import ffi, lib
from hv.net.options import parse_nic
from hv.testing.build import ENVIRONMENTS, BuildError, build_guest, find_guest
from hv.testing.devices import launch_tested
from hv.testing.metadata import DEFAULT_MEMORY_MIB, Metadata, read_metadata
from hv.toolstack.devices import DiskOptions, parse_disk
from hv.toolstack.launch import Guest, GuestConfig, parse_machine
from hv.toolstack.screenshot import screen_of

if TYPE_CHECKING:
    from hv.devices.screen import Screen

DEFAULT_MAX_INSNS = 2_000_000_000
_VERDICT = re.compile(r"^Test result: (SUCCESS|SKIP|ERROR|FAILURE)\s*$", re.MULTILINE)


class Verdict(enum.IntEnum):
    """What a guest test found; the number is the exit code, and the largest is the worst."""

    SUCCESS = 0
    SKIP = 3
    ERROR = 4
    """The test itself is broken."""
    FAILURE = 5
    """The hypervisor is wrong."""
    CRASH = 6
    """No verdict line at all."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a guest is started; None: what its header comment says, or the default."""

    memory: int | None = None
    """MiB"""
    vcpus: int | None = None
    cmdline: str | None = None
    ramdisk: str | Path | None = None
    quantum: int = DEFAULT_QUANTUM
    seed: int = 0
    max_insns: int | None = None
    paging: str = DEFAULT_PAGING
    """One of hv.hypervisor.PAGING."""
    env: str = ""
    """Environment; empty: the first one that the guest is for."""
    machine: tuple[tuple[str, str], ...] | str = ()
    """Choices of the machine that the architecture offers (GuestConfig.machine), or as `hv run --machine` has them."""
    type: str = "auto"
    """Kind of domain of a kernel that is no test of its own: as `hv run --type`."""
    disks: tuple[str, ...] = ()
    """Each as `hv run --disk` has it: FILE[,format=raw|qcow2][,bus=ide|xvd|usb][,ro]."""
    cdrom: str | Path | None = None
    firmware: str | Path | None = None
    """Of an HVM domain; None: SeaBIOS."""
    boot: str = ""
    """Of an HVM domain: the order, as `hv run --boot`."""
    nics: tuple[str, ...] = ()
    """Of a kernel that is no test of its own: each as `hv run --nic` has it."""
    machine_memory: int | None = None
    """MiB of the whole machine, when other guests are to come beside this one; None: what this one needs."""
    beside: DomainUnderTest | None = None
    """The guest whose machine it shares: one clock and one xenstore, and events and grants between the two."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run of a test guest, as plain data: what `hv test` passes between processes."""

    name: str
    verdict: Verdict
    console: str = ""
    notes: tuple[str, ...] = ()
    """What the runner itself found wrong, one line each."""
    instructions: int = 0
    state_hash: str = ""
    traps: dict[str, int] = field(default_factory=dict)
    hypercalls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    """Host seconds that building and running took."""

    def differences(self, other: Outcome) -> list[str]:
        """In what two runs of one guest differ that must not."""
        pairs = (
            ("instructions", self.instructions, other.instructions),
            ("state hash", self.state_hash, other.state_hash),
            ("traps", self.traps, other.traps),
            ("hypercalls", self.hypercalls, other.hypercalls),
            ("console", self.console, other.console),
        )
        return [f"{what} differ between two runs: {a!r} and {b!r}" for what, a, b in pairs if a != b]


def resolve(guest: str | Path, env: str = "") -> tuple[Path, Metadata | None, str]:
    """The kernel behind a guest's name, C file or kernel file, built when it has sources; its header comment; the
    environment that it was built for, which is the first of those that are there.

    Raises BuildError, MetadataError.
    """
    path = Path(guest)
    if path.suffix != ".c":
        if path.exists() or path.suffix or len(path.parts) > 1:
            return path, None, ""
        path = find_guest(str(guest))
    if not path.is_file():
        raise BuildError(f"{path}: no such file")
    metadata = read_metadata(path)
    env = env or next((name for name in metadata.environments if name in ENVIRONMENTS), metadata.environments[0])
    if env not in metadata.environments:
        raise BuildError(f"{path}: is for {', '.join(metadata.environments)}, not for {env}")
    return build_guest(path, env), metadata, env


def _disks(options: Options) -> tuple[DiskOptions, ...]:
    """ValueError: one of them is no text of a disk."""
    disks = tuple(parse_disk(text) for text in options.disks)
    cdrom = options.cdrom
    return disks if cdrom is None else (*disks, DiskOptions(str(cdrom), read_only=True, cdrom=True))


class DomainUnderTest:
    """One launched guest. `run()` it, then look: console, verdict, traps, hypercalls, instructions, state_hash.

    Raises BuildError, MetadataError and BuilderError when there is nothing to launch.
    """

    def __init__(self, guest: str | Path | None, options: Options | None = None) -> None:
        """guest: None: there is no kernel; the firmware of an HVM domain boots from its disks."""
        options = options or Options()
        kernel: Path | None = None
        about: Metadata | None = None
        env = ""
        if guest is not None:
            kernel, about, env = resolve(guest, options.env)
        self.metadata = about
        config = GuestConfig(
            memory_mib=options.memory or (about.memory_mib if about else DEFAULT_MEMORY_MIB),
            vcpus=options.vcpus or (about.vcpus if about else 1),
            cmdline=options.cmdline if options.cmdline is not None else about.cmdline if about else "",
            ramdisk=options.ramdisk,
            quantum=options.quantum,
            seed=options.seed,
            kind=ENVIRONMENTS[env].kind if about else "hvm" if kernel is None else options.type,
            paging=options.paging,
            machine=parse_machine(options.machine) if isinstance(options.machine, str) else options.machine,
            forced_emulation=bool(about and about.forced_emulation),
            machine_mib=options.machine_memory,
        )
        beside = options.beside.guest if options.beside else None
        if beside:
            config = config._replace(name=f"{config.name}{1 + len(beside.hv.domains)}")
        if about is None:
            nics = tuple(parse_nic(text) for text in options.nics)
            config = config._replace(disks=_disks(options), firmware=options.firmware, boot=options.boot, nics=nics)
        if about and about.restarts:
            config = config._replace(on_reboot="restart", triple_fault="reboot")
        self.name = about.name if about else kernel.name if kernel else config.name
        self.max_insns = options.max_insns or (about.max_insns if about else None) or DEFAULT_MAX_INSNS
        loaded = about is not None and ENVIRONMENTS[env].loaded
        self.guest: Guest = launch_tested(kernel, config, about, loaded=loaded, beside=beside)
        self.kernel = kernel
        self.hv = self.guest.hv
        self.domain = self.guest.domain
        self.stop: Stop | None = None

    def run(self, max_insns: int | None = None) -> DomainUnderTest:
        """Run until the domain has shut down, waits for ever, or `max_insns` have retired in all."""
        self.stop = self.hv.run(max_insns=max_insns or self.max_insns).stop
        return self

    def type(self, text: str) -> None:
        """Type on its console."""
        self.guest.console.feed(text.encode())

    @property
    def console(self) -> str:
        """Everything it has printed."""
        return self.guest.console.text()

    @property
    def screen(self) -> Screen:
        """What its VGA shows: `screen.text()`, the rows of a text mode; `screen.png()`. NoScreenError: it has none."""
        return screen_of(self.domain)

    @property
    def verdict(self) -> Verdict:
        """What its last verdict line says; CRASH when there is none."""
        found = _VERDICT.findall(self.console.replace("\r\n", "\n"))
        return Verdict[found[-1]] if found else Verdict.CRASH

    @property
    def shutdown(self) -> str | None:
        """Why it has shut down, by the names of SHUTDOWN_*; None while it has not."""
        return self.domain.shutdown_name

    @property
    def traps(self) -> dict[str, int]:
        """Exceptions delivered, by name (`#PF`)."""
        return statistics.counts(self.domain)[0]

    @property
    def hypercalls(self) -> dict[str, int]:
        """Hypercalls made, by name."""
        return statistics.counts(self.domain)[1]

    @property
    def instructions(self) -> int:
        """Instructions retired."""
        return self.hv.instructions

    @property
    def state_hash(self) -> str:
        """SHA-256 of all state of its hypervisor."""
        return self.hv.state_hash

    def audit(self) -> str:
        """What is wrong with the page types and counts; empty: nothing."""
        return self.hv.audit()

    def complaints(self) -> list[str]:
        """What contradicts the header comment, or is wrong whatever the guest says; one line each."""
        wanted = self.metadata.shutdown if self.metadata else "poweroff"
        lines = []
        if self.shutdown is None:
            lines.append(f"the domain did not shut down: {self.stop.value if self.stop else 'it has not run'}")
            lines += self._places()
        elif self.shutdown != wanted:
            lines.append(f"the domain ended by {self.shutdown}, not by {wanted}{self._crash_reason()}")
        if self.metadata and self.domain.restarts != self.metadata.restarts:
            lines.append(f"the domain began anew {self.domain.restarts} times, not {self.metadata.restarts}")
        traps = self.traps
        for name, count in self.metadata.traps if self.metadata else ():
            known = exceptions_of(self.domain.kind)
            number = known.number(name)
            if number is None:
                lines.append(f"@traps {name}: there is no such exception here")
                continue
            got = traps.get(known.name(number), 0)
            if got != count if count is not None else not got:
                lines.append(f"{known.name(number)} came {got} times, not {'at all' if count is None else count}")
        audit = self.audit()
        if audit:
            lines.append(f"audit: {audit}")
        return lines

    def _places(self) -> list[str]:
        """Where the vcpus of a domain stand that has not shut down."""
        from hv.debug.here import doing, place_text, who
        from hv.debug.symbols import symbols_of

        if self.kernel is None:
            return []
        symbols = symbols_of(self.guest.image)
        started = [vcpu for vcpu in self.domain.vcpus if vcpu.c.online]
        return [f"{who(vcpu)} is {doing(vcpu)} at {place_text(vcpu, symbols)}" for vcpu in started]

    def _crash_reason(self) -> str:
        if self.shutdown != "crash":
            return ""
        said = lib.hv_crash_reason(self.hv.native)
        reason = self.domain.crash_reason or ("" if said == ffi.NULL else ffi.string(said).decode())
        return f" ({reason})" if reason else ""

    def outcome(self) -> Outcome:
        """The finished run as plain data. What the guest calls a success is a failure when there are complaints."""
        notes, verdict = self.complaints(), self.verdict
        if notes:
            verdict = max(verdict, Verdict.FAILURE)
        return Outcome(
            name=self.name,
            verdict=verdict,
            console=self.console,
            notes=tuple(notes),
            instructions=self.instructions,
            state_hash=self.state_hash,
            traps=self.traps,
            hypercalls=self.hypercalls,
        )


def run_test(guest: str, options: Options | None = None) -> Outcome:
    """Build, run and judge one guest. What cannot be built or launched is an ERROR of the test."""
    try:
        return DomainUnderTest(guest, options).run().outcome()
    except (BuildError, BuilderError, ValueError) as error:
        return Outcome(name=Path(guest).stem, verdict=Verdict.ERROR, notes=(str(error),))
