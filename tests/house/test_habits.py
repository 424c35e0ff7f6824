"""Habits of the house that a reader may rely on: names, docstrings, sizes, one error boundary."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import registry
from registry import errors
from registry.errors import RegistryError
from support.sources import ROOT, Module, modules

LINES = 300  # the most that one file may have

# The tree in the docstring of registry.errors documents these, each in one place.
_DOCUMENTED_ABOVE = {"registry.errors"}


def test_the_public_names_are_pinned() -> None:
    assert registry.__all__ == ["Registry", "connect"]
    assert {name for name in dir(registry.Registry) if not name.startswith("_")} == {
        "attest",
        "checkout",
        "close",
        "evaluate",
        "family",
        "grant",
        "inspect",
        "prove",
        "pull",
        "push",
        "quantize",
        "registry_id",
        "revoke",
        "scan",
        "tune",
        "verify",
        "verify_lineage",
    }


def test_the_package_is_typed() -> None:
    assert (ROOT / "registry" / "py.typed").is_file()


def _undocumented(module: Module) -> Iterator[str]:
    if ast.get_docstring(module.tree) is None:
        yield f"{module.relative}: the module"
    for node in module.tree.body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if public and ast.get_docstring(node) is None and module.name not in _DOCUMENTED_ABOVE:
            yield f"{module.relative}:{node.lineno} {node.name}"


def test_whatever_is_public_has_a_docstring() -> None:
    inside = [module for name, module in modules().items() if name.partition(".")[0] == "registry"]
    assert [line for module in inside for line in _undocumented(module)] == []


def test_the_public_interface_documents_each_method() -> None:
    undocumented = [
        name
        for name in dir(registry.Registry)
        if not name.startswith("_") and not (getattr(registry.Registry, name).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_only_the_command_line_catches_everything() -> None:
    found = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _catches(node) & {"", "Exception"}:
                found.append(module.relative)
    assert found == ["cli/main.py"]


def test_what_catches_even_interrupts_passes_them_on() -> None:
    swallowed = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            broad = isinstance(node, ast.ExceptHandler) and "BaseException" in _catches(node)
            if broad and ast.unparse(node.body[-1]) != "raise":
                swallowed.append(f"{module.relative}:{node.lineno}")
    assert swallowed == []


def _catches(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {""}
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(one).rpartition(".")[2] for one in named}


def test_nothing_public_returns_a_verdict() -> None:
    """Verification raises: a function named for a check never returns a bool that may be ignored."""
    pattern = re.compile(r"^_?(verify|check|validate|authenticate|require)")
    found = [
        f"{module.relative}:{node.lineno} {node.name}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and pattern.match(node.name)
        if node.returns is not None and ast.unparse(node.returns) == "bool"
    ]
    assert found == []


def test_only_errors_of_the_tree_are_raised() -> None:
    """No bare ValueError: whoever catches RegistryError has caught everything that we raise."""
    bugs = {"AssertionError", "TypeError"}  # of the caller's, or ours: exit code 1
    # caught again in the function, or the package, that raises them
    inside = {"BlockingIOError", "EOFError", "Stopped", "Unfoldable", "Unliftable"}
    inside |= {"Differs", "constants.Differs"}
    allowed = bugs | inside | {"typer.BadParameter", "typer.Exit"}
    ours = {name for name in vars(errors) if not name.startswith("_")}
    found = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name | ast.Attribute):
                raised = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
                named = raised.rpartition(".")[2]
                if named[:1].isupper() and named not in ours and raised not in allowed:
                    found.append(f"{module.relative}:{node.lineno} raises {raised}")
    assert found == []


def test_no_file_grows_past_its_purpose() -> None:
    found = {
        module.relative: lines
        for module in modules().values()
        if not module.name.startswith("migrations")
        if (lines := len(module.path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert found == {}


def test_the_version_is_the_newest_entry_of_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert entries[:1] == [project["version"]]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.__dict__.get("code") for kind in _errors()]
    assert None not in codes
    assert len(set(codes)) == len(codes)


def _errors() -> list[type[RegistryError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RegistryError)]


def test_the_tree_of_errors_is_the_one_drawn_in_the_docstring() -> None:
    drawn, above = {}, []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^ {4}([│├└─ ]*)([A-Z]\w+)(?: +(\d))?", line)
        if found is None:
            continue
        depth, name, code = len(found[1]) // 4, found[2], found[3]
        del above[depth:]
        drawn[name] = (above[-1] if above else None, code or drawn[above[-1]][1])
        above.append(name)
    coded = {
        kind.__name__: (kind.__base__.__name__ if kind is not RegistryError else None, str(kind.exit_code))
        for kind in _errors()
        if kind.__base__ is not None
    }
    assert drawn == coded


def test_every_error_is_defined_in_one_place() -> None:
    found = [
        f"{module.relative}:{node.lineno}"
        for name, module in modules().items()
        if name != "registry.errors"
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        if {ast.unparse(base).rpartition(".")[2] for base in node.bases} & {one.__name__ for one in _errors()}
    ]
    assert found == []
