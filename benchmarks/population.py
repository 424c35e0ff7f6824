"""A registry with members, teams, grants and policies by the thousand, in the proportions of the target:
10,000 grants, 1,000 members in 100 teams, 100 models, 50 policies."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.published import RESNET, publish
from benchmarks.scribe import Scribe
from registry import acts, founding, keyring
from registry.context import Context, utc_now
from registry.crypto import possession
from registry.crypto.identity import Identity
from registry.law.state import ROOT
from registry.vaults import Reader

POLICIES = 50
_NAMESPACES = 10
_WEIGHTS = (RESNET, RESNET, 1)  # quantized weights of each model's versions
_UNTIL = "2099-12-31T00:00:00.000000Z"
_TEMPLATES = (
    'forbid (principal, action == Action::"pull", resource in Namespace::"restricted-{n}")\n'
    'unless {{ context has purpose && context.purpose == "serving" }};',
    'forbid (principal, action in [Action::"pull", Action::"push"], resource)\n'
    'when {{ context.client.host == "stolen-{n}" }};',
    'forbid (principal, action == Action::"pull", resource)\n'
    'unless {{ (resource.quantization.symmetric && resource.quantization.types == ["INT8"])\n'
    '  || principal in Team::"team-{n}" }};',
    'forbid (principal, action == Action::"pull", resource)\n'
    'when {{ resource.hasTag("https://example.com/recall-{n}/v1") }};',
    'forbid (principal, action == Action::"pull", resource)\n'
    'when {{ principal in Team::"visitors-{n}" && context.time.hour < 6 }};',
)


@dataclass(frozen=True)
class Given:
    """One grant, as a list of grants has it."""

    grantee: str
    action: acts.Action
    target: str
    until: str | None


@dataclass
class Population:
    """The registry, and what a plain program would know of it. ``versions`` is by model."""

    context: Context
    scribe: Scribe
    members: list[Identity]
    teams: dict[str, list[str]]  # member to teams
    models: list[str]
    grants: list[Given] = field(default_factory=list)
    versions: dict[str, list[acts.Push]] = field(default_factory=dict)


def populate(home: Path, grants: int) -> Population:
    """Found a registry, and fill it in proportion to ``grants``; ten members and ten models at least."""
    founding.init(home, utc_now(), name="root")
    context = Context(home)
    scribe = Scribe(context)
    members = [Identity.generate(f"member-{number}") for number in range(max(10, grants // 10))]
    count = max(1, grants // 100)
    models = [f"ns{number % _NAMESPACES}/model-{number}" for number in range(max(10, count))]
    teams = {one.name: [f"team-{number % count}"] for number, one in enumerate(members)}
    made = Population(context, scribe, members, teams, models)
    _enroll(scribe, made, count)
    scribe.add(acts.Policy(_policies()))
    _publish(scribe, made)
    made.grants += [_give(scribe, made, number, count) for number in range(grants)]
    scribe.commit()
    return made


def _publish(scribe: Scribe, made: Population) -> None:
    for model in made.models:
        create(scribe, made.context, model)
    for number, weights in enumerate(_WEIGHTS, 1):
        for model in made.models:
            push = publish(scribe, made.context.identity, model, number, weights)
            made.versions.setdefault(model, []).append(push)


def _enroll(scribe: Scribe, made: Population, teams: int) -> None:
    root = root_reader(made.context)
    for one in made.members:
        scribe.add(acts.Enroll(name=one.name, identity=possession.prove(one), role="member"))
    for number in range(teams):
        vault = scribe.begin(f"team-{number}", [root])
        scribe.add(acts.Team(vault.name, acts.Custody(vaults=(vault,))))
    for one in made.members:
        for team in made.teams[one.name]:
            scribe.add(acts.TeamAdd(team, one.name, scribe.hand(team, Reader.member(one.public))))


def create(scribe: Scribe, context: Context, model: str) -> None:
    """Add a model, and its namespace where that is new."""
    namespace = f"{model.partition('/')[0]}/"
    above = () if scribe.has(namespace) else (scribe.begin(namespace, [root_reader(context)]),)
    vault = scribe.begin(model, [scribe.reader(namespace)])
    scribe.add(acts.Create(model, acts.Custody(vaults=(*above, vault))))


def root_reader(context: Context) -> Reader:
    """The vault of the admins."""
    vault = keyring.public(context.law(), ROOT)
    return Reader.vault(ROOT, vault.epoch, vault.public)


def _give(scribe: Scribe, made: Population, number: int, teams: int) -> Given:
    """Of ten grants one is a team's, one is on a namespace, one ends some day; no two are alike."""
    member = made.members[number % len(made.members)]
    again = number // len(made.members)
    model = made.models[(7 * number + again) % len(made.models)]
    grantee, target, reader = member.name, model, Reader.member(member.public)
    if number % 10 == 0:
        team = number // 10
        grantee, reader = f"team-{team % teams}", scribe.reader(f"team-{team % teams}")
        target = made.models[(7 * (team % teams) + team // teams) % len(made.models)]
    elif number % 10 == 1:
        target = f"ns{again % _NAMESPACES}/"
    until = _UNTIL if number % 10 == 2 else None
    custody = scribe.hand(target, reader, limited=until is not None)
    scribe.add(acts.Grant(grantee, ("pull",), target, until, custody))
    return Given(grantee, "pull", target, until)


def _policies() -> str:
    kinds = len(_TEMPLATES)
    return "\n".join(
        f'@id("policy-{number}")\n{_TEMPLATES[number % kinds].format(n=number // kinds)}'
        for number in range(POLICIES)
    )


def allowed(made: Population, numbers: Iterable[int]) -> list[tuple[Identity, acts.Push]]:
    """For each model's versions of these numbers, somebody whom a grant of any kind allows to pull it.

    Models that no grant reaches are left out. The same each time.
    """
    chance, named, holders = random.Random(3), {one.name: one for one in made.members}, _holders(made)
    found = []
    for number in numbers:
        for model in made.models:
            may = holders.get(model, []) + holders.get(f"{model.partition('/')[0]}/", [])
            if may:
                found.append((named[chance.choice(may)], made.versions[model][number - 1]))
    return found


def _holders(made: Population) -> dict[str, list[str]]:
    """The members that a grant reaches, by its target."""
    inside: dict[str, list[str]] = {}
    for name, teams in made.teams.items():
        for team in teams:
            inside.setdefault(team, []).append(name)
    holders: dict[str, list[str]] = {}
    for given in made.grants:
        holders.setdefault(given.target, []).extend(inside.get(given.grantee, [given.grantee]))
    return holders
