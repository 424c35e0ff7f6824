"""Lineage as a deed: proving that a model is the quantization of a parent, signing that, proving it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry import acts, attesting, home, opening, strictjson
from registry.context import Context
from registry.errors import BadAttestation, InvalidInput, Malformed, NotFound
from registry.onnx.chosen import main_model
from registry.opening import Opened
from registry.refs import Reference

if TYPE_CHECKING:
    from registry.onnx.lineage.verdict import Lineage
    from registry.onnx.loaded import Loaded
    from registry.onnx.quantize import Calibration, Recipe

_TOOLS = ("numpy", "onnx", "onnxruntime")
Record = dict[str, Any]
Proving = Callable[[Mapping[str, memoryview]], Sequence[tuple[str, Record]]]


@dataclass(frozen=True)
class Proved:
    """What was found of a child and its parent; ``seq`` is the ledger entry where that was signed."""

    child: str
    parent: str
    lineage: Lineage
    predicate: Mapping[str, Any]
    seq: int | None


@dataclass(frozen=True)
class Confirmed:
    """A signed proof that was made again, with the same verdict."""

    ref: Reference
    parent: str
    verdict: str
    signer: str
    seq: int


def prove(
    context: Context | None,
    child: str,
    parent: str,
    *,
    calibration: Path | None = None,
    model: str | None = None,
    parent_model: str | None = None,
) -> Proved:
    """Prove what can be proven of ``child`` and ``parent``: each a path or a reference.

    The verdict of a version is signed as an attestation. ``calibration`` holds the data of a static
    quantization, without which its activations cannot be proven. Raises InvalidInput, NotFound or Untrusted.
    """
    with (
        opening.open_model(context, child, "lineage", model) as one,
        opening.open_model(context, parent, "lineage", parent_model) as other,
    ):
        recipe = _declared(_records(context, one), one.path)
        lineage, predicate = compare(one.files, one.path, other, _loaded(calibration), recipe)
    seq = None
    if context is not None and one.ref is not None:
        _, seq = attesting.attest_value(context, str(one.ref), acts.LINEAGE, dict(predicate))
    return Proved(str(one), str(other), lineage, predicate, seq)


def compare(
    files: Mapping[str, memoryview],
    path: str,
    parent: Opened,
    data: Calibration | None = None,
    recipe: Recipe | None = None,
) -> tuple[Lineage, Record]:
    """The proof about the ONNX file at ``path`` of ``files``, and the predicate that is signed of it."""
    from registry.onnx.lineage.prove import prove as examine
    from registry.onnx.loaded import load
    from registry.onnx.quantize import optimized, quantize
    from registry.onnx.quantize.feeds import samples

    child, origin = load(files, path), load(parent.files, parent.path)

    def optimize() -> Loaded:
        return load({parent.path: optimized(parent.files, parent.path)}, parent.path)

    found = examine(child, origin, recipe=recipe, calibration=data, requantize=quantize, optimize=optimize)
    known = None if data is None else {"digest": data.digest, "samples": samples(data, origin.model).count}
    return found, _predicate(found, path, parent, known)


def _predicate(lineage: Lineage, path: str, parent: Opened, known: Record | None) -> Record:
    return {
        "model": path,
        "parent": {
            "reference": str(parent.ref) if parent.ref else None,
            "digest": parent.digest,
            "model": parent.path,
        },
        "calibration": known,
        "tools": {"hallmark": home.version(), **{name: version_of(name) for name in _TOOLS}},
        **lineage.to_dict(),
    }


def _loaded(calibration: Path | None) -> Calibration | None:
    from registry.onnx.quantize import load_calibration

    return None if calibration is None else load_calibration(calibration)


def _records(context: Context | None, child: Opened) -> list[Record]:
    """The attestations of a version; a file of one's own has none."""
    if context is None or child.ref is None:
        return []
    return attesting.attestations(context, str(child.ref))[1]


def _declared(records: Sequence[Record], path: str) -> Recipe | None:
    """The recipe that was signed with the version, where there is one of that file."""
    from registry.onnx.quantize import Recipe

    for record in records:
        if record["type"] == acts.RECIPE and record["predicate"].get("model") in (None, path):
            try:
                return Recipe.from_dict(record["predicate"].get("recipe"))
            except Malformed:
                continue  # one of another procedure: the recipe is then looked for in the graph
    return None


def verify(
    context: Context, ref: str, *, parent: str | None = None, calibration: Path | None = None
) -> tuple[Confirmed, ...]:
    """Make every signed lineage proof of a version again from both models.

    ``parent`` says where the parent lies that a proof names by digest only. Raises NotFound where there is
    no proof, InvalidInput where the calibration data is needed, BadAttestation where a verdict is another.
    """
    exact, records = attesting.attestations(context, ref)
    proofs = [record for record in records if record["type"] == acts.LINEAGE]
    if not proofs:
        raise NotFound(
            "the version has no lineage proof",
            on=str(exact),
            hint=f"registry lineage prove {exact} --parent PARENT",
        )
    data = _loaded(calibration)
    return tuple(_confirm(context, exact, record, records, parent, data) for record in proofs)


def _confirm(
    context: Context,
    ref: Reference,
    record: Record,
    records: Sequence[Record],
    parent: str | None,
    data: Calibration | None,
) -> Confirmed:
    said = _Said.of(record["predicate"])
    said.check_data(data)
    with (
        opening.open_version(context, str(ref), "lineage", said.model) as one,
        opening.open_model(context, parent or said.where(ref), "lineage", said.within(parent)) as other,
    ):
        if other.digest != said.digest:
            raise InvalidInput(
                "this is not the parent that the proof is about",
                on=f"{other}: sha256:{other.digest}",
                hint=f"--parent must have sha256:{said.digest}",
            )
        used = data if said.calibration else None  # a proof without data is made again without
        found, _ = compare(one.files, one.path, other, used, _declared(records, one.path))
    if found.verdict != said.verdict:
        raise BadAttestation(
            f"the proof says {said.verdict}, proving it again says {found.verdict}",
            on=f"{ref}, entry {record['seq']} by {record['signer']}",
        )
    return Confirmed(ref, str(other), found.verdict, record["signer"], record["seq"])


@dataclass(frozen=True)
class _Said:
    """What a signed proof says; read strictly, since anybody with a right on the model may have signed it."""

    verdict: str
    model: str
    reference: str | None
    digest: str
    parent_model: str
    calibration: str | None  # the data's digest

    @classmethod
    def of(cls, predicate: object) -> _Said:
        """Raises BadAttestation."""
        try:
            obj = strictjson.as_object(predicate, "a lineage proof")
            parent = strictjson.nested(obj, "parent")
            reference = parent.get("reference")
            data = obj.get("calibration")
            return cls(
                verdict=strictjson.text(obj, "verdict"),
                model=strictjson.text(obj, "model"),
                reference=None if reference is None else strictjson.text(parent, "reference"),
                digest=strictjson.text(parent, "digest"),
                parent_model=strictjson.text(parent, "model"),
                calibration=None
                if data is None
                else strictjson.text(strictjson.nested(obj, "calibration"), "digest"),
            )
        except Malformed as error:
            raise BadAttestation(f"the lineage proof cannot be read: {error.message}", on=error.on) from error

    def check_data(self, data: Calibration | None) -> None:
        """Raise InvalidInput unless this is the data that the proof was made with, where it needs some."""
        if self.calibration is None:
            return
        if data is None and self.verdict == "replayed":
            raise InvalidInput(
                "the proof was made with calibration data",
                on=f"sha256:{self.calibration}",
                hint="--calibration FILE",
            )
        if data is not None and data.digest != self.calibration:
            raise InvalidInput(
                "this is other calibration data than the proof's", on=f"sha256:{self.calibration}"
            )

    def within(self, parent: str | None) -> str | None:
        """Which ONNX file to take: a single file of one's own may be called otherwise today."""
        return None if parent is not None and Path(parent).is_file() else self.parent_model

    def where(self, ref: Reference) -> str:
        if self.reference is None:
            raise InvalidInput(
                "the proof's parent is not in the registry", on=str(ref), hint="--parent PATH, the same file"
            )
        return self.reference


def against(context: Context, parent: str, calibration: Path | None = None) -> Proving:
    """For a push: the proof about the very files that it publishes, and ``parent``, a path or a reference."""

    def proving(files: Mapping[str, memoryview]) -> Sequence[tuple[str, Record]]:
        path = main_model({name: None for name in sorted(files) if name.endswith(".onnx")})
        with opening.open_model(context, parent, "lineage") as other:
            return statements(files, path, other, _loaded(calibration))

    return proving


def statements(
    files: Mapping[str, memoryview],
    path: str,
    parent: Opened,
    data: Calibration | None = None,
    recipe: Recipe | None = None,
) -> Sequence[tuple[str, Record]]:
    """What a push signs of its files where the parent is at hand."""
    return [(acts.LINEAGE, compare(files, path, parent, data, recipe)[1])]
