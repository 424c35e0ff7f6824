"""Mutants by number: the same seed and number give the same files on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from fuzz.messages import write
from fuzz.mutations import MUTATIONS
from fuzz.seeds import PATH, seeds

_LARGEST = 4 << 20  # bytes: what grows beyond is cut off there


@dataclass(frozen=True)
class Mutant:
    number: int
    parent: str
    how: tuple[str, ...]
    files: Mapping[str, bytes]
    origin: Mapping[str, bytes]  # the float model that the parent was made from

    def __str__(self) -> str:
        return f"#{self.number} of {self.parent} by {', '.join(self.how)}"


def mutant(seed: int, number: int, of: str = "") -> Mutant:
    """One mutant; of the seed named ``of``, where one is named."""
    dice = Random(f"{seed}:{number}")
    parent = dice.choice([one for one in seeds() if of in ("", one.name)])
    tree, how = parent.tree.copy(), []
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        change = dice.choice(MUTATIONS)
        change(dice, tree)
        how.append(change.__name__)
    data = bytearray(write(tree)[:_LARGEST])
    how += _damage(dice, data)
    files = dict(parent.files)
    if files and dice.random() < 0.3:
        how += _spoil(dice, files)
    return Mutant(number, parent.name, tuple(how), {PATH: bytes(data), **files}, parent.origin)


def _damage(dice: Random, data: bytearray) -> list[str]:
    """What happens to bytes, whatever they mean."""
    kind = dice.random()
    if kind < 0.08 and data:
        for _ in range(dice.choice((1, 1, 2, 10))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        return ["flip"]
    if kind < 0.12:
        del data[dice.randint(0, len(data)) :]
        return ["truncate"]
    if kind < 0.15:
        data += dice.randbytes(dice.choice((1, 10, 1000)))
        return ["append"]
    return []


def _spoil(dice: Random, files: dict[str, bytes]) -> list[str]:
    name = dice.choice(sorted(files))
    if dice.random() < 0.3:
        del files[name]
        return ["lose file"]
    files[name] = files[name][: dice.randint(0, len(files[name]))]
    return ["cut file"]
