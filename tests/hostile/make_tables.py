"""Writes the tables that the scan's rules stand on, from the installed onnx and onnxruntime.

Run: python tests/hostile/make_tables.py fields|operators|versions. The output goes into
registry/onnx/scan/protobuf.py and registry/onnx/scan/allowed.py.
"""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict
from typing import Any

_ONEOF = "="
_NAMES = {"int": "v", "float": "f", "double": "d", "name": "s", "text": "t", "bytes": "b"}
# Messages that hold texts for people where others of the same type hold names.
_METADATA = {"metadata_props"}
_TEXTS = {"doc_string", "denotation"}
_GONE = {("TensorProto", "segment")}


def fields() -> str:
    """The table of registry.onnx.scan.protobuf."""
    from onnx import onnx_ml_pb2

    lines: dict[str, str] = {}
    waiting = [onnx_ml_pb2.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop(0)
        if short(message) in lines:
            continue
        lines[short(message)] = f"{short(message)} " + " ".join(
            f"{field.number}:{_kind(field)}" for field in sorted(message.fields, key=lambda one: one.number)
        )
        waiting += [field.message_type for field in message.fields if field.message_type]
    lines["Metadata"] = "Metadata 1:t 2:t"
    return "\n".join(lines.values())


def short(message: Any) -> str:
    """A message's name as the table writes it: TypeProto.Tensor becomes Type.Tensor."""
    return str(message.full_name).removeprefix("onnx.").replace("Proto", "")


def _kind(field: Any) -> str:
    end = _ONEOF if field.containing_oneof is not None else ""
    end += "-" if (field.containing_type.name, field.name) in _GONE else ""
    if field.message_type:
        name = "Metadata" if field.name in _METADATA else short(field.message_type)
        return f"{name}{'*' if field.is_repeated else ''}{end}"
    scalar = {
        field.TYPE_FLOAT: "f",
        field.TYPE_DOUBLE: "d",
        field.TYPE_BYTES: "b",
        field.TYPE_STRING: "t" if field.name in _TEXTS else "s",
    }.get(field.type, "v")
    return f"{scalar.upper() if field.is_repeated else scalar}{end}"


def operators() -> str:
    """The operators that ONNX Runtime's CPU provider runs: by a kernel, or by ONNX's definition of them."""
    from onnx import defs
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    found: dict[str, set[str]] = defaultdict(set)
    for kernel in runtime.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            found[kernel.domain].add(kernel.op_name)
    for schema in defs.get_all_schemas():
        if schema.domain in ("", "ai.onnx.ml") and (
            schema.has_function or schema.has_context_dependent_function
        ):
            found[schema.domain].add(schema.name)
    found[""].add("Constant")  # taken out of the graph before any kernel is chosen
    return "\n".join(
        f"{domain or 'ai.onnx'}:\n" + textwrap.fill(" ".join(sorted(names)), 105)
        for domain, names in sorted(found.items())
    )


def versions() -> str:
    """The newest operator sets and IR version that are known."""
    import onnx
    from onnx import defs

    newest: dict[str, int] = defaultdict(int)
    for schema in defs.get_all_schemas_with_history():
        newest[schema.domain] = max(newest[schema.domain], schema.since_version)
    newest[""] = defs.onnx_opset_version()
    return f"IR {onnx.IR_VERSION}; " + ", ".join(f"{key!r} {value}" for key, value in sorted(newest.items()))


if __name__ == "__main__":
    print({"fields": fields, "operators": operators, "versions": versions}[sys.argv[1]]())
