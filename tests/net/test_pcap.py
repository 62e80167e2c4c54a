"""Captures, read by somebody else's code; and time that goes back."""

import io
import os
import threading
from pathlib import Path

import dpkt

from hv.net.pcap import Capture

FRAMES = [bytes((n,)) * (60 + n) for n in range(5)]


def read(data: bytes) -> list[tuple[float, bytes]]:
    reader = dpkt.pcap.Reader(io.BytesIO(data))
    assert reader.datalink() == dpkt.pcap.DLT_EN10MB
    return [(float(time), frame) for time, frame in reader]


def test_frames_with_guest_time(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap")
    for n, frame in enumerate(FRAMES):
        capture(n + 1, n * 1_000_000_007, frame)
    capture.close()
    assert read((tmp_path / "a.pcap").read_bytes()) == [(n * 1.000000007, f) for n, f in enumerate(FRAMES)]


def test_when_time_goes_back_the_file_is_what_happened(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap")
    for n, frame in enumerate(FRAMES):
        capture(n + 11, n, frame)  # a capture that began at frame 11
    capture(13, 2, b"z" * 60)
    capture(10, 0, b"before")
    capture.flush()
    assert [frame for _, frame in read((tmp_path / "a.pcap").read_bytes())] == [*FRAMES[:2], b"z" * 60]
    capture(14, 3, b"y" * 60)
    capture.close()
    assert [frame[:1] for _, frame in read((tmp_path / "a.pcap").read_bytes())] == [b"\0", b"\1", b"z", b"y"]


def test_a_pipe_gets_each_frame_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    capture = Capture(tmp_path / "pipe")
    for n in (1, 2, 3, 2, 3, 4):
        capture(n, n, FRAMES[n])
    capture.close()
    reader.join()
    assert [frame for _, frame in read(got[0])] == FRAMES[1:]
