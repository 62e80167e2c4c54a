"""Device trees as text: what guests are given, every shape of value, and what is no tree or a broken one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import libfdt
import pytest

from hv.cli.main import main
from hv.debug.device_tree import DEEPEST, DeviceTreeError, read_tree, shown, text
from hv.testing.build import build_guest, find_guest

Write = Callable[[libfdt.FdtSw], object]


def blob(*writes: Write) -> bytes:
    """A tree whose root is written by these."""
    out = libfdt.FdtSw()
    out.finish_reservemap()
    out.begin_node("")
    for write in writes:
        write(out)
    out.end_node()
    made = out.as_fdt()
    return bytes(made.as_bytearray()[: made.totalsize()])


def reader(memory: bytes) -> Callable[[int, int], bytes | None]:
    """Of memory that begins at 0 and ends with these bytes."""
    return lambda at, size: memory[at : at + size] if at + size <= len(memory) else None


@pytest.mark.parametrize(("env", "register"), [("arm64", "x0"), ("arm32", "r2")])
def test_what_a_guest_is_given(env: str, register: str, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = str(build_guest(find_guest("hello"), env))
    words = ["--command", f"device-tree {register}", "--machine", "gic_version=v3", "--cmdline", 'say "hello"']
    assert main(["debug", kernel, "--memory", "64", "--vcpus", "2", *words]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"(hv) device-tree {register}\n/dts-v1/;\n/ {{\n    model = \"XENVM-")
    assert said.endswith("\n};\n")
    for line in (
        r'        bootargs = "say \"hello\"";',
        "        cpu@1 {",
        '            enable-method = "psci";',
        "        reg = <0x0 0x40000000 0x0 0x4000000>;",
        '        compatible = "arm,gic-v3";',
        "        interrupt-controller;",
        '        compatible = "xen,xen-4.17", "xen,xen";',
    ):
        assert line in said.splitlines()
    assert said.count("{") == said.count("}")


def test_of_memory_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    kernel = str(build_guest(find_guest("hello"), "arm64"))
    assert main(["debug", kernel, "--command", "device-tree pc"]) == 1
    assert re.search(r"it begins with 0x[0-9a-f]{8}, and a device tree with 0xd00dfeed\n$", capsys.readouterr().err)
    assert main(["debug", kernel, "--command", "device-tree 0x10"]) == 1
    assert capsys.readouterr().err.endswith(" device-tree: 0x10: memory there is not mapped\n")


@pytest.mark.parametrize(("value", "as_text"), [
    (b"", ""), (b"\0", ' = ""'), (b"a\0", ' = "a"'), (b"a\0b c\0", ' = "a", "b c"'), (b'\\"\0', r' = "\\\""'),
    (b"\0\0\0\x01", " = <0x1>"), (b"abc", " = [61 62 63]"), (b"a\0\0\0", " = <0x61000000>"),
    (b"\x1b[2J\0", " = [1b 5b 32 4a 00]"),
    (b"\0\0\0\x01\xff\xff\xff\xff", " = <0x1 0xffffffff>"),
])  # fmt: skip
def test_values(value: bytes, as_text: str) -> None:
    assert shown(value) == as_text
    assert list(text(blob(lambda out: out.property("p", value)))) == ["/dts-v1/;", "/ {", f"    p{as_text};", "};"]


def test_what_is_nested() -> None:
    made = blob(
        lambda out: out.begin_node("a"), lambda out: out.begin_node("b"), lambda out: out.property("c", b""),
        lambda out: out.end_node(), lambda out: out.end_node(), lambda out: out.begin_node("d"),
        lambda out: out.end_node(),
    )  # fmt: skip
    expected = ["/ {", "    a {", "        b {", "            c;", "        };", "    };", "    d {", "    };", "};"]
    assert list(text(made))[1:] == expected
    assert list(text(made, "/a/b")) == ["b {", "    c;", "};"]
    assert list(text(made, "/d")) == ["d {", "};"]
    for path in ("/b", "a", "", "/a/b/c"):
        with pytest.raises(DeviceTreeError, match=f"there is no node {path}; a path begins with /"):
            list(text(made, path))


def test_a_name_writes_nothing_to_the_terminal() -> None:
    made = blob(lambda out: out.begin_node("ab"), lambda out: out.end_node()).replace(b"ab\0", b"\x1b[\0")
    assert "    ?[ {" in list(text(made))


def test_how_deep_it_may_be() -> None:
    opened: list[Write] = [lambda out: out.begin_node("n")] * DEEPEST
    closed: list[Write] = [lambda out: out.end_node()] * DEEPEST
    assert len(list(text(blob(*opened[1:], *closed[1:])))) == 2 * DEEPEST + 1
    with pytest.raises(DeviceTreeError, match="nested deeper than 64"):
        list(text(blob(*opened, *closed)))


def test_broken_trees_are_refused_or_shown() -> None:
    whole = blob(
        lambda out: out.property("compatible", b"xen,xenvm\0xen\0"), lambda out: out.begin_node("cpus"),
        lambda out: out.property("reg", bytes(8)), lambda out: out.end_node(),
    )  # fmt: skip
    chance = random.Random(5)
    refused = 0
    for _ in range(4000):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.choice([0, 1, 2, 3, 9, 0x80, 0xFF, chance.randrange(256)])
        memory = bytes(broken)
        try:
            "\n".join(text(read_tree(reader(memory), 0))).encode()
        except DeviceTreeError as error:
            assert str(error) and "\n" not in str(error)
            refused += 1
    assert 1000 < refused < 4000


def test_a_size_that_cannot_be() -> None:
    for size in (0, 39, (2 << 20) + 1, 0xFFFFFFFF):
        header = bytes.fromhex("d00dfeed") + size.to_bytes(4, "big") + bytes(32)
        with pytest.raises(DeviceTreeError, match="its header says"):
            read_tree(reader(header), 0)
