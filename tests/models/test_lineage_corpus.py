"""The corpus that lineage verdicts are proven on: honest children of today's and older quantizers, and every
class of tampering. The tables over all of it are made by ``benchmarks/lineage_*.py``."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnxruntime
import pytest

from registry.onnx.quantize import Recipe
from support.lineage import judging, older, parents, qura, recipes, tampering
from support.lineage.children import Child, children
from support.lineage.modes import PREPROCESSED, Mode, every_mode, older_modes, short_modes
from support.lineage.parents import DEVELOPMENT, PARENTS, TEST
from support.lineage.recipes import RecipeChild
from support.lineage.surgery import NotApplicable, loads

POOL = ("mlp", "cnn", "transformer", "residual", "lstm", "torch-old-encoder")
HONEST = (
    "mlp",
    "cnn",
    "transformer",
    "bn-cnn",
    "residual",
    "gru",
    "encoder",
    "torch-new-encoder",
    "torch-old-bncnn",
)
REPLAYED = ("mlp", "transformer", "residual")
TRIALS = 3
SAMPLED = 9  # every ninth of what older releases made


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


def children_of(name: str, mode: Mode) -> list[Child]:
    return [each for each in children(parents.by_name(name), [mode]) if isinstance(each, Child)]


def excepted(made: Child) -> bool:
    """What docs/lineage-detection.md lists with its reason."""
    rewritten = made.mode.prepare == PREPROCESSED
    zeros = made.parent.name == "torch-old-encoder" and made.mode.calibrated
    cut = made.producer.endswith("1.17.3") and made.mode.symmetric_weights is False
    return rewritten or zeros or cut or made.mode.calibration == "Distribution"


@cache
def own(name: str) -> tuple[RecipeChild, ...]:
    """What this project's quantizer makes of the parent."""
    made = recipes.children(parents.by_name(name), recipes.short_recipes())
    return tuple(each for each in made if isinstance(each, RecipeChild))


def tampered_own(name: str) -> list[tuple[RecipeChild, bytes]]:
    """A few trials on children whose recipes are known."""
    honest = [each for parent in REPLAYED for each in own(parent)]
    trials: list[tuple[RecipeChild, bytes]] = []
    for place in np.random.default_rng(len(name)).permutation(len(honest)):
        try:
            trials.append((honest[place], _tampered(name, honest[place], dice(int(place)))))
        except NotApplicable:
            continue
        if len(trials) == TRIALS:
            return trials
    raise AssertionError(f"{name}: only {len(trials)} files have what it takes")


def _tampered(name: str, honest: RecipeChild, rng: np.random.Generator) -> bytes:
    if name in tampering.WITH_PARENT:
        return tampering.WITH_PARENT[name](honest, rng)
    return tampering.TAMPERINGS[name](honest.model, rng)


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
    twin = tampering.WITH_PARENT["parent swapped for a near twin"](honest, dice(1))
    assert twin != honest.model
    assert abs(len(twin) - len(honest.model)) < 64


# --- verdicts ---


@pytest.mark.parametrize("mode", short_modes(), ids=lambda mode: mode.name)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_child_is_derived_from_the_files_alone(name: str, mode: Mode) -> None:
    for made in children(parents.by_name(name), [mode]):
        if isinstance(made, Child):
            found = judging.judge(made.model, made.parent)
            assert found.verdict == "derived", found.reasons


@pytest.mark.parametrize("release", older.RELEASES)
def test_children_of_older_releases_are_derived(release: str) -> None:
    sample = [each for each in older.children(release) if not excepted(each)][::SAMPLED]
    assert len(sample) > 25
    found = {each.name: judging.judge(each.model, each.parent) for each in sample}
    assert {name: each.reasons for name, each in found.items() if each.verdict != "derived"} == {}


def test_a_child_that_lost_its_relu_is_unexplained() -> None:
    # The Distribution calibration of ONNX Runtime gives activations a range around 0, and the quantizer
    # still takes the Relu before them away.
    lost = children_of("mlp", Mode("static", calibration="Distribution"))
    assert [judging.judge(each.model, each.parent).verdict for each in lost] == ["unexplained"]


@pytest.mark.parametrize("name", REPLAYED)
def test_a_child_with_its_recipe_and_data_is_replayed(name: str) -> None:
    verdicts = {each.how: judging.replay(each.model, each.parent, each.recipe).verdict for each in own(name)}
    assert len(verdicts) > 8
    assert set(verdicts.values()) == {"replayed"}


@pytest.mark.parametrize("name", [*tampering.WEIGHTS, *tampering.STRUCTURE, *tampering.WITH_PARENT])
def test_tampered_weights_and_graphs_are_told_from_the_files_alone(name: str) -> None:
    for honest, changed in tampered_own(name):
        assert judging.judge(changed, honest.parent).verdict not in judging.HELD, honest.name


@pytest.mark.parametrize("name", [*tampering.TAMPERINGS, *tampering.WITH_PARENT])
def test_nothing_tampered_with_is_replayed(name: str) -> None:
    for honest, changed in tampered_own(name):
        assert judging.replay(changed, honest.parent, honest.recipe).verdict != "replayed", honest.name


# --- rounding directions ---


def test_rounding_alone_opens_a_back_door_at_four_bits_and_is_told() -> None:
    attack = qura.Attack(bits=4, target=3, corner=3)
    honest, changed = qura.honest(4), qura.attacked(attack)
    before, after = (qura.measure(model, attack) for model in (honest.model, changed))
    assert before.success < 0.05
    assert after.success > 0.9
    assert after.accuracy > before.accuracy - 0.06
    assert judging.judge(honest.model, honest.parent).verdict == "derived"
    assert judging.judge(changed, honest.parent).verdict == "non-nearest"
    assert judging.replay(changed, honest.parent, honest.recipe).verdict == "non-nearest"


def test_mode_names_say_what_they_are() -> None:
    assert Mode("static").name == "static-qdq-minmax-tensor-au8.w8"
    assert Mode("nbits", qdq=False, bits=8, symmetric=False).name == "nbits-8bit-asym-block32"
