"""How much there is of each kind, in a company of so many acts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

_MILLION = 1_000_000


@dataclass(frozen=True)
class Sizes:
    """Of a million acts 15,000 are of the law, by 1,000 members about 2,000 models; a smaller company has
    more of everything for its acts, for members and models grow slower than what is done with them."""

    acts: int
    members: int
    models: int
    law: int
    pushes: int
    attests: int
    aliases: int
    yanks: int
    failures: int
    refusals: int

    @classmethod
    def of(cls, acts: int) -> Sizes:
        """The sizes that go with so many acts, a few dozen at least."""
        part = acts / _MILLION
        return cls(
            acts=acts,
            members=max(14, round(1_000 * part**0.5)),
            models=max(8, round(2_000 * part**0.55)),
            law=min(acts // 2, round(15_000 * part**0.6)),
            pushes=round(20_000 * part**0.7),
            attests=round(9_000 * part**0.7),
            aliases=round(8_000 * part**0.7),
            yanks=max(2, round(500 * part**0.6)),
            failures=max(1, round(300 * part**0.6)),
            refusals=round(25_000 * part),
        )

    @property
    def namespaces(self) -> int:
        return max(3, self.models // 50)

    @property
    def admins(self) -> int:
        return max(2, self.members // 150)

    @property
    def auditors(self) -> int:
        return max(1, self.members // 100)

    @property
    def lawful(self) -> Counter[str]:
        """The acts of the law by kind, after the founding of the namespaces: shares of what there is left."""
        return Counter(
            {
                "enroll": self.members,
                "create": self.models,
                "team": self.namespaces // 2,
                "team-add": self.members // 3,
                "grant": max(20, self.law - 2 * self.models - 2 * self.members),
                "revoke": self.law // 15,
                "team-remove": self.members // 16,
                "disable": self.members // 7,
                "replace": self.members // 5,
                "rotate": self.law // 90,
                "policy": 2 + self.law // 400,
            }
        )
