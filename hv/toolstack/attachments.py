"""What of the world outside is connected with a running guest, and is looked after between two slices of its run."""

from __future__ import annotations

from typing import Protocol


class Attachment(Protocol):
    """A screen's viewers, a serial line, a NAT's sockets, a file of frames. Of the last nothing comes: what files() and
    patience() say here is for those."""

    def files(self) -> list[int]:
        """What to wait for while the guest waits: file descriptors that become readable."""
        return []

    def patience(self) -> float | None:
        """For how many seconds poll() need not be called if nothing comes; None: for ever."""
        return None

    def poll(self) -> object:
        """Do what is to be done now, without waiting; what comes in enters by the input gate."""

    def close(self) -> None:
        """The run is over."""


def shortest(attachments: list[Attachment], seconds: float) -> float:
    """For how long to wait at most, when nothing comes."""
    return min([seconds, *(p for attachment in attachments if (p := attachment.patience()) is not None)])
