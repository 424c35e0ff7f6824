"""The program's own source, read with ast: modules, what they import and where, what they define."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("registry", "cli", "migrations")


@dataclass(frozen=True)
class Import:
    """One imported name. ``at_start``: the import runs when the module is imported."""

    target: str  # the module of ours that it reaches, or the foreign dotted name
    line: int
    at_start: bool


@dataclass(frozen=True, eq=False)
class Module:
    """One source file."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import: at the top, inside functions, and in TYPE_CHECKING blocks."""
        return tuple(_imports(self, self.tree, at_start=True))

    @property
    def relative(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


@cache
def modules() -> dict[str, Module]:
    """Every module below registry/, cli/ and migrations/ by its dotted name in the tree."""
    found = {}
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path)
    return found


def _imports(module: Module, node: ast.AST, *, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from (Import(_ours(name.name), child.lineno, at_start) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from _from(module, child, at_start)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _imports(module, child, at_start=False)
        else:
            yield from _imports(module, child, at_start=at_start and not deferred)


def _from(module: Module, node: ast.ImportFrom, at_start: bool) -> Iterator[Import]:
    base = node.module or ""
    if node.level:
        package = module.name.split(".")
        cut = node.level - (module.path.name == "__init__.py")
        parts = package[: len(package) - cut]
        base = ".".join([*parts, *([node.module] if node.module else [])])
    for name in node.names:
        inner = _ours(f"{base}.{name.name}")
        yield Import(inner if inner in modules() else _ours(base), node.lineno, at_start)


def _ours(name: str) -> str:
    """A name as the tree has it: the wheel installs cli and migrations under longer ones."""
    for top in ("cli", "migrations"):
        if name == f"registry_{top}" or name.startswith(f"registry_{top}."):
            return name.removeprefix("registry_")
    return name
