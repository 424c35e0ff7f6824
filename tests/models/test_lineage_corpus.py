"""The corpus that lineage verdicts are proven on: honest children of today's and older quantizers, and every
class of tampering. The tables over all of it are made by ``benchmarks/lineage_*.py``."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnxruntime
import pytest

from registry.onnx.quantize import Recipe
from support.lineage import older, parents, qura, recipes, tampering
from support.lineage.children import Child, children
from support.lineage.modes import Mode, every_mode, older_modes, short_modes
from support.lineage.parents import DEVELOPMENT, PARENTS, TEST
from support.lineage.surgery import NotApplicable, loads

POOL = ("mlp", "cnn", "transformer", "residual", "lstm", "torch-old-encoder")
TRIALS = 3


@cache
def pool() -> tuple[Child, ...]:
    """A few children of each kind."""
    onnxruntime.set_default_logger_severity(4)
    made = (each for name in POOL for each in children(parents.by_name(name), short_modes()))
    return tuple(each for each in made if isinstance(each, Child))


def tampered(name: str, trials: int) -> list[tuple[Child, bytes]]:
    """So many files changed by that class of tampering, beside the honest ones."""
    made: list[tuple[Child, bytes]] = []
    order = np.random.default_rng(len(name)).permutation(len(pool()))
    for place in order:
        try:
            made.append((pool()[place], tampering.TAMPERINGS[name](pool()[place].model, dice(int(place)))))
        except NotApplicable:
            continue
        if len(made) == trials:
            break
    return made


def dice(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- the corpus itself ---


def test_at_least_half_of_the_parents_were_kept_out_of_development() -> None:
    halves = [parent.half for parent in PARENTS]
    assert set(halves) == {DEVELOPMENT, TEST}
    assert halves.count(TEST) >= halves.count(DEVELOPMENT)
    assert len({parent.name for parent in PARENTS}) == len(PARENTS) >= 12


def test_modes_have_names_of_their_own() -> None:
    for modes in (every_mode(), older_modes(), short_modes()):
        assert len({mode.name for mode in modes}) == len(modes)


def test_children_of_older_releases_are_those_that_were_committed() -> None:
    counts = {release: sum(1 for _ in older.children(release)) for release in older.RELEASES}
    assert counts == {"1.17.3": 370, "1.20.1": 388}


def test_a_changed_archive_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    files = dict(older._archive("onnxruntime-1.17.3"))
    name = next(iter(files))
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    monkeypatch.setattr(older, "_archive", lambda _: files)
    with pytest.raises(older.WrongVector):
        next(older.children("1.17.3"))


@pytest.mark.parametrize("name", [parent.name for parent in PARENTS if parent.origin == parents.EXPORTED])
def test_exported_parents_run(name: str) -> None:
    parent = parents.by_name(name)
    session = onnxruntime.InferenceSession(parent.model(), providers=["CPUExecutionProvider"])
    assert all(np.isfinite(output).all() for output in session.run(None, dict(parent.feeds(1))))


# --- tampering ---


@pytest.mark.parametrize("name", tampering.TAMPERINGS)
def test_a_tampered_file_differs_and_loads(name: str) -> None:
    trials = tampered(name, TRIALS)
    assert len(trials) == TRIALS
    for honest, changed in trials:
        assert changed != honest.model
        assert loads(changed), honest.name


@pytest.mark.parametrize("name", tampering.TAMPERINGS)
def test_the_same_dice_tamper_in_the_same_way(name: str) -> None:
    (honest, changed), *_ = tampered(name, 1)
    again = tampering.TAMPERINGS[name](honest.model, dice(pool().index(honest)))
    assert again == changed


def test_a_child_of_a_near_twin_has_the_same_shape_and_other_numbers() -> None:
    honest = recipes.child(parents.by_name("mlp"), Recipe())
    twin = tampering.twin_child(honest, dice(1))
    assert twin != honest.model
    assert abs(len(twin) - len(honest.model)) < 64


# --- rounding directions ---


def test_rounding_alone_opens_a_back_door_at_four_bits() -> None:
    attack = qura.Attack(bits=4, target=3, corner=3)
    honest, evil = (qura.measure(model, attack) for model in (qura.honest(4).model, qura.attacked(attack)))
    assert honest.success < 0.05
    assert evil.success > 0.9
    assert evil.accuracy > honest.accuracy - 0.06


def test_mode_names_say_what_they_are() -> None:
    assert Mode("static").name == "static-qdq-minmax-tensor-au8.w8"
    assert Mode("nbits", qdq=False, bits=8, symmetric=False).name == "nbits-8bit-asym-block32"
