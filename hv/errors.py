"""Refusals with a reason: every errno that a guest gets carries the rule that was broken and the facts."""

from __future__ import annotations

from hv import abi

__all__ = ["XenError"]


class XenError(Exception):
    """A hypercall is refused. The guest sees ``-errno``; people see ``sentence``.

    `rule` is an id of native/abi/rules.def; `facts` are the values that the rule names, all of them and no
    other (ValueError otherwise: that is a mistake of the host's, not of the guest's).
    """

    def __init__(self, rule: str, **facts: int) -> None:
        found = abi.RULES.get(rule)
        if found is None:
            raise ValueError(f"native/abi/rules.def has no rule {rule}")
        if set(facts) != set(found.facts):
            raise ValueError(f"rule {rule} wants the facts {found.facts}, not {tuple(facts)}")
        super().__init__(rule, facts)
        self.rule = rule
        self.facts = facts

    @property
    def errno(self) -> int:
        """The positive error number."""
        return abi.ERRNOS[self.errno_name]

    @property
    def errno_name(self) -> str:
        """The error's name: EINVAL and so on."""
        return abi.RULES[self.rule].errno

    @property
    def sentence(self) -> str:
        """What was wrong and what would have been accepted, with the facts filled in."""
        return abi.RULES[self.rule].sentence.format(**self.facts)

    def __str__(self) -> str:
        return f"{self.errno_name} [{self.rule}] {self.sentence}"

    @classmethod
    def from_number(cls, number: int, facts: tuple[int, ...]) -> XenError:
        """The refusal that C recorded: a rule by its number in rules.def, and its facts in order.
        ValueError: there is no such rule."""
        for rule in abi.RULES.values():
            if rule.number == number:
                return cls(rule.name, **dict(zip(rule.facts, facts, strict=False)))
        raise ValueError(f"native/abi/rules.def has no rule number {number}")
