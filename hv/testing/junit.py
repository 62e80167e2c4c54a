"""Results as JUnit XML, which continuous integration systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from hv.testing.runner import Outcome, Verdict

_TAGS = {Verdict.SKIP: "skipped", Verdict.ERROR: "error", Verdict.FAILURE: "failure", Verdict.CRASH: "error"}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def _text(text: str) -> str:
    """Without what XML cannot carry: a guest prints what it likes."""
    return _FORBIDDEN.sub("?", text)


def write_junit(path: str, outcomes: Sequence[Outcome]) -> None:
    """Write one test suite. Raises OSError."""
    tags = [_TAGS.get(outcome.verdict, "") for outcome in outcomes]
    suite = ElementTree.Element(
        "testsuite",
        name="hv test",
        tests=str(len(outcomes)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{sum(outcome.seconds for outcome in outcomes):.3f}",
    )
    for outcome, tag in zip(outcomes, tags, strict=True):
        case = ElementTree.SubElement(
            suite, "testcase", classname="guest", name=outcome.name, time=f"{outcome.seconds:.3f}"
        )
        if tag:
            message = "; ".join(outcome.notes) or outcome.verdict.name
            ElementTree.SubElement(case, tag, message=_text(message), type=outcome.verdict.name)
        ElementTree.SubElement(case, "system-out").text = _text(outcome.console)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
