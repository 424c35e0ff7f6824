"""A version's quantization facts and attestations, summed up as the schema's records.

The values are Cedar's JSON: numbers, strings, ``__entity`` references.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from registry.onnx.quantization import QuantizationFacts
from registry.policy.words import Attestation, Version


def entity(kind: str, name: str) -> dict[str, dict[str, str]]:
    """A reference to the entity of this type and name, as a JSON value."""
    return {"__entity": {"type": kind, "id": name}}


def entities(kind: str, names: Iterable[str]) -> list[dict[str, dict[str, str]]]:
    """A set of references, in a fixed order."""
    return [entity(kind, name) for name in sorted(set(names))]


def quantization(files: Sequence[QuantizationFacts]) -> dict[str, Any]:
    """The schema's record ``Quantization``, over all files."""
    kinds = _kinds(files)
    return {
        "files": len(files),
        "modes": entities("Mode", (file.mode for file in files)),
        "formats": entities("Format", (file.format for file in files)),
        "types": sorted({kind.type for kind in kinds}),
        "granularities": entities("Granularity", (kind.granularity for kind in kinds)),
        # Not true of nothing: a float model has no symmetric weights.
        "symmetric": bool(kinds) and all(kind.symmetric for kind in kinds),
        **_bits(kinds),
        "activations": sorted(
            {one.type for file in files for one in file.tensors if one.role == "activation"}
        ),
        "quantizedWeights": sum(file.quantized_weights for file in files),
        "quantizedElements": sum(file.quantized_elements for file in files),
        "floatWeights": sum(file.float_weights for file in files),
        "floatElements": sum(file.float_elements for file in files),
    }


class _Kind(NamedTuple):
    """What stored weights can have in common. A model has thousands of weights of a few kinds."""

    type: str
    bits: int
    symmetric: bool
    granularity: str


def _kinds(files: Sequence[QuantizationFacts]) -> set[_Kind]:
    return {
        _Kind(one.type, one.bits, one.symmetric, one.granularity)
        for file in files
        for one in file.tensors
        if one.role == "weight" and one.stored
    }


def _bits(kinds: set[_Kind]) -> dict[str, int]:
    """Absent without weights: 0 would pass a test for "at most 8 bits"."""
    bits = [kind.bits for kind in kinds]
    return {"minBits": min(bits), "maxBits": max(bits)} if bits else {}


def attested(version: Version) -> dict[str, dict[str, Any]]:
    """The version's tags by key: ``TYPE``, and ``TYPE by TEAM``.

    A predicate type is a URI and holds no space. One that does is left out: ``TYPE by TEAM`` as a type would
    pass one member's statement off as a team's.
    """
    by_type: dict[str, list[Attestation]] = {}
    for one in version.attestations:
        if " " not in one.type:
            by_type.setdefault(one.type, []).append(one)
    publisher = version.publisher.name
    tags = {type: _record(found, _teams(found), publisher) for type, found in by_type.items()}
    for type, found in by_type.items():
        for team in _teams(found):
            inside = [one for one in found if team in one.signer.teams]
            # Only this team: every team of every signer under each key would grow with its square.
            tags[f"{type} by {team}"] = _record(inside, {team}, publisher)
    return tags


def _teams(found: Iterable[Attestation]) -> set[str]:
    return set(chain.from_iterable(one.signer.teams for one in found))


def _record(found: Sequence[Attestation], teams: set[str], publisher: str) -> dict[str, Any]:
    signers = {one.signer.name for one in found}
    agreements = [one.agreement for one in found if one.agreement is not None]
    record = {
        "count": len(signers),
        "others": len(signers - {publisher}),
        "signers": entities("Member", signers),
        "teams": entities("Team", teams),
        "verdicts": entities("Verdict", (one.verdict for one in found if one.verdict is not None)),
    }
    return record | ({"agreement": min(agreements)} if agreements else {})
