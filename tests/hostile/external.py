"""Flaws of external data: other people's files, other tensors' bytes, bytes of nobody."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from hostile.corpus import MODEL, Files, case
from hostile.crafted import files, mlp

NEEDED = {"w1": 16 * 32 * 4, "b1": 32 * 4, "w2": 32 * 8 * 4, "b2": 8 * 4}
DATA = b"".join(bytes(range(64)) for _ in range(sum(NEEDED.values()) // 64 + 1))[: sum(NEEDED.values())]


def moved(**entries: str) -> onnx.ModelProto:
    """The model with w1 outside, as ``entries`` say."""
    made = mlp()
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, told in entries.items():
        weight.external_data.add(key=key, value=told)
    return made


def all_moved(*, gap: int = 0) -> onnx.ModelProto:
    """The model with all weights in one file, one behind the other."""
    made, at = mlp(), 0
    for weight in made.graph.initializer:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        told = {"location": "w.bin", "offset": str(at), "length": str(NEEDED[weight.name])}
        for key, text in told.items():
            weight.external_data.add(key=key, value=text)
        at += NEEDED[weight.name] + gap
    return made


def _at(location: str) -> Files:
    return files(moved(location=location))


@case("external-traversal")
def a_file_of_the_machine_by_traversal() -> Files:
    return _at("../../../etc/passwd")


@case("external-traversal")
def traversal_in_the_middle() -> Files:
    return _at("data/../../secret.bin")


@case("external-traversal")
def traversal_with_backslashes() -> Files:
    return _at("..\\secret.bin")


@case("external-absolute")
def a_file_of_the_machine_by_its_path() -> Files:
    return _at("/etc/passwd")


@case("external-absolute")
def a_file_of_a_drive() -> Files:
    return _at("C:secret.bin")


@case("external-absolute")
def a_file_of_a_share() -> Files:
    return _at("\\\\host\\share\\w.bin")


@case("external-memory-address")
def an_address_in_memory() -> Files:
    return files(moved(location="*/_ORT_MEM_ADDR_/*", offset="4096", length="2048"))


@case("external-odd-path")
def no_location_at_all() -> Files:
    return files(moved(offset="0"))


@case("external-odd-path")
def a_location_that_is_a_directory() -> Files:
    return _at("data/")


@case("external-missing")
def a_file_that_is_not_there() -> Files:
    return _at("gone.bin")


@case("external-range")
def a_range_behind_the_end() -> Files:
    return files(moved(location="w.bin", offset="1024", length="2048"), **{"w.bin": DATA[:2048]})


@case("external-range")
def an_offset_that_overflows() -> Files:
    made = moved(location="w.bin", offset=str((1 << 63) - 1), length="2048")
    return files(made, **{"w.bin": DATA[:2048]})


@case("external-range")
def a_length_that_is_not_the_tensors() -> Files:
    return files(moved(location="w.bin", length="4"), **{"w.bin": DATA[:2048]})


@case("unreadable")
def a_negative_offset() -> Files:
    return files(moved(location="w.bin", offset="-1"), **{"w.bin": DATA[:2048]})


@case("external-overlap")
def two_tensors_that_share_bytes() -> Files:
    made = all_moved()
    made.graph.initializer[1].external_data[1].value = "2044"
    return files(made, **{"w.bin": DATA})


@case("external-own-file")
def weights_that_are_the_graph() -> Files:
    made = mlp()
    data = moved(location=MODEL, offset="0", length="2048")
    data.graph.doc_string = made.graph.initializer[0].raw_data.hex()
    return files(data)


@case("external-unreferenced")
def a_payload_behind_the_weights() -> Files:
    return files(all_moved(), **{"w.bin": DATA + b"payload"})


@case("external-unreferenced")
def a_payload_between_the_weights() -> Files:
    made = all_moved(gap=8)
    held, at = bytearray(), 0
    for length in NEEDED.values():
        held += DATA[at : at + length] + b"payload!"
        at += length
    return files(made, **{"w.bin": bytes(held[:-8])})


@case("external-entry", "high")
def one_location_twice() -> Files:
    made = moved(location="w.bin")
    made.graph.initializer[0].external_data.add(key="location", value="v.bin")
    return files(made, **{"w.bin": DATA[:2048], "v.bin": DATA[:2048]})


@case("external-entry")
def a_key_that_onnx_does_not_know() -> Files:
    return files(moved(location="w.bin", password="swordfish"), **{"w.bin": DATA[:2048]})


@case("external-leftover")
def external_data_of_a_tensor_inside() -> Files:
    made = mlp()
    made.graph.initializer[0].external_data.add(key="location", value="w.bin")
    return files(made)


@case("content-twice")
def a_tensor_inside_and_outside() -> Files:
    made = moved(location="w.bin")
    made.graph.initializer[0].raw_data = DATA[:2048]
    return files(made, **{"w.bin": DATA[:2048]})
