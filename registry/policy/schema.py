"""The Cedar schema that every policy is held to. docs/policies/hallmark.cedarschema is the same text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cedarpy import Schema

SCHEMA: Final = """\
// The Cedar schema of Hallmark: everything that a policy can speak of. A policy that speaks of anything
// else, or of these things in a way that could fail on some request, is refused when it is set.
//
// Words from a closed list are enumerated entities, written Role::"admin" or Weekday::"friday", because the
// validator refuses one that is misspelt. Compared as a string, it would only never match.

// ---- Who ----------------------------------------------------------------------------------------------

entity Role enum ["member", "admin", "auditor"];

// Team::"release". Ask for membership with `in`: principal in Team::"release".
entity Team;

// Member::"alice", a person or a service, with the role and the teams of the moment of the decision.
entity Member in [Team] = {
  name: String,
  role: Role,
};

// ---- What ---------------------------------------------------------------------------------------------

// Namespace::"vision". `in` reaches all its models and their versions: resource in Namespace::"vision".
entity Namespace = {
  name: String,
};

// Model::"vision/resnet50".
entity Model in [Namespace] = {
  name: String,              // without the namespace: "resnet50"
  namespace: Namespace,
};

// The names and values given with `registry push --metadata NAME=VALUE`, as tags:
// resource.metadata.hasTag("license") && resource.metadata.getTag("license") == "MIT".
// The publisher wrote them: they are claims, not facts.
entity Metadata tags String;

entity Mode enum ["float", "static", "dynamic", "weight-only", "mixed"];
entity Format enum ["none", "QDQ", "QOperator", "mixed"];
entity Granularity enum ["per-tensor", "per-channel", "blockwise"];

// What the graphs themselves say, over all ONNX files of the version. A "stored weight" is a constant that
// is stored quantized; biases are not among them.
type Quantization = {
  files: Long,                     // ONNX files
  modes: Set<Mode>,                // one for each file, so several where the files differ
  formats: Set<Format>,            // the same
  types: Set<String>,              // ONNX element types of the stored weights: "INT8", "UINT4", ...
  granularities: Set<Granularity>, // of the stored weights
  symmetric: Bool,                 // there are stored weights, and each of them is symmetric
  minBits?: Long,                  // the narrowest stored weight; absent where there is none
  maxBits?: Long,                  // the widest
  activations: Set<String>,        // ONNX element types of quantized activations
  quantizedWeights: Long,          // how many constants are stored quantized
  quantizedElements: Long,         // and their numbers in all
  floatWeights: Long,              // constants of 16 bits and more left as floats: biases too, scales not
  floatElements: Long,
};

// What a lineage proof says of a quantized model and its parent; docs/lineage.md tells what each word proves.
entity Verdict enum ["replayed", "derived", "non-nearest", "unexplained"];

// Statements of one type about the version, each signed by an enrolled member and verified.
type Attested = {
  count: Long,                     // different signers
  others: Long,                    // different signers besides the publisher
  signers: Set<Member>,
  teams: Set<Team>,                // every team that one of the signers is in; under "TYPE by TEAM" that team
  verdicts: Set<Verdict>,          // of lineage proofs: every verdict that was signed; empty for other types
  agreement?: Long,                // of evaluations: the lowest top-1 agreement signed, in millionths
};

// Version::"vision/resnet50:3". Its tags are its attestations. The key is a predicate type, or
// "TYPE by TEAM", which counts only the signers who are in that team:
// resource.hasTag("https://example.com/evaluation/v1 by qa").
entity Version in [Model] = {
  model: Model,
  number: Long,
  digest: String,                  // hexadecimal SHA-256, the root digest that the bundle signs
  label?: String,                  // the immutable name given at push
  publisher: Member,               // who signed the bundle
  size: Long,                      // bytes of all files
  metadata: Metadata,
  quantization: Quantization,
  allowed: Set<String>,            // findings of the scan that the publisher accepted, by code
} tags Attested;

// ---- When, and from where -----------------------------------------------------------------------------

entity Weekday enum ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

// All in UTC.
type Time = {
  now: datetime,
  weekday: Weekday,
  hour: Long,                      // 0 to 23
  minute: Long,                    // 0 to 59
};

// What the client says of itself. Whoever may act can run another program and say the same: this guards
// against mistakes and not against members.
type Client = {
  program: String,                 // "hallmark/0.1.0"
  host: String,
};

// ---- Actions ------------------------------------------------------------------------------------------

// Read a version. `purpose` is what was given with --purpose.
action pull appliesTo {
  principal: [Member],
  resource: [Version],
  context: { time: Time, client: Client, purpose?: String },
};

// Publish a version. Where the push moves aliases it is asked once for each, with that `alias`: a policy
// about an alias must name push as well as promote.
action push appliesTo {
  principal: [Member],
  resource: [Version],
  context: { time: Time, client: Client, alias?: String },
};

// Move `alias` to a version. Without an alias: yank the version.
action promote appliesTo {
  principal: [Member],
  resource: [Version],
  context: { time: Time, client: Client, alias?: String },
};

// Sign a further statement about a version.
action attest appliesTo {
  principal: [Member],
  resource: [Version],
  context: { time: Time, client: Client },
};

entity Right enum ["pull", "push", "promote", "grant"];

// Grant `actions` on a namespace or a model to `grantee`, the name of a member or a team.
action grant appliesTo {
  principal: [Member],
  resource: [Namespace, Model],
  context: { time: Time, client: Client, grantee: String, actions: Set<Right> },
};
"""


@cache
def schema() -> Schema:
    """SCHEMA, parsed."""
    from cedarpy import Schema

    return Schema.from_str(SCHEMA)
