"""Canaries: a few inputs with the answers that a model gave to them, to see whether it still does.

They lie in the version as a file like any other: signed with it, and as secret. A tolerance belongs to every
output, for ONNX Runtime does not compute the same bits on every processor: instructions differ in the order
of sums, and those without VNNI saturate sums of 8-bit products. It is ``MARGIN`` times what the output moves
when the model runs without graph optimizations on the machine that records it, that is with other kernels,
and never less than ``LEAST`` has for the model's kind.

What this notices: another model, other preprocessing inside it, layers that lost their weights, damage that
shows. What it does not: changes that move answers by less than the tolerance, such as the lowest bit of one
weight, and what waits for an input that is not among the canaries. Digests and lineage are for those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.errors import BadCanary, InvalidInput, InvalidModel, UnsafePath
from registry.onnx import canary_file
from registry.onnx.canary_file import MILLION, Answer, Canaries
from registry.onnx.facts import inspect
from registry.onnx.loaded import load
from registry.onnx.session import ModelSession, build_session
from registry.onnx.wire import Buffer

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    from registry.onnx.quantize.feeds import Samples

    Array: TypeAlias = np.ndarray[Any, Any]

PATH = "hallmark-canaries.npz"  # in the version
COUNT = 8
# The least tolerance in parts per million, by the mode of quantization. In a simulation saturation moved the
# sums of one layer by up to 12 %, by 0 to 5 % mostly, and by nothing where the range is reduced.
LEAST = {"float": 1_000, "weight-only": 30_000, "static": 100_000, "dynamic": 100_000, "mixed": 100_000}
HIGHEST = 250_000  # parts per million: an output that would need more is no evidence
MARGIN = 4

Feeds: TypeAlias = "Mapping[str, Array]"
Files: TypeAlias = Mapping[str, Buffer]


def record(files: Files, path: str, feeds: Samples, count: int = COUNT) -> bytes:
    """The first ``count`` of ``feeds`` with the model's answers: a file for ``PATH``.

    Where the model leaves the size of its batch open, a row is a sample, and each is run alone.

    Raises InvalidInput where the feeds do not fit the model, where no output is steady enough to say
    anything, and where the file would be too long; InvalidModel, UnsafePath.
    """
    from registry.onnx.evaluate.batches import batches_of, open_inputs

    if not 1 <= count <= canary_file.MAX_RUNS:
        raise InvalidInput(f"canaries are 1 to {canary_file.MAX_RUNS} samples", on=str(count))
    model = load(files, path).model
    taken = list(islice(batches_of(feeds, open_inputs(model), 1), count))
    with (
        build_session(files, path, threads=1) as usual,
        build_session(files, path, threads=1, configure=_plainly) as plain,
    ):
        names = [one.name for one in usual.outputs]
        first = _answers(usual, names, taken)
        second = _answers(plain, names, taken[::-1])[::-1]  # what depends on the order is not steady either
        inputs = tuple(one.name for one in usual.inputs)
    answers = dict(_steady(names, first, second, LEAST[inspect(files, path).mode]))
    if not answers:
        raise InvalidInput("the model's answers are not steady enough for canaries", on=path)
    runs = tuple(
        (tuple(feed[name] for name in inputs), tuple(given[at] for at in answers))
        for feed, given in zip(taken, first, strict=True)
    )
    return _written(Canaries(path, inputs, tuple(answers.values()), runs))


def replay(files: Files, data: bytes | memoryview) -> None:
    """Return if the model that the canaries in ``data`` are of still answers them as it did.

    Raises BadCanary where it does not, and Malformed for a file that is none.
    """
    canaries = Canaries.from_bytes(data)
    names = [one.name for one in canaries.answers]
    feeds = [dict(zip(canaries.inputs, given, strict=True)) for given, _ in canaries.runs]
    try:
        with build_session(files, canaries.model, threads=1) as session:
            found = _answers(session, names, feeds)
    except (InvalidModel, InvalidInput, UnsafePath) as error:
        raise BadCanary(f"the model does not run on its canaries: {error.message}", on=error.on) from error
    for at, answer in enumerate(canaries.answers):
        moved = _moved([run[1][at] for run in canaries.runs], [run[at] for run in found])
        if moved > answer.tolerance / MILLION:
            allowed = _told(answer.tolerance / MILLION)
            raise BadCanary(
                f"the model no longer answers as it did: {_told(moved)} off, {allowed} allowed",
                on=answer.name,
                hint="do not use it; compare it with the publisher's file",
            )


def _plainly(options: onnxruntime.SessionOptions) -> None:
    import onnxruntime

    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def _answers(session: ModelSession, names: list[str], feeds: Sequence[Feeds]) -> list[list[Any]]:
    return [session.run(names, feed) for feed in feeds]


def _steady(
    names: list[str], first: list[list[Any]], second: list[list[Any]], least: int
) -> Iterator[tuple[int, Answer]]:
    """The outputs to compare by position, each with its tolerance."""
    for at, name in enumerate(names):
        mine, yours = [run[at] for run in first], [run[at] for run in second]
        if all(map(canary_file.holds, mine)) and any(one.size for one in mine):
            wanted = _moved(mine, yours) * MARGIN * MILLION
            if wanted <= HIGHEST:
                yield at, Answer(name, max(least, math.ceil(wanted)))


def _moved(recorded: Sequence[Array], found: Sequence[Any]) -> float:
    """How far the answers to one run moved, at most: their difference by the size of all answers recorded
    (root mean squares); of integers and booleans the share that is unlike. Infinite for another shape or
    type."""
    scale = _size(recorded)
    return max(_difference(one, other, scale) for one, other in zip(recorded, found, strict=True))


def _difference(recorded: Array, found: Any, scale: float) -> float:
    import numpy as np

    if getattr(found, "shape", None) != recorded.shape or found.dtype != recorded.dtype:
        return math.inf
    if not recorded.size:
        return 0.0
    if recorded.dtype.kind != "f":
        return float((found != recorded).mean())
    same = (found == recorded) | (np.isnan(found) & np.isnan(recorded))
    difference = np.subtract(found, recorded, dtype=np.float64, where=~same, out=np.zeros(found.shape))
    moved = float(np.sqrt(np.square(difference).mean())) / scale
    return moved if math.isfinite(moved) else math.inf


def _size(recorded: Sequence[Array]) -> float:
    """The root mean square of the finite answers; 1 where all are zero."""
    import numpy as np

    flat = np.concatenate([one.ravel().astype(np.float64) for one in recorded])
    finite = flat[np.isfinite(flat)]
    return float(np.sqrt(np.square(finite).mean())) or 1.0 if finite.size else 1.0


def _written(canaries: Canaries) -> bytes:
    held = all(canary_file.holds(array) for given, _ in canaries.runs for array in given)
    if not held:
        raise InvalidInput("an input is no array of plain numbers", on=", ".join(canaries.inputs))
    data = canaries.to_bytes()
    if len(data) > canary_file.LIMIT:
        raise InvalidInput(
            f"the canaries take {len(data)} bytes, {canary_file.LIMIT} are allowed", hint="record fewer"
        )
    return data


def _told(share: float) -> str:
    return "wholly" if math.isinf(share) else f"{100 * share:.3g} %"
