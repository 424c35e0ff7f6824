"""Quantize as a deed: a float model in, its quantized child published, the recipe signed with it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from registry import acts, catalog, disk, home, lineage, opening, scanning
from registry.context import Context
from registry.errors import InvalidInput, ReferenceNotFound
from registry.opening import Opened
from registry.push import Pushed, Views, check_right, push
from registry.push import check_target as push_target
from registry.refs import Reference

if TYPE_CHECKING:
    from registry.onnx.quantize import Calibration, Recipe

_TOOLS = ("numpy", "onnx", "onnxruntime")
_KEPT = "-fp32"  # the parent's model is called as the child's, with this
Record = dict[str, Any]


@dataclass(frozen=True)
class Quantized:
    """A published child. ``path`` is its ONNX file, ``before`` and ``size`` are bytes of parent and child.

    ``parent`` names what it was made from, ``origin`` is that version, where it is in the registry.
    ``samples`` is the number of samples that calibrated it, None where the recipe uses none.
    """

    pushed: Pushed
    recipe: Recipe
    path: str
    parent: str
    origin: Reference | None
    before: int
    size: int
    samples: int | None


def quantize(
    context: Context,
    source: str,
    to: str,
    recipe: Recipe | None = None,
    *,
    calibration: Path | None = None,
    keep_parent: bool = False,
    model: str | None = None,
    label: str | None = None,
    aliases: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    allow: Collection[str] = (),
    proof: bool = True,
    how: str = "quantized",
) -> Quantized:
    """Quantize ``source``, a path or a reference, and publish the result as the next version of ``to``.

    ``recipe`` defaults to static where there is calibration data (``.npz``, or a directory of such), else to
    dynamic. Recipe, tool versions, the parent's digests and those of the calibration data are signed with the
    version, and unless ``proof`` is false the proof of its lineage. ``keep_parent`` publishes the float model
    first, as ``<to>-fp32``, where it is not in the registry. ``model`` names the ONNX file where the source
    has several; ``allow`` names findings of the scan that are accepted; ``how`` is the family tree's word for
    it. Raises InvalidInput, NotFound, Hostile, Denied, Conflict or Unavailable; nothing is published then,
    but for the parent.
    """
    from registry.onnx.quantize import load_calibration
    from registry.onnx.quantize.presets import choose
    from registry.onnx.quantize.scratch import scratch

    target = check_target(context, to)
    recipe = recipe or choose(calibrated=calibration is not None)
    data = _data(recipe, None if calibration is None else load_calibration(calibration))
    with ExitStack() as stack:
        parent = _open(context, source, model, stack)
        made, samples = _made(context, parent, recipe, data)
        if keep_parent and parent.ref is None:
            parent = replace(parent, ref=_kept(context, parent, f"{target.model}{_KEPT}", allow))
        child = _name(parent.path, recipe)
        predicate = {"how": how, **_predicate(parent, child, recipe, data, samples)}

        def proving(views: Views) -> Sequence[tuple[str, Record]]:
            return lineage.statements(views, child, parent, data, recipe) if proof else ()

        folder = stack.enter_context(scratch(len(made)))
        disk.create(folder / child, made, 0o600)
        pushed = push(
            context,
            folder / child,
            to,
            label=label,
            aliases=aliases,
            metadata=metadata,
            allow=allow,
            statements=[(acts.RECIPE, predicate)],
            proving=proving,
        )
        before = sum(len(parent.files[name]) for name in _needed(parent))
    return Quantized(pushed, recipe, child, str(parent), parent.ref, before, len(made), samples)


def check_target(context: Context, text: str) -> Reference:
    """The model to publish to: what the push would refuse is refused here, before minutes of work.

    Raises InvalidReference, NotPermitted or Disabled.
    """
    ref = push_target(text)
    check_right(context, ref.model)
    return ref


def _data(recipe: Recipe, data: Calibration | None) -> Calibration | None:
    """The calibration data, where the recipe wants some; else none."""
    if data is None and recipe.needs_calibration:
        raise InvalidInput(
            "static quantization needs calibration data", hint="--calibration FILE.npz, or --mode dynamic"
        )
    if data is not None and not recipe.needs_calibration:
        raise InvalidInput(
            f"{recipe.mode} quantization uses no calibration data",
            hint="leave --calibration away, or take --mode static",
        )
    return data


def _open(context: Context, source: str, model: str | None, stack: ExitStack) -> Opened:
    """The float model; of a directory of one's own only the ONNX file and its external data."""
    if not opening.is_path(source):
        return stack.enter_context(opening.open_version(context, source, "quantize", model))
    place = Path(source).expanduser()
    found = stack.enter_context(opening.open_path(place, model))
    if place.is_dir():
        found = stack.enter_context(opening.open_path(place / found.path))
    report = scanning.scan_files(found.files)
    # Refused here is what harms whoever loads it. What is only suspicious may be gone in the child.
    scanning.require(report, scanning.serious(report))
    return found


def _made(
    context: Context, parent: Opened, recipe: Recipe, data: Calibration | None
) -> tuple[bytes, int | None]:
    """The child, and the number of samples that calibrated it."""
    from registry.onnx.graph import read_model
    from registry.onnx.quantize import quantize as make
    from registry.onnx.quantize.feeds import samples

    made = make(parent.files, parent.path, recipe, data, progress=context.progress)
    if data is None:
        return made, None
    return made, samples(data, read_model(parent.files[parent.path], name=parent.path)).count


def _needed(parent: Opened) -> tuple[str, ...]:
    """The ONNX file and its external data."""
    from registry.onnx.external import external_files
    from registry.onnx.graph import read_model

    model = read_model(parent.files[parent.path], name=parent.path)
    return tuple(dict.fromkeys((parent.path, *external_files(model, parent.path))))


def _kept(context: Context, parent: Opened, to: str, allow: Collection[str]) -> Reference:
    """The version that holds the float model: one more, unless the newest does already."""
    try:
        newest, digest = catalog.resolve(context, to)
    except ReferenceNotFound:
        digest = ""
    return newest if digest == parent.digest else push(context, Path(parent.name), to, allow=allow).ref


def _name(path: str, recipe: Recipe) -> str:
    """``resnet50.onnx`` becomes ``resnet50.int8.onnx``."""
    return f"{PurePosixPath(path).stem}.{str(recipe.weight_type).lower()}.onnx"


def _predicate(
    parent: Opened, child: str, recipe: Recipe, data: Calibration | None, samples: int | None
) -> Record:
    return {
        "model": child,
        "recipe": recipe.to_dict(),
        "tools": {"hallmark": home.version(), **{name: version_of(name) for name in _TOOLS}},
        "parent": {
            "reference": str(parent.ref) if parent.ref else None,
            "digest": parent.digest,
            "model": parent.path,
            "files": {name: hashlib.sha256(parent.files[name]).hexdigest() for name in _needed(parent)},
        },
        "calibration": None if data is None else {"digest": data.digest, "samples": samples},
    }
