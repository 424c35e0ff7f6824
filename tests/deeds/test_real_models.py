"""Published models of different kinds, and their quantized children, give the same outputs bit for bit.

Every model with its dynamic child, and the static children of some, on SQLite and a directory; a sample of
them on each backend.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.checkout import checkout
from registry.context import Context
from registry.pull import pull
from registry.push import push
from support import realmodels
from support.quantizing import DYNAMIC, PER_CHANNEL, PER_TENSOR
from support.realmodels import REAL_MODELS, RealModel
from support.running import plain, same

BY_NAME = {model.name: model for model in REAL_MODELS}
PUBLISHED = "as published"
# Children cost time to make (once) and to run; together these take every kind of quantization through
# every kind of network at least once.
CASES = [
    ("silero-vad", (PUBLISHED, DYNAMIC)),
    ("silero-vad-sequence", (PUBLISHED, DYNAMIC, PER_TENSOR)),
    ("magika", (PUBLISHED, DYNAMIC, PER_CHANNEL)),
    ("rapidocr-cls", (PUBLISHED, DYNAMIC, PER_CHANNEL, PER_TENSOR)),
    ("rapidocr-det", (PUBLISHED, DYNAMIC, PER_CHANNEL)),
    ("ddddocr-old", (PUBLISHED,)),
]
SAMPLE = [("rapidocr-cls", PER_CHANNEL), ("silero-vad", DYNAMIC), ("ddddocr-old", PUBLISHED)]
FACTS = {
    DYNAMIC: ("dynamic", "QOperator"),
    PER_CHANNEL: ("static", "QDQ"),
    PER_TENSOR: ("static", "QDQ"),
}


def _file(model: RealModel, kind: str) -> Path:
    return model.fetch() if kind == PUBLISHED else realmodels.quantized(model, kind)


def _round_trip(context: Context, model: RealModel, kind: str, target: Path) -> None:
    source = _file(model, kind)
    ref = f"{model.name}/{kind.replace(' ', '-')}"
    push(context, source, ref)
    feeds = model.feeds(seed=7)
    expected = plain(source, feeds)
    verified = checkout(context, ref)
    with verified.session() as session:
        assert same(session.run(None, feeds), expected), "in memory"
    pull(context, ref, target)
    assert (target / source.name).read_bytes() == source.read_bytes()
    assert same(plain(target / source.name, feeds), expected), "pulled"
    facts = verified.facts[source.name]
    if kind in FACTS:
        assert (facts.mode, facts.format) == FACTS[kind]
        weights = {one.granularity for one in facts.tensors if one.role == "weight" and one.stored}
        assert ("per-channel" in weights) == (kind == PER_CHANNEL)
    elif model.name == "ddddocr-old":
        assert (facts.mode, facts.format) == ("dynamic", "QOperator")
    else:
        assert (facts.mode, facts.format, facts.quantized_weights) == ("float", "none", 0)


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in CASES for kind in kinds])
def test_a_real_model_gives_the_same_outputs(context: Context, tmp_path: Path, name: str, kind: str) -> None:
    _round_trip(context, BY_NAME[name], kind, tmp_path / "out")


def test_a_sample_of_them_on_each_backend(anywhere: Context, tmp_path: Path) -> None:
    for name, kind in SAMPLE:
        _round_trip(anywhere, BY_NAME[name], kind, tmp_path / name)
