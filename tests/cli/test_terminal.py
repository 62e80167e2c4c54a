"""The user's end of the console: raw on a terminal, transparent on a pipe."""

from __future__ import annotations

import os
import termios

from hv.cli.terminal import Terminal


def test_a_pipe_is_read_to_its_end_and_may_hold_any_byte() -> None:
    source, typed = os.pipe()
    shown, sink = os.pipe()
    with Terminal(source, sink) as terminal:
        assert terminal.poll() == b"" and not terminal.ended
        os.write(typed, b"ls\n\x1d\x00")
        assert terminal.poll(1) == b"ls\n\x1d\x00" and not terminal.left
        os.close(typed)
        assert terminal.poll(1) == b"" and terminal.ended
        terminal.write(b"out")
    assert os.read(shown, 10) == b"out"


def test_a_terminal_is_raw_inside_and_as_before_outside() -> None:
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    with Terminal(slave, slave) as terminal:
        during = termios.tcgetattr(slave)
        assert not during[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert during[1] & termios.OPOST
        os.write(master, b"\x03")
        assert terminal.poll(1) == b"\x03"
    assert termios.tcgetattr(slave) == before


def test_ctrl_bracket_leaves_and_what_was_typed_before_counts() -> None:
    master, slave = os.openpty()
    with Terminal(slave, slave) as terminal:
        os.write(master, b"ab\x1dcd")
        assert terminal.poll(1) == b"ab" and terminal.left
        assert terminal.poll(0) == b""


def test_a_closed_input_is_an_ended_one() -> None:
    source, typed = os.pipe()
    os.close(source)
    os.close(typed)
    with Terminal(source, 1) as terminal:
        assert terminal.poll() == b"" and terminal.ended
