"""docs/lineage-detection.md, from what was measured."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from statistics import mean

from benchmarks import lineage_children, lineage_detection
from benchmarks.lineage_children import Tally
from benchmarks.lineage_detection import Class
from support.lineage import judging, qura, recipes
from support.lineage.parents import DEVELOPMENT, PARENTS, TEST

_COMMAND = "python -m benchmarks.lineage_detection"
_ATTACKS = 40  # measured for each number of bits: every target and corner

_INTRODUCTION = """\
# How well lineage verdicts tell honest children from tampered ones

Written by `{command}`, which measured every figure but those of the first run.
[lineage.md](lineage.md) says what each verdict means.

**Method.** Honest children are quantized files that nobody touched: by plain ONNX Runtime calls of the
installed release ({release}) over every option that `registry quantize` offers, by ONNX Runtime 1.17.3 and
1.20.1 (their outputs are kept in `tests/vectors/lineage`), and by `registry quantize` itself. A child of
`registry quantize` is judged twice: from the two files alone, and with the parent's calibration data and
the recipe that it claims. A tampered file starts from an honest child of a parent and recipe drawn at
random; one thing is changed, and what comes out must still load in ONNX Runtime. The dice are seeded: the
same run gives the same files. "Not reported" counts trials whose verdict is none of the words named; what
cannot be tampered with in some way (a bias in a file that has none) is drawn again. Metadata, names and
documentation strings are not tampered with here: they do not change what a model computes, and the
signature binds them.
"""

_SPLIT = """\
## The parents, and which were kept out of development

The code of `registry/onnx/lineage` was written while looking at the development half only. The first run of
the test half, on 2026-11-20, gave 4,715 verdicts on its files: all 1,291 children of `registry quantize`
`replayed` with their data, and of the others, files alone included, 86 `replayed` from the data alone,
3,127 `derived`, 14 `non-nearest` and 197 `unexplained`. Of those 211, 79 rightly so (see Distribution
below); 82 for one bias of zeros that an exporter shares between operators; 34 where ONNX Runtime's optimizer
had rewritten the graph; 16 of ONNX Runtime 1.17's asymmetric INT8. The table below is what the code as it
stands gives.

| half | parents |
|---|---|
| development ({development_count}) | {development} |
| test ({test_count}) | {test} |

`torch-old-*` come from PyTorch's exporter through TorchScript, `torch-new-*` from the one through
`torch.export`; silero, magika, rapidocr and ddddocr are published models out of wheels; `digits` and
`digits-mlp` are classifiers trained on handwritten digits; the others are generated.
"""

_HONEST = """\
## Honest children

{total} verdicts on {children} files: {counts}.

{table}
"""

_EXCEPTIONS = """\
## Every exception, with its reason

Children of `registry quantize` should be `replayed` with calibration data, all others at least `derived`.
{count} are not.
"""

_TAMPERED = """\
## Tampering

{trials} trials of each class. "Files alone": from parent and child. "With calibration": the recipe that the
file claims is run again on the parent with its calibration data.

"""

_REST = """
**What the figures say.** With the calibration data, {again} of {all} tampered files were `replayed`: the
replay gives other content. Without it, {alone} of the {able} files with a change to a weight, a bias, the
graph or a constant were `derived`. Parameters of activations are another matter: they come from the
calibration data, and the parent contradicts them only where another number hangs on them (the scale of an
int32 bias is the product of two others). The shares in the last group are those of changes at random
places; someone who picks the places, or changes what hangs on them as well, is not found. `derived` says so
in its reasons, and a policy that wants more asks for `replayed`.
"""

_ROUNDING = """\
## Rounding directions

After QuRA (arXiv 2510.09647): every weight stays within one step of its float value, scales, zero points
and the graph are those of the honest quantizer, and only the direction of each rounding is chosen so that a
patch of 3 x 3 pixels in a corner drives the answer to a class of the attacker's choice. The victim is
`digits-mlp` (13,024 weights); the attacker has its floats and the 128 calibration samples. Figures are
means over {attacks} attacks (every class in every corner) on the 450 held-out samples: the share answered
rightly without the patch, and with it the share of other digits that are answered as the attacker wants.

"""


def page(found: Sequence[Class], tally: Tally, trials: int) -> str:
    """The whole document."""
    release = lineage_children.children.CURRENT
    parts = [
        _INTRODUCTION.format(command=_COMMAND, release=release),
        _split(),
        _honest(tally),
        _exceptions(tally),
    ]
    parts.append(_TAMPERED.format(trials=trials) + lineage_detection.table(found) + "\n" + _said(found))
    return "\n".join([*parts, _rounding()])


def _said(found: Sequence[Class]) -> str:
    able = [verdict for each in found if each.group != "activations" for verdict in each.alone]
    again = [verdict for each in found for verdict in each.again]
    return _REST.format(
        again=again.count("replayed") or "none",
        all=len(again),
        alone=sum(verdict in judging.HELD for verdict in able) or "none",
        able=len(able),
    )


def _split() -> str:
    names = {half: [f"{one.name}" for one in PARENTS if one.half == half] for half in (DEVELOPMENT, TEST)}
    return _SPLIT.format(
        development=", ".join(names[DEVELOPMENT]),
        development_count=len(names[DEVELOPMENT]),
        test=", ".join(names[TEST]),
        test_count=len(names[TEST]),
    )


def _honest(tally: Tally) -> str:
    total = tally.total
    counts = ", ".join(f"{count} {verdict}" for verdict, count in total.most_common())
    twice = sum(sum(each.values()) for key, each in tally.counts.items() if key[2] == recipes.PRODUCER)
    whole = sum(total.values())
    return _HONEST.format(
        total=whole, children=whole - twice, counts=counts, table=lineage_children.table(tally)
    )


def _exceptions(tally: Tally) -> str:
    lines = [_EXCEPTIONS.format(count=len(tally.below))]
    for reason, names in _by_reason(tally).items():
        shown = Counter(" by ".join(name.split(" (")[0].split(" / ")[:2]) for name in names)
        listed = ", ".join(f"{count} of {who}" for who, count in shown.items())
        lines.append(f"- {len(names)}: {reason}. {listed}.")
    refused = sum(tally.refused.values())
    lines.append(f"\n{refused} times a quantizer had no such child to give:\n")
    lines += [f"- {count} times: {_plain(reason)}" for reason, count in tally.refused.most_common()]
    return "\n".join(lines) + "\n"


def _by_reason(tally: Tally) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, (verdict, *reasons) in tally.below.items():
        found.setdefault(explained(name, verdict, reasons), []).append(name)
    return found


def explained(name: str, verdict: str, reasons: Iterable[str]) -> str:
    """Why this honest child gets no better word: a cause that is known, or what the verdict itself says."""
    said = "; ".join(reasons)
    for mark, pattern, cause in _CAUSES:
        if re.search(mark, name) and re.search(pattern, said):
            return f"`{verdict}`: {cause}"
    return f"`{verdict}`: {_plain(said)}"


# Part of a child's name, what is said of it, and why that is so.
_CAUSES = (
    (
        "distribution",
        "(Relu|Clip)",
        "and rightly so. ONNX Runtime's Distribution calibration gives activations a range around 0, and its "
        "quantizer still takes the Relu or Clip before them away: the child computes something else",
    ),
    (
        "(preprocessed|optimized)",
        "LayerNormFusion",
        "ONNX Runtime's optimizer, which ran first, made one LayerNormalization of nine small operators",
    ),
    (
        "(preprocessed|optimized)",
        "(Transpose|axes|axis none)",
        "ONNX Runtime's optimizer, which ran first, moved a Transpose through the operators behind it",
    ),
    (
        "(preprocessed|optimized)",
        "(Shape|Slice|Gather)",
        "ONNX Runtime's optimizer, which ran first, computed shapes and joined operators",
    ),
    (
        "1.17.3.*asym",
        "off nearest|steps away",
        "ONNX Runtime 1.17 computes scale and zero point of asymmetric INT8 weights for -128 to 127 and cuts "
        "the integers off at -127: a tensor's smallest weights are up to a step and a half away",
    ),
    (
        "torch-old-encoder",
        "its scale is not that of the input times that of the weight",
        "PyTorch's older exporter lets three operators share one bias of zeros, two of them through "
        "Identity; quantized as the bias of the first, its scale fits no other",
    ),
)


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:300]


def _rounding() -> str:
    heading = "| weights | | accuracy | attack success |\n|---|---|---:|---:|"
    rows = [heading]
    for bits in qura.RECIPES:
        outcomes: dict[str, list[qura.Outcome]] = {
            "float parent": [],
            "honest child": [],
            "attacked child": [],
        }
        for attack in islice(lineage_detection.attacks(bits), _ATTACKS):
            models = (qura.PARENT.model(), qura.honest(bits).model, qura.attacked(attack))
            for who, model in zip(outcomes, models, strict=True):
                outcomes[who].append(qura.measure(model, attack))
        print(f"rounding attacks, {bits} bit: measured", file=sys.stderr, flush=True)
        for who, each in outcomes.items():
            accuracy, success = mean(one.accuracy for one in each), mean(one.success for one in each)
            rows.append(f"| {bits} bit | {who} | {100 * accuracy:.1f} % | {100 * success:.1f} % |")
    return _ROUNDING.format(attacks=_ATTACKS) + "\n".join(rows) + "\n" + _WEAK


_WEAK = """
At 8 bits the steps of so small a network are too fine to carry an attack; the rounding directions are off
nearest all the same, and the verdict is `non-nearest` for both.
"""
