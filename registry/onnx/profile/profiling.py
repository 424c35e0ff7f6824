"""Puts a profile together: the facts of the graph, and for each quantized tensor its numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from registry.errors import InvalidModel
from registry.onnx.content import Contents
from registry.onnx.facts import Surveyed, surveyed
from registry.onnx.loaded import Loaded
from registry.onnx.profile.claims import claims
from registry.onnx.profile.floats import float_weights
from registry.onnx.profile.layers import layers
from registry.onnx.profile.levels import levels
from registry.onnx.profile.metadata import metadata
from registry.onnx.profile.parameters import scales, zero_points
from registry.onnx.profile.sizes import size_of, with_parameters
from registry.onnx.profile.values import Layer, Profile, TensorProfile


def profile(loaded: Loaded, source: str = "", digest: str = "") -> Profile:
    """Everything that inspect tells of an ONNX file. Weights are read once, a chunk at a time.

    ``source`` and ``digest`` are told as they are given: where the files come from.

    Raises InvalidModel where the model cannot be described: a constant without its bytes, attributes that
    make no sense, functions without end.
    """
    found = surveyed(loaded)
    try:
        return replace(_profile(loaded, found), source=source, digest=digest)
    except InvalidModel as error:
        on = f"{loaded.path}: {error.on}" if error.on and error.on != loaded.path else loaded.path
        raise InvalidModel(error.message, on=on, hint=error.hint) from None


def _profile(loaded: Loaded, found: Surveyed) -> Profile:
    said = metadata(loaded)
    made = layers(found, loaded.contents)
    size = size_of(loaded, found)
    return Profile(
        source="",
        digest="",
        path=loaded.path,
        producer=said.producer,
        facts=found.facts,
        tensors=tuple(_tensors(loaded.contents, found, made.users)),
        layers=made.layers,
        floats=float_weights(found, size.bytes),
        size=size,
        claims=claims(said, found, made.layers),
    )


def _tensors(
    contents: Contents, found: Surveyed, users: dict[Hashable, list[Layer]]
) -> Iterator[TensorProfile]:
    for key, tensor in found.survey.tensors.items():
        evidence = found.survey.evidence[key]
        stored = evidence.constant if tensor.stored else None
        yield TensorProfile(
            facts=tensor,
            layers=tuple(dict.fromkeys(layer.name for layer in users.get(key, ()))),
            operators=tuple(dict.fromkeys(layer.operator for layer in users.get(key, ()))),
            bytes=with_parameters(evidence),
            scale=scales(contents, evidence),
            zero_point=zero_points(contents, tensor, evidence),
            levels=None if stored is None else levels(contents, tensor, stored),
        )
