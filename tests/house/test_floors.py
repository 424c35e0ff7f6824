"""The floors of the house: imports go downward only, wherever in a module they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.sources import Import, Module, modules

# The floors from the ground up. A name ending in ".*" is a package with all that is in it; every module of
# the program has exactly one place.
FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("words", ("registry.errors", "registry.refs", "registry.acts.*", "registry.progress")),
    (
        "proofs",
        (
            "registry.crypto.*",
            "registry.strictjson",
            "registry.manifest",
            "registry.bundle",
            "registry.law.*",
            "registry.vaults",
        ),
    ),
    ("models", ("registry.onnx.*", "registry.statements")),
    (
        "doors out",
        (
            "registry.blobs.*",
            "registry.records.*",
            "registry.transfer.*",
            "registry.ledger",
            "registry.lawbook",
            "registry.law_memory",
            "registry.policy.*",
            "registry.petitions",
            "registry.cosigned",
            "registry.witness_memory",
            "registry.disk",
            "registry.memory",
            "registry.home",
            "registry.seen",
            "registry.journal",
            "registry.source",
            "migrations.*",
        ),
    ),
    (
        "the door in",
        (
            "registry.authority",
            "registry.decisions",
            "registry.admission",
            "registry.handover",
            "registry.refusals",
            "registry.ways",
        ),
    ),
    (
        "deeds",
        (
            "registry.context",
            "registry.founding",
            "registry.push",
            "registry.canaries",
            "registry.scanning",
            "registry.linked",
            "registry.screening",
            "registry.inspecting",
            "registry.quantizing",
            "registry.evaluating",
            "registry.tuning",
            "registry.tunings",
            "registry.lineage",
            "registry.family",
            "registry.opening",
            "registry.enacting",
            "registry.rekeying",
            "registry.heartbeat",
            "registry.keyring",
            "registry.members",
            "registry.identities",
            "registry.access",
            "registry.attesting",
            "registry.policies",
            "registry.rows",
            "registry.upload",
            "registry.evidence",
            "registry.ritual",
            "registry.judge",
            "registry.release",
            "registry.checkout",
            "registry.pull",
            "registry.catalog",
            "registry.failing",
            "registry.replay",
            "registry.fsck",
            "registry.witnessing",
            "registry.witnesses",
            "registry.audit.*",
        ),
    ),
    ("faces", ("registry", "registry.workbench", "cli.*")),
)

# Upward imports that are allowed, each with its reason: (importer, imported) -> why. Keep it empty.
EXCEPTIONS: dict[tuple[str, str], str] = {}

WORLD = {"os", "io", "pathlib", "sqlite3", "sqlalchemy", "socket", "time", "tempfile", "shutil", "subprocess"}
HEAVY = {
    "onnx",
    "onnxruntime",
    "numpy",
    "matplotlib",
    "ml_dtypes",
    "pyarrow",
    "jinja2",
    "urllib3",
    "boto3",
    "botocore",
    "alembic",
    "cedarpy",
}


def floor_of(name: str) -> int:
    """The floor's number. A module without a place, or with two, is an error of the table above."""
    places = [number for number, (_, names) in enumerate(FLOORS) for place in names if _within(name, place)]
    assert len(places) == 1, f"{name} stands on {len(places)} floors; give it one in FLOORS"
    return places[0]


def _within(name: str, place: str) -> bool:
    return name == place.removesuffix(".*") or (place.endswith(".*") and name.startswith(place[:-1]))


def upward(module: Module) -> Iterator[str]:
    for imported in module.imports:
        pair = (module.name, imported.target)
        if imported.target in modules() and pair not in EXCEPTIONS:
            below, above = floor_of(module.name), floor_of(imported.target)
            if above > below:
                yield (
                    f"{module.relative}:{imported.line} ({FLOORS[below][0]}) imports"
                    f" {imported.target} ({FLOORS[above][0]})"
                )


def test_every_module_has_one_floor() -> None:
    for name in modules():
        floor_of(name)


def test_no_place_in_the_table_is_empty() -> None:
    named = {place for _, places in FLOORS for place in places}
    gone = {place for place in named if not any(_within(name, place) for name in modules())}
    assert gone == set()


def test_imports_go_downward_only() -> None:
    assert [line for module in modules().values() for line in upward(module)] == []


def test_every_exception_is_still_needed() -> None:
    real = {(module.name, one.target) for module in modules().values() for one in module.imports}
    assert set(EXCEPTIONS) <= real


def test_no_module_imports_the_package_itself() -> None:
    """``import registry`` is for callers: inside, it is an import of the top floor from any other."""
    found = [
        f"{module.relative}:{one.line}"
        for module in modules().values()
        for one in module.imports
        if one.target == "registry" and not module.name.startswith("cli")
    ]
    assert found == []


def test_imports_have_no_cycle() -> None:
    """Cycles hidden in functions and TYPE_CHECKING blocks count too."""
    edges = {
        name: {one.target for one in module.imports if one.target in modules()} - {name}
        for name, module in modules().items()
    }
    while free := {name for name in edges if not _between(edges, name)}:
        edges = {name: targets & edges.keys() for name, targets in edges.items() if name not in free}
    assert edges == {}


def _between(edges: dict[str, set[str]], name: str) -> bool:
    """Whether the module imports something that is left, and something that is left imports it."""
    return bool(edges[name] & edges.keys()) and any(name in targets for targets in edges.values())


def _proofs() -> list[Module]:
    return [module for name, module in modules().items() if floor_of(name) <= 1]


@pytest.mark.parametrize("module", _proofs(), ids=lambda module: module.name)
def test_words_and_proofs_do_not_touch_the_world(module: Module) -> None:
    """No files, no network, no database: bytes and keys in, a value or an exception out."""
    foreign = [f"{one.target}, line {one.line}" for one in module.imports if _top(one) in WORLD]
    opened = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert foreign + opened == []


@pytest.mark.parametrize("module", _proofs(), ids=lambda module: module.name)
def test_words_and_proofs_read_no_clock(module: Module) -> None:
    clocks = {"now", "utcnow", "today", "time", "monotonic"}
    found = [
        ast.unparse(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
    ]
    assert found == []


def test_the_models_floor_knows_nothing_of_users_or_stores() -> None:
    """Of its own house, ``registry.onnx`` uses errors, progress and strict JSON only."""
    allowed = {"registry.errors", "registry.progress", "registry.strictjson"}
    found = [
        f"{module.relative}:{one.line} imports {one.target}"
        for name, module in modules().items()
        if name.startswith("registry.onnx")
        for one in module.imports
        if one.target in modules() and not one.target.startswith("registry.onnx")
        if one.target not in allowed
    ]
    assert found == []


def test_the_door_alone_appends_to_the_ledger() -> None:
    """One write path: nobody but authority's own ``admission`` calls ``ledger.append``."""
    callers = {
        name
        for name, module in modules().items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "ledger.append"
    }
    assert callers == {"registry.admission"}
    users = {
        name
        for name, module in modules().items()
        if any(one.target == "registry.admission" for one in module.imports)
    }
    assert users == {"registry.authority"}


def _at_start(name: str) -> dict[str, Module]:
    """The modules that importing ``name`` runs, packages included."""
    found: dict[str, Module] = {}
    wanted = [name]
    while wanted:
        current = wanted.pop()
        if current in modules() and current not in found:
            found[current] = modules()[current]
            wanted += [one.target for one in found[current].imports if one.at_start]
            wanted += [current.rpartition(".")[0]]
    return found


@pytest.mark.parametrize("start", ["cli.main", "registry", "registry.catalog", "registry.founding"])
def test_starting_imports_nothing_heavy(start: str) -> None:
    reached = _at_start(start)
    assert len(reached) > (start != "registry")
    found = [
        f"{module.relative}:{one.line} imports {one.target}"
        for module in reached.values()
        for one in module.imports
        if one.at_start and _top(one) in HEAVY
    ]
    assert found == []


def test_the_command_line_loads_nothing_heavy_to_show_its_help() -> None:
    """What the interpreter says it has loaded, whoever asked for it."""
    code = (
        "import sys\n"
        "from registry_cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "typer" in loaded
    assert loaded & (HEAVY | {"sqlalchemy", "cryptography"}) == set()


def _top(one: Import) -> str:
    return one.target.partition(".")[0]
