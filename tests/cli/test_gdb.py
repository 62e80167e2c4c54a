"""`hv gdb` and `hv run --gdb`: where they listen, what they say, how they end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hv.cli.main import main
from hv.debug.timeline import Position
from hv.testing.build import build_guest, find_guest
from hv.toolstack.address import address
from tests.bench.gdb_client import Client
from tests.debug.served import Command
from tests.debug.straight import MEMORY_MIB, hashes


@pytest.fixture(scope="module")
def tour() -> str:
    return str(build_guest(find_guest("tour"), "pv64"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1234", ("127.0.0.1", 1234)), (":0", ("127.0.0.1", 0)), ("0.0.0.0:4000", ("0.0.0.0", 4000)),
        ("[::1]:80", ("::1", 80)), ("localhost:5", ("localhost", 5)),
    ],
)  # fmt: skip
def test_addresses(text: str, wanted: tuple[str, int]) -> None:
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["", "x", "70000", "-1", "host:", "1:2:x"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        address(text)


def test_it_waits_for_gdb_and_ends_with_the_guest(tour: str) -> None:
    with Command("gdb", tour, "--memory", "16", "--cmdline", "rounds=2", "--listen", "0") as hv:
        assert hv.said == f"hv gdb: waiting for gdb: target remote 127.0.0.1:{hv.port}\n"
        with Client(hv.port) as client:
            assert client.start().startswith(b"T05")
            assert client.monitor("position").strip() == "0"
            assert client.ask(b"D") == b"OK"
        code, out, err = hv.end()
    assert (code, err) == (0, "")
    assert out.endswith("round 2\nTest result: SUCCESS\n")


def test_kill_ends_it(tour: str) -> None:
    with Command("gdb", tour, "--memory", "16", "--listen", "0") as hv, Client(hv.port) as client:
        client.start()
        client.send(b"vKill;1")
        assert hv.end()[0] == 0


def test_gdb_stops_a_run(tour: str) -> None:
    with Command("run", tour, "--memory", "16", "--cmdline", "rounds=1000000", "--gdb", "0") as hv:
        assert hv.said == f"hv run: running; gdb stops it: target remote 127.0.0.1:{hv.port}\n"
        time.sleep(0.3)
        with Client(hv.port) as client:
            client.start()
            count = int(client.monitor("position").replace(",", ""))
            assert count > 0
            assert client.ask(b"bs").startswith(b"T05")
            assert int(client.monitor("position").replace(",", "")) == count - 1
            client.send(b"k")
            code, out, _ = hv.end()
    assert code == 0
    assert out.startswith("round 1\n")


def test_keys_reach_the_guest_while_it_runs(tour: str) -> None:
    """What is typed enters through the gate, and is there again when time comes back."""
    guest = ["--memory", str(MEMORY_MIB), "--cmdline", "rounds=1000000"]
    untouched = hashes("tour", "rounds=1000000", [Position(1)])[Position(1)]
    with Command("gdb", tour, *guest, "--listen", "0") as hv, Client(hv.port) as client:
        client.start()
        client.monitor("goto 1")
        assert client.monitor("state-hash").strip() == untouched
        client.monitor("goto 0")
        assert hv.process.stdin is not None
        hv.process.stdin.write("hello")
        hv.process.stdin.flush()
        client.send(b"c")
        time.sleep(0.3)
        client.socket.sendall(b"\x03")
        assert client.answer().startswith(b"T02")
        client.monitor("goto 1")
        assert client.monitor("state-hash").strip() != untouched


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gdb", "0", "--max-insns", "5"], "hv run: --max-insns: does not go together with a debugger; leave out"),
        (["--gdb", "0", "--trace", "/dev/null"], "hv run: --trace: does not go together"),
        (["--gdb", "192.0.2.1:1"], "cannot be listened on"),
        (["--gdb", "port"], "port is not [HOST:]PORT"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], said: str, tour: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["run", tour, *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert said in capfd.readouterr().err.splitlines()[-1]


def test_a_kernel_that_is_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(b"no kernel")
    assert main(["gdb", str(path)]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
