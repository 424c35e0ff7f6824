"""The rules about the protobuf itself."""

from __future__ import annotations

from typing import Final

from registry.onnx.findings import Rule

UNKNOWN: Final = Rule(
    "unknown-field",
    "high",
    "a field that ONNX does not define",
    "No reader looks at it and every copy keeps it: room for a payload, and a difference that nobody sees.",
)
WRONG_TYPE: Final = Rule(
    "wrong-wire-type",
    "high",
    "a field in another wire type than its definition's",
    "Readers of protobuf treat it as unknown, so what it holds is carried along unseen.",
)
TWICE: Final = Rule(
    "field-twice",
    "high",
    "a single field that occurs more than once",
    "Some readers take the first, some the last, some merge them: each may see another model.",
)
OVERLONG: Final = Rule(
    "overlong-number",
    "medium",
    "a number written in more bytes than it needs",
    "No exporter writes it so; the spare bytes can mark or carry something.",
)
DEPRECATED: Final = Rule(
    "deprecated-field",
    "medium",
    "a field that nothing writes any more",
    "Tensor segments were given up before ONNX 1.0: readers ignore or refuse them, and differ.",
)
TRAINING: Final = Rule(
    "training-data",
    "medium",
    "training information in a model for inference",
    "It holds whole graphs and bindings that a runtime for inference never looks at.",
)
NOT_UTF8: Final = Rule(
    "name-not-utf8",
    "high",
    "a name that is not UTF-8",
    "ONNX names are UTF-8; readers differ in what they make of others.",
)
CONTROL: Final = Rule(
    "control-characters",
    "medium",
    "a name with control or invisible characters",
    "It can steer a terminal, forge a line of a log, or look like another name.",
)
LONG_NAME: Final = Rule(
    "long-name",
    "high",
    "a name that is longer than any name",
    "It carries something, and makes whoever prints or joins names run out of memory.",
)
HUGE_TEXT: Final = Rule(
    "metadata-huge",
    "medium",
    "more documentation than a model has",
    "Documentation and metadata carry anything at all; a megabyte in one piece is no note to a reader.",
)
LARGE_TEXT: Final = Rule(
    "metadata-large",
    "low",
    "much documentation or metadata",
    "It is not executed, but it is carried along and seldom read.",
)
RULES: Final = (
    *(UNKNOWN, WRONG_TYPE, TWICE, OVERLONG, DEPRECATED, TRAINING),
    *(NOT_UTF8, CONTROL, LONG_NAME, HUGE_TEXT, LARGE_TEXT),
)
