"""Debian's kernels for processors of 32 bits on the PC: without PAE and with it, one processor and four, the VGA's text
mode and a frame buffer. In two processes the same happens at the same instruction."""

import json
from collections import Counter

import pytest

from hv.toolstack.screenshot import screen_of
from tests.real import i386, processes
from tests.real.conversation import Script, converse, finished
from tests.real.initramfs import PROMPT
from tests.real.person import FIRST, MOST, Person
from tests.real.screens import picture, powers_off

pytestmark = pytest.mark.real

BLACK, GREY, RED, YELLOW = bytes(3), b"\xaa\xaa\xaa", b"\xaa\0\0", b"\xff\xff\x55"
#: A program runs on each processor and says on which; at last something in colours is written on the screen.
SCRIPT: Script = (
    (PROMPT, "uname -m; nproc; cd /sys/class/graphics/fb0; cat name virtual_size\n"),
    (
        "\ni686\r\n4\r\nVESA VGA\r\n800,600\r\n",
        "for c in 0 1 2 3; do taskset -c $c cut -d' ' -f39 /proc/self/stat; done\n",
    ),
    ("\n0\r\n1\r\n2\r\n3\r\n", r"printf '\033[1;33;41m in colours \033[m\n' >/dev/tty0; exit" "\n"),
)


def test_without_pae_on_screen_and_keyboard() -> None:
    guest = i386.boot("linux-image-686:i386", "console=tty0 quiet")
    person = Person(guest)
    person.prompt()
    said = person.command("uname -rm; nproc; i=0; while [ $i -lt 20 ]; do (true); i=$((i+1)); done; echo forks $i")
    assert "-686 i686\n1\nforks 20\n" in said, said
    picture(guest, "debian-686")
    person.exit()
    powers_off(guest, MOST)


def test_with_pae_four_processors_and_a_frame_buffer() -> None:
    other = processes.start("3", "tests.real.i386", "7")
    guest = i386.several_processors()
    so_far = i386.all_up(guest)
    assert finished(converse(guest, SCRIPT, FIRST))
    picture(guest, "debian-686-pae")
    shown = screen_of(guest.domain).picture()
    assert (shown.width, shown.height) == (800, 600)
    colors = Counter(shown.rgb[at : at + 3] for at in range(0, len(shown.rgb), 3))
    assert set(colors) == {BLACK, GREY, RED, YELLOW}
    assert colors[RED] + colors[YELLOW] == len(" in colours ") * 8 * 16 and colors[GREY] > 100 * colors[YELLOW]
    assert json.loads(processes.ended(other)) == so_far
