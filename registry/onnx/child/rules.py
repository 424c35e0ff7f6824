"""The findings that only loading a file can show."""

from __future__ import annotations

from typing import Final

from registry.onnx.findings import Finding, Rule

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "checker-refused",
        "low",
        "onnx.checker does not accept the model",
        "Quantizers leave stale shapes and unsorted subgraphs behind, so this alone condemns no file; but"
        " readers that trust the checker will differ from ONNX Runtime on it.",
    ),
    Rule(
        "checker-crash",
        "high",
        "onnx.checker is killed by the model",
        "Whoever checks the file before using it loses the process that does so.",
    ),
    Rule(
        "checker-hang",
        "high",
        "onnx.checker does not come to an end",
        "A small file that costs minutes or more to look at stops a pipeline, a server or a build.",
    ),
    Rule(
        "checker-memory",
        "high",
        "onnx.checker needs more memory than the model explains",
        "A small file that takes gigabytes to look at brings down what else runs on the machine.",
    ),
    Rule(
        "runtime-refused",
        "high",
        "ONNX Runtime cannot load the model",
        "The file is damaged, or made for another runtime: what it holds cannot be run, only mistaken for a"
        " model.",
    ),
    Rule(
        "runtime-crash",
        "critical",
        "ONNX Runtime is killed by loading the model",
        "Loading it ends the process, with everything that it was serving; what kills a process can sometimes"
        " be turned into taking it over.",
    ),
    Rule(
        "runtime-hang",
        "critical",
        "ONNX Runtime does not come to an end loading the model",
        "Loading it blocks a process for good: functions that double at each level, constants that fold for"
        " ever.",
    ),
    Rule(
        "runtime-memory",
        "critical",
        "ONNX Runtime needs more memory to load the model than its size explains",
        "A few bytes that unfold to gigabytes when they are loaded exhaust the machine's memory.",
    ),
)

_BY_CODE: Final = {rule.code: rule for rule in RULES}


def finding(code: str, path: str, message: str) -> Finding:
    """A finding of one of these rules, about the whole file."""
    return Finding(code, _BY_CODE[code].severity, path, "", message)
