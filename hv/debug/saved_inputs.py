"""Inputs (hv.inputs) as plain data, and back: [instructions, idle ns, moment, domid, service, data]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.debug.fields import FieldError, hexbytes, items, number, text
from hv.inputs import FAR_FUTURE, WAIT, History, Input, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_INPUTS = 1 << 24
_MOMENTS = {moment.name.lower(): moment for moment in Moment}


def inputs_plain(inputs: Iterable[Input]) -> list[Any]:
    """Inputs, oldest first."""
    return [
        [entry.retired, entry.idle_ns, entry.moment.name.lower(), entry.domid, entry.service, entry.data.hex()]
        for entry in inputs
    ]


def inputs_from(data: Any) -> list[Input]:
    """The reverse. FieldError: one of them is no input, or comes before the one before it."""
    found: list[Input] = []
    for entry in items(data, "inputs", MAX_INPUTS):
        retired, idle_ns, moment, domid, service, content = items(entry, "an input", 6, 6)
        made = Input(
            number(retired, "an input's count", FAR_FUTURE), number(idle_ns, "an input's idle time", FAR_FUTURE),
            moment_from(moment), number(domid, "an input's domid", 0x7FEF), text(service, "an input's service", 64),
            hexbytes(content, "an input's data"),
        )  # fmt: skip
        if made.service == WAIT and not (made.data.isdigit() and len(made.data) < 19):
            raise FieldError("an input is no time to wait")
        if found and made[:2] < found[-1][:2]:
            raise FieldError("an input comes before the one before it")
        found.append(made)
    return found


def moment_from(value: Any, *, inside: bool = False) -> Moment:
    """A moment by its name; `inside`: it may be that at a breakpoint, where nothing enters."""
    if type(value) is not str or value not in _MOMENTS or (value == "inside" and not inside):
        raise FieldError("there is no such moment")
    return _MOMENTS[value]


def histories(inputs: Sequence[Input]) -> list[History | None]:
    """The history before the first input, after the first, and so on; each shares its beginning with the next."""
    found: list[History | None] = [None]
    for entry in inputs:
        found.append(History(found[-1], entry))
    return found


def beginnings(history: History | None) -> Iterator[History | None]:
    """A history and all that it began as, down to none."""
    while history is not None:
        yield history
        history = history.before
    yield None
