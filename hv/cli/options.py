"""Command lines as tables: the options of a guest's run, shared by `hv run`, `hv trace` and `hv why`."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.builder.image import BuilderError, why_not

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from hv.cli.session import Session

_TYPES = ("auto", "pv", "pvh", "hvm")
_SCHEDULERS = ("round_robin", "credit")
_PAGING = ("walk", "shadow")


def _bad(text: str) -> Exception:
    """What argparse turns into a usage error."""
    import argparse

    return argparse.ArgumentTypeError(text)


def positive(text: str) -> int:
    """A number above 0, and below what a count can be."""
    value = whole(text)
    if not 0 < value < 1 << 62:
        raise _bad(f"{text} is not a positive number below 2**62")
    return value


def whole(text: str) -> int:
    """A whole number, also in hexadecimal, or with _ between its digits."""
    try:
        return int(text, 0)
    except ValueError:
        raise _bad(f"{text} is not a whole number") from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise _bad(f"{text} is not a positive number of seconds")
    return value


def _disk(text: str) -> Any:
    from hv.toolstack.devices import parse_disk

    return _or_bad(parse_disk, text)


def _cdrom(text: str) -> Any:
    from hv.toolstack.devices import DiskOptions

    return DiskOptions(text, read_only=True, cdrom=True)


def _usb(text: str) -> Any:
    from hv.toolstack.devices import parse_usb

    return _or_bad(parse_usb, text)


def _boot(text: str) -> str:
    if not text or set(text) - set("cdn") or len(set(text)) < len(text):
        raise _bad(f"{text}: no boot order; remedy: one or more of c, d and n, each once")
    return text


def _nic(text: str) -> Any:
    from hv.net.options import parse_nic

    return _or_bad(parse_nic, text)


def address(text: str) -> tuple[str, int]:
    """[HOST:]PORT, for an option."""
    from hv.toolstack import address as addresses

    try:
        return addresses.address(text)
    except ValueError:
        raise _bad(f"{text} is not [HOST:]PORT") from None


def machine_choices(text: str) -> tuple[tuple[str, str], ...]:
    """NAME=VALUE[,NAME=VALUE] as names and values (GuestConfig.machine). argparse.ArgumentTypeError: it is not."""
    from hv.toolstack.launch import parse_machine

    choices: tuple[tuple[str, str], ...] = _or_bad(parse_machine, text)
    return choices


def _serial(text: str) -> Any:
    from hv.toolstack.serial_line import parse_serial

    return _or_bad(parse_serial, text)


def _or_bad(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise _bad(str(error)) from None


class Option(NamedTuple):
    """One option: its group in --help, how its value is read (None: a switch), default, the value's name, help.

    short: a flag of one letter beside it. file: its value is a file that will be written.
    """

    flag: str
    group: str
    value: Callable[[str], Any] | None
    default: Any
    metavar: str
    help: str
    choices: tuple[str, ...] | None = None
    short: str = ""
    file: bool = False
    repeat: bool = False

    @property
    def name(self) -> str:
        """Its name in the parsed result."""
        return self.flag[2:].replace("-", "_")


_GUEST, _DEVICES, _LIMITS, _CLOCK, OUTPUT = "the guest", "devices", "limits", "time and order", "output"
GUEST_OPTIONS = (
    Option("--type", _GUEST, str, "auto", "TYPE",
           "type of domain: auto (what the kernel says), pv, pvh, or hvm: a PC with firmware", _TYPES),
    Option("--memory", _GUEST, whole, 128, "MIB", "memory in MiB (default 128)"),
    Option("--vcpus", _GUEST, whole, 1, "N", "virtual processors, 1 to 64 (default 1)"),
    Option("--ramdisk", _GUEST, str, None, "FILE", "ramdisk or other module that the kernel finds in memory; "
           "FILE[ TEXT],FILE[ TEXT]... for a Multiboot kernel"),
    Option("--cmdline", _GUEST, str, "", "TEXT", "command line of the kernel"),
    Option("--on-reboot", _GUEST, str, "exit", "WHAT",
           "when the guest asks for a reboot: exit (the run ends), or restart: it begins anew; disks stay as they are",
           ("exit", "restart")),
    Option("--triple-fault", _GUEST, str, "crash", "WHAT",
           "what a triple fault is: a crash, or a reboot as on a real PC (pvh, hvm)", ("crash", "reboot")),
    Option("--disk", _DEVICES, _disk, None, "FILE[,format=raw|qcow2][,bus=xvd|ide|usb][,ro]",
           "a disk with what is in FILE: xvda, or the first IDE disk (hvm); writes stay in memory", repeat=True),
    Option("--cdrom", _DEVICES, _cdrom, None, "FILE", "an ISO image in a CD-ROM drive (hvm)", repeat=True),
    Option("--nic", _DEVICES, _nic, None, "user|switch=NAME[,model=xen|e1000|rtl8139][,mac=ADDRESS]",
           "a network interface: behind a NAT of its own (more in docs/network.md), or on a switch", repeat=True),
    Option("--usb", _DEVICES, _usb, None, "NAME[,NAME]",
           "plug into the USB (hvm): tablet, keyboard; disks come there by --disk FILE,bus=usb"),
    Option("--boot", _DEVICES, _boot, None, "ORDER",
           "what the firmware boots, in this order: c disk, d CD-ROM, n network (hvm; usually cdn)"),
    Option("--firmware", _DEVICES, str, None, "FILE",
           "a BIOS image, or a 32-bit ELF file in its place (hvm; usually SeaBIOS)"),
    Option("--vga", _DEVICES, str, None, "WHAT",
           "the screen: std (a VGA with VBE and 16 MiB; what there is usually) or none (hvm)", ("std", "none")),
    Option("--xen-platform", _DEVICES, str, None, "WHAT",
           "the Xen platform device, by which guests change from emulated disks and cards to PV ones: on (as usual) or "
           "off (hvm)", ("on", "off")),
    Option("--paging", _GUEST, str, "shadow", "MODE",
           "translate addresses by walk of the page tables, or by shadow tables (pvh, hvm; usually shadow)", _PAGING),
    Option("--fep", _GUEST, None, False, "",
           "the forced emulation prefix, 'ud2; xen' in front of an instruction, as Xen has it with hvm_fep (pvh, hvm)"),
    Option("--machine", _GUEST, machine_choices, None, "NAME=VALUE[,NAME=VALUE]",
           "what an architecture lets choose of its domains' machine; ARM: gic_version=v2 or v3, vuart=sbsa_uart"),
    Option("--max-insns", _LIMITS, positive, None, "N", "stop after N instructions"),
    Option("--timeout", _LIMITS, _seconds, None, "SECONDS", "stop at this guest time"),
    Option("--wall-timeout", _LIMITS, _seconds, None, "SECONDS", "stop after this time on the wall"),
    Option("--realtime", _CLOCK, None, False, "", "do not skip idle time: wait for it, and for keys"),
    Option("--scheduler", _CLOCK, str, "round_robin", "NAME", "who runs next: round_robin or credit", _SCHEDULERS),
    Option("--quantum", _CLOCK, positive, None, "N", "instructions of a vcpu's turn"),
    Option("--seed", _CLOCK, whole, 0, "N", "other lengths of turns for each N (default 0)"),
)
"""What every command takes that runs a guest."""
ATTACHED_OPTIONS = (
    Option("--vnc", _DEVICES, address, None, "[HOST:]PORT",
           "show the screen to VNC clients, and take their keys and pointer (hvm; on 127.0.0.1 without HOST; port 0: a "
           "free one; address and password are printed; use --realtime for a guest that a person works with)"),
    Option("--vnc-password", _DEVICES, str, None, "TEXT",
           "the password of VNC clients, at most 8 characters; '' asks for none (usually a random one)"),
    Option("--serial", _DEVICES, _serial, None, "WHERE",
           "where the first serial port leads: stdio (the usual), none, file:PATH, unix:PATH or tcp:[HOST:]PORT, which "
           "wait for a client (hvm)"),
    Option("--pcap", _DEVICES, str, None, "FILE",
           "write all frames of the network interfaces, for tcpdump and wireshark", file=True),
)  # fmt: skip
"""What connects a guest with more than its terminal (hv.cli.attached)."""
COVERAGE_OPTIONS = (
    Option("--coverage", OUTPUT, str, None, "FILE", "write which source lines ran, for lcov (needs DWARF)", file=True),
    Option("--drcov", OUTPUT, str, None, "FILE", "write which blocks of code ran, as drcov does", file=True),
)
GOING_ON = tuple(option for option in GUEST_OPTIONS if option.group == _LIMITS or option.name == "realtime")
"""What a command takes that goes on with a guest that there is already."""


class CommandLine(NamedTuple):
    """A subcommand that takes one kernel: its name, what --help says of it, and its options."""

    command: str
    description: str
    epilog: str
    options: Sequence[Option]

    def parse(self, argv: list[str]) -> Any:
        """The options by name. argparse is asked only when something is out of the ordinary: importing it and making
        its parser takes a sixth of a tiny guest's whole run. It then prints help, or what is wrong, and leaves with
        0 or 2."""
        plain = self._parse_plain(argv)
        if plain is not None:
            return plain
        parser = self.parser()
        options = parser.parse_args(argv)
        if options.kernel is None and getattr(options, "type", "") != "hvm":
            found = [f"--{name}" for name in ("disk", "cdrom", "firmware") if getattr(options, name, None)]
            parser.error("missing: KERNEL" + (f"; {found[0]} without one wants --type hvm" if found else ""))
        return options

    def _parse_plain(self, argv: list[str]) -> SimpleNamespace | None:
        """Options written out in full, each value an argument of its own, and one kernel; None: let argparse look."""
        known = {option.flag: option for option in self.options if not option.repeat}
        found: dict[str, Any] = {option.name: option.default for option in self.options}
        arguments = iter(argv)
        for argument in arguments:
            option = known.get(argument)
            if option is None:
                if argument.startswith("-") or "kernel" in found:
                    return None
                found["kernel"] = argument
            elif option.value is None:
                found[option.name] = True
            else:
                text = next(arguments, "-")
                if text.startswith("-") or (option.choices and text not in option.choices):
                    return None
                try:
                    found[option.name] = option.value(text)
                except Exception:  # argparse says what is wrong with it
                    return None
        return SimpleNamespace(**found) if "kernel" in found else None

    def parser(self) -> argparse.ArgumentParser:
        """The same options for argparse."""
        from hv.cli.parser import Parser

        made = Parser(prog=f"hv {self.command}", description=self.description, epilog=self.epilog)
        text = "an ELF file, a bzImage, or one of these packed; none is needed with --type hvm"
        made.add_argument("kernel", metavar="KERNEL", nargs="?", help=text)
        add_options(made, self.options)
        return made

    def open(self, options: Any) -> Session | None:
        """The guest, launched, with its terminal. None: it cannot be, and stderr says why (EXIT_USAGE)."""
        try:
            self.check(options)
            from hv.cli.session import Session

            return Session(options)
        except BuilderError as error:
            sys.stderr.write(f"hv {self.command}: {error}\n")
            return None

    def check(self, options: Any) -> None:
        """What argparse cannot say in one line with a remedy. BuilderError."""
        check_guest(options)
        check_files(self.options, options)


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    """Give argparse these options, by their groups."""
    groups: dict[str, Any] = {}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        flags = [option.short, option.flag] if option.short else [option.flag]
        if option.value is None:
            groups[option.group].add_argument(*flags, action="store_true", help=option.help)
        else:
            groups[option.group].add_argument(
                *flags, type=option.value, default=option.default, metavar=option.metavar,
                choices=option.choices, help=option.help, action="append" if option.repeat else "store",
            )  # fmt: skip


def check_guest(options: Any) -> None:
    """Memory and vcpus of a guest to be made. BuilderError."""
    from hv.builder.image import check_cmdline, check_vcpus, domain_pages

    domain_pages(options.memory)
    check_vcpus(options.vcpus)
    check_cmdline(options.cmdline)


def check_files(known: Sequence[Option], options: Any) -> None:
    """The files that will be written. BuilderError: one of them cannot be."""
    for option in known:
        path = getattr(options, option.name)
        if option.file and path is not None:
            check_writable(option.flag, path)


def check_writable(option: str, path: str) -> None:
    """Open for writing now: a run of a minute must not end with a file that cannot be written. What was not there is
    not there afterwards either. BuilderError."""
    try:
        there = os.path.lexists(path)
        with open(path, "ab"):
            pass
        if not there:
            os.unlink(path)
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        remedy = "make its directory, or give another path" if missing else "give a path that can be written"
        raise BuilderError(option, f"{path} cannot be written: {why_not(error)}", remedy) from None
