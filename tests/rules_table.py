"""Which rules of rules.def guests have broken: `python -m tests.rules_table [FUZZED CALLS]`.

Runs every guest test, the fuzzing guest and the guests that come in pairs, adds up how often each rule refused, and
prints a table, the rules that nothing broke last. The exit code is 1 when there are any.
"""

from __future__ import annotations

import sys
from collections import Counter

from hv import abi
from hv.hypervisor import HostError
from hv.testing.build import guest_sources
from hv.testing.metadata import read_metadata
from hv.testing.runner import DomainUnderTest, Options
from tests.guests import pairs

MAX_INSNS = 100_000_000


def broken_rules(fuzzed_calls: int) -> Counter[str]:
    """Rule -> how often it refused in all those guests."""
    counts: Counter[str] = Counter()
    for source in guest_sources("tests"):
        options = Options(env=read_metadata(source).environments[0])
        if source.stem == "fuzz":
            options = Options(cmdline=f"seed=1 count={fuzzed_calls}", max_insns=100_000 * fuzzed_calls)
        guest = DomainUnderTest(source, options)
        try:
            guest.run(None if source.stem == "fuzz" else MAX_INSNS)
        except HostError as error:
            print(f"{source.stem}: {error}", file=sys.stderr)
        counts.update(guest.hv.refusals.counts())
    for ran in (pairs.run("exchange"), pairs.beside()):
        counts.update(ran[0].refusals.counts())
    return counts


def main(fuzzed_calls: int) -> int:
    """Print the table; 1 when a rule was broken by no guest."""
    counts = broken_rules(fuzzed_calls)
    for name in sorted(abi.RULES, key=lambda name: (counts[name] == 0, abi.RULES[name].number)):
        print(f"{name:32} {abi.RULES[name].errno:12} {counts[name]:>10,}")
    broken = sum(counts[name] > 0 for name in abi.RULES)
    print(f"{broken} of {len(abi.RULES)} rules were broken by a guest")
    return 0 if broken == len(abi.RULES) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
