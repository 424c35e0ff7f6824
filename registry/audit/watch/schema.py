"""The Cedar schema that every rule of the watch is held to. docs/watch.cedarschema is the same text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cedarpy import Schema

_EVERY: Final = """\
seq: Long, time: datetime, hour: Long, minute: Long, weekday: Weekday, on: String, program: String,
    host: String, newHost: Bool, idleDays: Long, pulls: Long, models: Long, refusals: Long"""

_TEXT: Final = """\
// The Cedar schema of the watch: everything that a rule can speak of. A rule is a `permit` that permits
// nothing: where it matches, the watch reports. A rule that speaks of anything else is refused.

// ---- Who ----------------------------------------------------------------------------------------------

// Role::"nobody" is who is unknown: a caller whom no signature proves, or the watch itself. The name is "".
entity Role enum ["member", "admin", "auditor", "nobody"];

// Team::"release". Ask for membership with `in`: principal in Team::"release".
entity Team;

// Member::"alice", as the law had it when the act came into the ledger.
entity Member in [Team] = {
  name: String,
  role: Role,
  days: Long,      // whole days since the member was enrolled
};

// ---- What ---------------------------------------------------------------------------------------------

// The registry as a whole: policies, its root vault, the ledger itself, and what a refusal names no better.
entity Registry;

// Namespace::"vision". `in` reaches all its models and their versions: resource in Namespace::"vision".
entity Namespace = {
  name: String,
};

// Model::"vision/resnet50".
entity Model in [Namespace] = {
  name: String,    // without the namespace: "resnet50"
  namespace: Namespace,
};

// Version::"vision/resnet50:3".
entity Version in [Model] = {
  model: Model,
  number: Long,
};

// ---- When, and in what circumstances --------------------------------------------------------------------

entity Weekday enum ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

entity Right enum ["pull", "push", "promote", "grant"];

// Every action has these in its context:
//   seq        the entry of the ledger (of the ledger's own events: how many entries are verified)
//   time       when the member signed; hour (0 to 23), minute and weekday in the zone given with --zone
//   on         the model, namespace/, member, team or vault, in words
//   program, host   what the member's program says of itself: nobody proves it
//   newHost    the member has acted before, and never from this machine
//   idleDays   whole days since the member's act before this one; 0 for their first
//   pulls      how often the member has pulled in the hour that ends with this act
//   models     how many different models they have pulled in it
//   refusals   how often the door has refused the member in it; strangers count together
// Of what lies before the watch began it knows the last 5,000 entries.

// ---- Actions: the acts of the ledger --------------------------------------------------------------------

action pull appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, purpose: String },
};

action push appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, first: Bool, aliases: Set<String>, allowed: Set<String> },
};

action alias appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, alias: String },
};

action yank appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, reason: String },
};

action attest appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, type: String },
};

// What a checkout found after its pull was accepted: the step that failed (9 to 12), and the error's code.
action failure appliesTo {
  principal: [Member], resource: [Version],
  context: { EVERY, purpose: String, step: Long, code: String },
};

// `granteeDays` are the days since the grantee was enrolled; of a team those of its newest member.
action grant, revoke appliesTo {
  principal: [Member], resource: [Namespace, Model],
  context: { EVERY, grantee: String, granteeDays: Long, toTeam: Bool, rights: Set<Right>, forever: Bool },
};

action genesis, enroll appliesTo {
  principal: [Member], resource: [Member],
  context: { EVERY, role: Role },
};

action disable appliesTo {
  principal: [Member], resource: [Member],
  context: { EVERY, reason: String },
};

// `byAnother`: not by the owner, with the key before, but by an admin.
action replace appliesTo {
  principal: [Member], resource: [Member],
  context: { EVERY, byAnother: Bool },
};

action team appliesTo {
  principal: [Member], resource: [Team],
  context: { EVERY },
};

action "team-add", "team-remove" appliesTo {
  principal: [Member], resource: [Team],
  context: { EVERY, member: String, memberDays: Long },
};

action create appliesTo {
  principal: [Member], resource: [Model],
  context: { EVERY },
};

action rotate appliesTo {
  principal: [Member], resource: [Registry, Namespace, Model, Team],
  context: { EVERY },
};

action policy appliesTo {
  principal: [Member], resource: [Registry],
  context: { EVERY, empty: Bool },
};

// What the door refused to the principal: `attempt` is the kind of act, "" where it did not even parse;
// `count` is more than 1 where a flood was only counted.
action refusal appliesTo {
  principal: [Member], resource: [Version, Model, Namespace, Registry],
  context: { EVERY, attempt: String, code: String, count: Long },
};

// ---- Actions: what nobody does, and the watch finds ------------------------------------------------------

// A signature, digest, proof, attestation or scan that did not hold: at the door, in somebody's checkout, or
// under the watch's own eyes. The first two come beside the refusal or failure that tells of them.
entity Source enum ["door", "checkout", "watch"];
action "failed-verification" appliesTo {
  principal: [Member], resource: [Version, Model, Namespace, Registry],
  context: { EVERY, code: String, source: Source },
};

// The ledger does not extend what the watch, or this home, has seen of it: it was rewritten or rolled back.
action fork appliesTo {
  principal: [Member], resource: [Registry],
  context: { EVERY, code: String },
};

// For so many whole minutes no entry has come, or the ledger could not be read.
action standstill appliesTo {
  principal: [Member], resource: [Registry],
  context: { EVERY, minutes: Long },
};
"""

SCHEMA: Final = _TEXT.replace("EVERY", _EVERY)


@cache
def schema() -> Schema:
    """SCHEMA, parsed."""
    from cedarpy import Schema

    return Schema.from_str(SCHEMA)
