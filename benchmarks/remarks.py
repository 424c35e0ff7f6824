"""What the tables do not say by themselves."""

from __future__ import annotations

INTRODUCTION = """\
`make bench` writes this page; this run was `{command}`. Two things that stand side by side were measured
in turns, in one run, and *figure* compares them pair by pair: median (minimum to maximum). A ratio above
1 means that Hallmark takes longer, or more. Whole processes are timed from outside, with the start of
Python; *in process* is the deed alone, in a process that has the registry open. Before each measurement
the file is read into the page cache and the disk's queue is empty, unless the row says otherwise."""

_REMARKS: dict[str, str] = {
    "Push": """\
What stands beside what: `cp` copies from memory to memory and returns before a byte is on the disk. A
push reads the file once, computes SHA-256 of the plaintext and of the ciphertext, encrypts with
AES-256-GCM, and returns when the ciphertext and the ledger are on the disk; the like of that is `cp` with
`sync -f`. The row *SHA-256 alone* is the floor: one thread must hash the plaintext in order, and where
that row is above the target, no push can keep the target against a bare `cp` whose file is in memory
already.""",
    "Pull": """\
A pull reads, decrypts and authenticates every segment, hashes the plaintext in order, writes it, and
returns when it is on the disk; the floor is again SHA-256 alone. The blob and the plaintext that `cp`
reads are both in the page cache.""",
    "Memory": """\
Memory of push and pull does not grow with the file: a few buffers of 4 MiB go round. The session's
weights are used where they were decrypted, so a checkout costs hardly more than a session that maps the
file.""",
    "Start": """\
Before `run` may open a model it asks the database and verifies signatures; the row *importing all
libraries* says what SQLAlchemy, Typer and cryptography cost beside ONNX Runtime before a line of Hallmark
runs. With a small model nothing else counts; with a larger one, the hashing and decrypting of its bytes
comes on top of ONNX Runtime's own loading.""",
    "Access": """\
All of it runs inside one process, but for the replay. The registries are made for the purpose, in the
proportions of the largest: for 10,000 grants 1,000 members in 100 teams, 100 models in ten namespaces
(each version with the quantization facts of a ResNet-50, 54 weights) and always 50 policies. Of ten
grants one is a team's, one is on a namespace, and one ends some day. *Decide* is what the door asks of
a pull once its signature is verified: rights, digest, yank, the push act behind the version, policies.
*Submit* is all of it: the puller signs, the door verifies, decides, writes the pull into the ledger
under a new checkpoint, commits durably, and gives a receipt with its proofs and the shares that lead to
the key. What is measured per call is the median of a batch of 100 or 200 calls, or what 95 of 100 calls
stay below; the spread is over the rounds.

The scan stands for the plainest program: one list of all grants, read from end to end. It verifies
nothing, asks no policy and reads no database, so a decision takes longer; the row *looking for grants*
compares like with like. The growth rows say what matters: 1,000 times as many grants.

A revocation is one act: it seals the model's key anew to the 99 who remain and to the namespace, and
every blob's key to the new epoch. Beside it stands the bare cryptography of that. The first revocation
reads the 1,000 push acts that brought the blobs, at the client and again at the door; a second one
reads the one act of the first.

A replay is what a new process pays before it knows who may do what: it verifies every act of the law
from the pinned registry id on, and checks that each was allowed. Beside it stand the signatures alone,
with the keys loaded. A process that has read the law reads what is new, and the proof that nothing was
withheld.""",
    "Audit": """\
The ledger is generated: what the people and machines of a company do in two years, in lifelike proportion.
Each question is asked about eight things, the busiest and others, in a process that has read the law; a
figure is what 95 of 100 calls stay below, on SQLite and beside it on PostgreSQL. A page of its own,
[the audit, measured](audit-benchmarks.md), has the same for a million acts, and how it grows to that.

*audit verify* is one core's time for each act: every signature, right and hash, and every table compared
with what the acts say. Beside it stands the bare verification of one signature.""",
    "S3": """\
Both sides talk to a server on this very machine, so that client and server share its cores: what
Hallmark's hashing and encrypting take, the server lacks. Over a network, where the line is the limit,
they cost nothing. boto3 uses ten threads and 8 MiB parts, and does not sync the file that it writes; a
pull does.""",
}


def remarks(title: str) -> list[str]:
    """Paragraphs below the table of a family."""
    found = _REMARKS.get(title)
    return [found] if found else []
