"""Operators: only those that ONNX Runtime's CPU provider has, in versions that are known."""

from __future__ import annotations

from collections import Counter
from typing import Final

from registry.onnx.findings import Rule
from registry.onnx.scan.allowed import ALLOWED, IR_VERSIONS, OLDEST_OPSET, OPSETS, REACHING
from registry.onnx.scan.collect import shortened
from registry.onnx.scan.subject import Place, Subject

UNKNOWN_DOMAIN: Final = Rule(
    "unknown-domain",
    "high",
    "operators of a domain that is not known",
    "Custom operators are code outside the model: whoever registers the name decides what runs.",
)
UNKNOWN_OPERATOR: Final = Rule(
    "unknown-operator",
    "high",
    "an operator that ONNX Runtime does not run",
    "It needs code from elsewhere, or an operator set that the rules here were not written for.",
)
REACHING_OPERATOR: Final = Rule(
    "operator-reaches-outside",
    "critical",
    "an operator that calls Python, a library or a file",
    "The model can then do whatever that code does.",
)
OPSET: Final = Rule(
    "unsupported-opset",
    "medium",
    "an operator set that is not known",
    "Rules written for the operators of today say nothing about those of another version.",
)
OLD_OPSET: Final = Rule(
    "old-opset",
    "low",
    "an operator set from before ONNX Runtime's promise",
    "ONNX Runtime promises to run version 7 and later of ai.onnx; earlier ones often work.",
)
IR: Final = Rule(
    "unsupported-ir-version",
    "medium",
    "a version of the file format that is not known",
    "Fields may mean something else there.",
)
CONTROL: Final = Rule(
    "control-flow",
    "info",
    "the model branches or loops",
    "What runs depends on the input: a branch can wait for a trigger.",
)
ADDED: Final = Rule(
    "control-flow-added",
    "high",
    "control flow that the parent does not have",
    "Quantization adds no branches: one that was added can wait for a trigger.",
)
NOT_IMPORTED: Final = Rule(
    "domain-not-imported",
    "low",
    "operators of a domain that the file does not import",
    "Which version of them is meant is left to the reader.",
)
RULES: Final = (
    *(UNKNOWN_DOMAIN, UNKNOWN_OPERATOR, REACHING_OPERATOR, OPSET, OLD_OPSET, IR),
    *(CONTROL, ADDED, NOT_IMPORTED),
)
FLOW: Final = frozenset(("If", "Loop", "Scan", "SequenceMap"))
STANDARD: Final = frozenset(OPSETS)  # domains that are known


def check(subject: Subject) -> None:
    """Report operators, operator sets and control flow."""
    _versions(subject)
    imported = {domain for domain, _ in subject.model.opsets}
    missing: set[str] = set()
    flow: Counter[str] = Counter()
    for place in subject.places:
        for node in place.nodes:
            key = (node.domain, node.op_type)
            if key not in ALLOWED:
                if (*key, node.overload) not in subject.functions:
                    _refuse(subject, place, place.at(node), key)
            elif node.overload and (*key, node.overload) not in subject.functions:
                told = f"{node.op_type} has no overload {shortened(node.overload)!r}"
                subject.found.add(UNKNOWN_OPERATOR, place.at(node), told)
            elif not node.domain and node.op_type in FLOW:
                flow[node.op_type] += 1
            if node.domain not in imported and not place.function:
                missing.add(node.domain)
    for domain in sorted(missing):
        subject.found.add(NOT_IMPORTED, domain or "ai.onnx", "nodes use it, the file does not import it")
    _flow(subject, flow)


def _refuse(subject: Subject, place: Place, on: str, key: tuple[str, str]) -> None:
    domain, name = key
    if name in REACHING:
        subject.found.add(REACHING_OPERATOR, on, f"{domain or 'ai.onnx'}.{name}")
    elif domain not in STANDARD:
        subject.found.add(UNKNOWN_DOMAIN, on, f"{name!r} of the domain {domain!r}")
    else:
        subject.found.add(UNKNOWN_OPERATOR, on, f"{domain or 'ai.onnx'}.{name}")


def _versions(subject: Subject) -> None:
    model = subject.model
    if model.ir_version not in IR_VERSIONS:
        subject.found.add(IR, "", f"IR version {model.ir_version}")
    for domain, version in model.opsets:
        if version > OPSETS.get(domain, version) or version < 1:
            subject.found.add(OPSET, domain or "ai.onnx", f"version {version}")
        elif not domain and version < OLDEST_OPSET:
            subject.found.add(OLD_OPSET, "ai.onnx", f"version {version}")


def count_flow(subject_places: tuple[Place, ...]) -> Counter[str]:
    """How often each operator of control flow occurs."""
    return Counter(
        node.op_type
        for place in subject_places
        for node in place.nodes
        if not node.domain and node.op_type in FLOW
    )


def _flow(subject: Subject, flow: Counter[str]) -> None:
    if subject.parent is None:
        for name, count in sorted(flow.items()):
            subject.found.add(CONTROL, "", f"{name}: {count}")
        return
    from registry.onnx.scan.subject import places_of

    before = count_flow(places_of(subject.parent.model))
    for name, count in sorted((flow - before).items()):
        subject.found.add(ADDED, "", f"{count} {name} more than in the parent")
