"""A short run of the fuzz, for every change; ``make fuzz`` runs the long one."""

from __future__ import annotations

import hashlib
import signal
import time

import onnx
import pytest

from fuzz import trials
from fuzz.messages import write
from fuzz.mutants import Mutant, mutant
from fuzz.mutations import MUTATIONS
from fuzz.seeds import PATH, Seed, seeds
from fuzz.trials import COSTLY, READERS, attempt

SEED = 4
MUTANTS = 600
AT_ONCE = 50  # in one test, so that workers share them
COSTLY_EVERY = 8


@pytest.mark.parametrize("first", range(0, MUTANTS, AT_ONCE))
def test_no_mutant_gets_through_a_reader_but_by_its_refusal(first: int) -> None:
    failures = []
    for number in range(first, first + AT_ONCE):
        without = COSTLY if number % COSTLY_EVERY else ()
        failures += attempt(mutant(SEED, number), without=without).failures
    assert "\n".join(map(str, failures)) == ""


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_every_seed_is_a_model_that_all_readers_accept(seed: Seed) -> None:
    """What is mutated is sound; else the readers would only be tested at their doors."""
    data = write(seed.tree)
    trial = attempt(Mutant(0, seed.name, (), {PATH: data, **seed.files}, seed.origin))
    assert trial.failures == []
    refused = {name: trial.outcomes[name] for name in set(READERS) - {"scan"}}
    assert set(refused.values()) == {"fine"}, refused


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_a_tree_that_nobody_changed_is_the_same_file(seed: Seed) -> None:
    whole = onnx.ModelProto.FromString(write(seed.tree))
    assert whole.graph.node
    assert write(seed.tree.copy()) == write(seed.tree)


def test_a_number_names_the_same_mutant_on_every_machine() -> None:
    def digest(number: int) -> str:
        made = mutant(SEED, number)
        return hashlib.sha256(repr((made.how, sorted(made.files.items()))).encode()).hexdigest()

    assert [digest(number) for number in range(40)] == [digest(number) for number in range(40)]
    assert len({digest(number) for number in range(40)}) == 40


def test_every_mutation_is_used_and_changes_something() -> None:
    made = [mutant(SEED, number) for number in range(MUTANTS)]
    assert {change.__name__ for change in MUTATIONS} <= {how for one in made for how in one.how}
    originals = {seed.name: write(seed.tree) for seed in seeds()}
    changed = sum(one.files[PATH] != originals[one.parent] for one in made)
    assert changed > 0.9 * MUTANTS


def test_about_half_of_the_mutants_get_past_the_first_door() -> None:
    """A fuzz of files that nobody reads on would test very little."""
    others = READERS.keys() - {"load", "scan"}
    outcomes = [attempt(mutant(SEED, number), without=others).outcomes["load"] for number in range(200)]
    assert 0.3 < outcomes.count("fine") / len(outcomes) < 0.8


def test_a_reader_that_falls_over_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(one: Mutant) -> object:
        raise KeyError("graph")

    monkeypatch.setitem(READERS, "load", broken)
    failures = attempt(mutant(SEED, 0), without=COSTLY).failures
    assert len(failures) == 1
    assert "KeyError: 'graph'" in failures[0].text
    assert "#0 of" in failures[0].text


def test_a_reader_that_hangs_is_interrupted_and_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(one: Mutant) -> object:
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(trials, "HANGS", 0.2)
    monkeypatch.setitem(READERS, "load", endless)
    before = signal.getsignal(signal.SIGALRM)
    failures = attempt(mutant(SEED, 0), without=COSTLY).failures
    assert len(failures) == 1
    assert failures[0].site.startswith("Hangs")
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_reader_that_takes_much_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "FAT", -1)
    assert [one.site for one in attempt(mutant(SEED, 0), without=COSTLY).failures] == ["memory"]
