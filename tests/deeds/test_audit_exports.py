"""Exported ranges, as an outsider gets them: honest ones hold, and no file of them can be changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.audit.parcel import opened
from registry.audit.ranges import check_range
from registry.audit.replayed import Replay
from registry.audit.verify.lawful import Lawful
from registry.crypto.frontier import Frontier
from registry.errors import (
    BadAuthority,
    BadCheckpoint,
    BadProof,
    BadSignature,
    Malformed,
    NotFound,
    Untrusted,
    WrongRegistry,
)
from registry.law.law import from_genesis
from registry.progress import SILENT
from support import notary
from support.notary import Notary, b64, consistency, subtrees, written

told = cache(notary.told)  # nobody changes it
other = cache(notary.told)  # another registry of the same history
START, END = 7, 12  # an act of the law lies between, and five before
Edit = Callable[[Path], object]


@pytest.mark.parametrize("end", [1, 2, 3, 7, 8, 12])
def test_every_range_is_proven(tmp_path: Path, end: int) -> None:
    for start in range(end + 1):
        found = check_range(told().parcel(tmp_path / str(start), start, end), told().registry_id)
        assert (found.start, found.end) == (start, end)
        assert found.root == notary.root(told().entries[:end]).hex()
        assert found.since == (notary.root(told().entries[:start]).hex() if start else None)
        assert found.law == len([one for one in told().laws if one < end])
        assert (found.first, found.last) == ((told().time,) * 2 if end > start else ("", ""))
        assert found.to_dict()["acts"] == end - start


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    return told().parcel(tmp_path / "export", START)


def lines(name: str, change: Callable[[list[bytes]], Any]) -> Edit:
    """Change a file's list of lines in place, or give another."""

    def edit(parcel: Path) -> None:
        found = (parcel / name).read_bytes().splitlines(keepends=True)
        changed = change(found)
        (parcel / name).write_bytes(b"".join(found if changed is None else changed))

    return edit


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Edit:
    def edit(parcel: Path) -> None:
        (parcel / name).write_bytes(change((parcel / name).read_bytes()))

    return edit


def joint(**changes: Any) -> Edit:
    """Other words in proof.json."""
    return lambda parcel: (parcel / "proof.json").write_bytes(written(told().joint(START, **changes)))


def note(name: str, make: Callable[[], str]) -> Edit:
    return lambda parcel: (parcel / name).write_text(make())


def linked(name: str) -> Edit:
    """The same bytes, by a link to a file outside."""

    def edit(parcel: Path) -> None:
        (parcel / name).rename(parcel.parent / "elsewhere")
        (parcel / name).symlink_to(parcel.parent / "elsewhere")

    return edit


def instead(name: str, make: Callable[[Path], object]) -> Edit:
    def edit(parcel: Path) -> None:
        (parcel / name).unlink()
        make(parcel / name)

    return edit


def sparse(name: str, size: int) -> Edit:
    return lambda parcel: os.truncate(parcel / name, size)


def swap(*places: int) -> Callable[[list[bytes]], None]:
    def change(found: list[bytes]) -> None:
        one, two = places
        found[one], found[two] = found[two], found[one]

    return change


def spaced(line: bytes) -> bytes:
    return line.replace(b'{"payload":', b'{"payload": ')


def fork() -> list[bytes]:
    return [*told().entries[:3], b"{}", *told().entries[4:]]


CHANGES: dict[str, tuple[Edit, type[Untrusted]]] = {
    # entries
    "an entry left out": (lines("entries.jsonl", lambda found: found[:2] + found[3:]), BadProof),
    "the first entry left out": (lines("entries.jsonl", lambda found: found[1:]), BadProof),
    "the last entry left out": (lines("entries.jsonl", lambda found: found[:-1]), BadProof),
    "no entries": (lines("entries.jsonl", lambda found: []), BadProof),
    "an act of the law left out": (
        lines("entries.jsonl", lambda found: [*found[:2], found[3], found[3], found[4]]),
        BadAuthority,
    ),
    "two entries changed over": (lines("entries.jsonl", swap(3, 4)), BadProof),
    "an act of the law before its time": (lines("entries.jsonl", swap(1, 2)), BadAuthority),
    "an entry twice": (lines("entries.jsonl", lambda found: [*found, found[-1]]), BadProof),
    "an entry twice, in another's place": (
        lines("entries.jsonl", lambda found: [*found[:4], found[3]]),
        BadAuthority,
    ),
    "an entry of another registry": (
        lines("entries.jsonl", lambda found: [*found[:4], other().entries[11] + b"\n"]),
        WrongRegistry,
    ),
    "an entry from before the range": (
        lines("entries.jsonl", lambda found: [told().entries[6] + b"\n", *found[1:]]),
        BadProof,
    ),
    "an empty line": (lines("entries.jsonl", lambda found: [*found[:4], b"\n"]), Malformed),
    "an empty line more": (lines("entries.jsonl", lambda found: [*found, b"\n"]), BadProof),
    "no newline at the end": (bytes_of("entries.jsonl", lambda data: data[:-1]), Malformed),
    "a carriage return": (bytes_of("entries.jsonl", lambda data: data.replace(b"\n", b"\r\n")), BadProof),
    "a space": (
        bytes_of("entries.jsonl", lambda data: data.replace(b'{"payload":', b'{"payload": ', 1)),
        BadProof,
    ),
    "a line that is no envelope": (lines("entries.jsonl", lambda found: [*found[:4], b"{}\n"]), Malformed),
    "a line that is no JSON": (lines("entries.jsonl", lambda found: [*found[:4], b"\xff\n"]), Malformed),
    # the law before
    "no law": (lines("law.jsonl", lambda found: []), Malformed),
    "no genesis act": (lines("law.jsonl", lambda found: found[1:]), WrongRegistry),
    "a missing act of the law": (lines("law.jsonl", lambda found: found[:2] + found[3:]), BadAuthority),
    "the last act of the law missing": (lines("law.jsonl", lambda found: found[:-1]), BadAuthority),
    "acts of the law changed over": (lines("law.jsonl", swap(4, 5)), BadAuthority),
    "an act of the law twice": (lines("law.jsonl", lambda found: [*found, found[-1]]), BadAuthority),
    "the law of another registry": (
        lines("law.jsonl", lambda _: [other().entries[index] + b"\n" for index in range(6)]),
        WrongRegistry,
    ),
    "a law from later": (lines("law.jsonl", lambda found: [*found, told().entries[9] + b"\n"]), BadAuthority),
    "an act that is none of the law": (
        lines("law.jsonl", lambda found: [*found, told().entries[6] + b"\n"]),
        BadAuthority,
    ),
    "the genesis act spelled in another way": (
        lines("law.jsonl", lambda found: [spaced(found[0]), *found[1:]]),
        Malformed,
    ),
    "the last act of the law spelled in another way": (
        lines("law.jsonl", lambda found: [*found[:-1], spaced(found[-1])]),
        Malformed,
    ),
    "every act of the law spelled in another way": (
        bytes_of("law.jsonl", lambda data: data.replace(b'{"payload":', b'{"payload": ')),
        Malformed,
    ),
    # checkpoints
    "an older checkpoint": (note("checkpoint", lambda: told().note(9)), BadProof),
    "the checkpoint of a fork": (note("checkpoint", lambda: told().note(tree=fork())), BadProof),
    "the checkpoint of another registry": (note("checkpoint", lambda: other().note()), BadCheckpoint),
    "a checkpoint without signature": (
        note("checkpoint", lambda: told().note().partition("\u2014")[0]),
        BadCheckpoint,
    ),
    "a checkpoint that is not UTF-8": (
        bytes_of("checkpoint", lambda data: data.replace(b"\xe2", b"\xff")),
        Malformed,
    ),
    "another checkpoint before": (note("since", lambda: told().note(6)), BadProof),
    "the checkpoint before of a fork": (note("since", lambda: told().note(tree=fork()[:START])), BadProof),
    "the newest checkpoint before": (note("since", lambda: told().note()), BadProof),
    "a checkpoint before of another registry": (note("since", lambda: other().note(START)), BadCheckpoint),
    "a checkpoint of nothing before": (note("since", lambda: told().note(0)), BadCheckpoint),
    "the two checkpoints changed over": (
        lambda parcel: (
            note("since", lambda: told().note())(parcel),
            note("checkpoint", lambda: told().note(START))(parcel),
        ),
        BadProof,
    ),
    "no checkpoint before": (lambda parcel: (parcel / "since").unlink(), Malformed),
    # what joins them
    "no consistency": (joint(consistency=[]), BadProof),
    "the consistency of another growth": (
        joint(consistency=[b64(one) for one in consistency(6, told().entries)]),
        BadProof,
    ),
    "a consistency of many hashes": (joint(consistency=[b64(bytes(32))] * 65), Malformed),
    "no subtrees": (joint(subtrees=[]), BadProof),
    "the subtrees of another tree": (
        joint(subtrees=[b64(one) for one in subtrees(fork()[:START])]),
        BadProof,
    ),
    "a subtree too many": (
        joint(subtrees=[b64(one) for one in [*subtrees(told().entries[:START]), bytes(32)]]),
        BadProof,
    ),
    "nothing before": (joint(before=None), Malformed),
    "an earlier entry before": (joint(before=told().shown(5)), BadProof),
    "another entry in the place before": (
        joint(before={**told().shown(6), "entry": told().envelope(8)}),
        BadProof,
    ),
    "the id of another registry": (joint(registry=other().registry_id), WrongRegistry),
    "another media type": (joint(mediaType="application/json"), Malformed),
    "a field too many": (joint(entries=5), Malformed),
    "witnesses of another registry": (joint(witnessed=[{"note": other().note(), "path": []}]), BadCheckpoint),
    "witnesses of a fork": (
        joint(
            witnessed=[
                {
                    "note": told().note(tree=fork()[:START]),
                    "path": [b64(one) for one in consistency(START, told().entries)],
                }
            ]
        ),
        BadProof,
    ),
    "spaces": (bytes_of("proof.json", lambda data: json.dumps(json.loads(data)).encode() + b"\n"), Malformed),
    "a proof of one act in its place": (
        bytes_of("proof.json", lambda _: written(told().proof(6))),
        Malformed,
    ),
    # the directory
    "a file too many": (lambda parcel: (parcel / "notes.txt").write_text("read me"), Malformed),
    "a hidden file": (lambda parcel: (parcel / ".entries.jsonl").touch(), Malformed),
    "a link to the entries": (linked("entries.jsonl"), Malformed),
    "a link to the law": (linked("law.jsonl"), Malformed),
    "a link to the checkpoint": (linked("checkpoint"), Malformed),
    "a link to nowhere": (instead("since", lambda path: path.symlink_to("nowhere")), Malformed),
    "a directory as a file": (instead("law.jsonl", lambda path: path.mkdir()), Malformed),
    "a pipe that nobody writes to": (instead("entries.jsonl", os.mkfifo), Malformed),
    "a gigantic proof": (sparse("proof.json", 1 << 40), Malformed),
    "a gigantic checkpoint": (sparse("checkpoint", 1 << 40), Malformed),
    "a gigantic line": (sparse("entries.jsonl", 1 << 40), Malformed),
    "a gigantic line of the law": (sparse("law.jsonl", 1 << 40), Malformed),
    **{
        f"no {name}": (lambda parcel, name=name: (parcel / name).unlink(), Malformed)
        for name in ("checkpoint", "law.jsonl", "entries.jsonl", "proof.json")
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_export(name: str, parcel: Path) -> None:
    edit, error = CHANGES[name]
    edit(parcel)
    with pytest.raises(error) as caught:
        check_range(parcel, told().registry_id)
    assert type(caught.value) is error


def test_a_whole_export_of_another_registry(tmp_path: Path) -> None:
    parcel = other().parcel(tmp_path / "export", START)
    check_range(parcel, other().registry_id)
    with pytest.raises(WrongRegistry):
        check_range(parcel, told().registry_id)


def test_a_law_before_the_beginning(tmp_path: Path) -> None:
    parcel = told().parcel(tmp_path / "export", 0)
    (parcel / "law.jsonl").write_bytes(told().entries[0] + b"\n")
    with pytest.raises(Malformed, match="before its beginning"):
        check_range(parcel, told().registry_id)


def test_a_law_from_later_before_an_empty_range(tmp_path: Path) -> None:
    parcel = told().parcel(tmp_path / "export", 8, 8)
    assert check_range(parcel, told().registry_id).law == 6
    lines("law.jsonl", lambda found: [*found, told().entries[9] + b"\n"])(parcel)
    with pytest.raises(BadAuthority, match="begins under"):
        check_range(parcel, told().registry_id)


def test_an_act_of_the_law_changed_between_two_looks_at_it(parcel: Path) -> None:
    """The law is read first, and everything after; in between, the file is somebody else's to change."""
    lawful = Lawful(from_genesis(told().entries[0], told().registry_id))
    for index in range(1, 6):
        lawful.follow(told().entries[index], 0)
    with opened(parcel) as files:
        replay = Replay(files, lawful, START, END)
        replay.enact()
        (parcel / "entries.jsonl").write_bytes(
            b"".join(told().entries[index] + b"\n" for index in (7, 8, 5, 10, 11))
        )
        with pytest.raises(BadAuthority, match="did not say before"):
            list(replay.acts(Frontier(START, subtrees(told().entries[:START])), SILENT))


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        check_range(tmp_path / "nowhere", told().registry_id)


def test_an_error_names_the_entry(parcel: Path) -> None:
    lines("entries.jsonl", lambda found: [*found[:4], found[3].replace(b'"sig":"ME', b'"sig":"MF')])(parcel)
    with pytest.raises(Untrusted) as caught:
        check_range(parcel, told().registry_id)
    assert (caught.value.on or "").startswith("entry 11")


# --- a checkpoint of one's own ----------------------------------------------------------------------


def test_a_range_that_goes_on_from_ones_own_checkpoint(parcel: Path) -> None:
    assert check_range(parcel, told().registry_id, held=told().note(START)).start == START


@pytest.mark.parametrize("held", [1, 6, 8, 12])
def test_a_range_with_a_gap_or_an_overlap(parcel: Path, held: int) -> None:
    with pytest.raises(BadCheckpoint, match="does not begin where"):
        check_range(parcel, told().registry_id, held=told().note(held))


def test_a_range_that_goes_on_from_a_fork(parcel: Path) -> None:
    with pytest.raises(BadCheckpoint, match="another history"):
        check_range(parcel, told().registry_id, held=told().note(tree=fork()[:START]))


def test_a_checkpoint_of_ones_own_from_another_registry(parcel: Path) -> None:
    with pytest.raises(BadCheckpoint):
        check_range(parcel, told().registry_id, held=other().note(START))


# --- any byte -----------------------------------------------------------------------------------------

FILES = ("checkpoint", "since", "law.jsonl", "entries.jsonl", "proof.json")


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_byte_changed(parcel: Path, name: str, where: float, change: int) -> None:
    honest = (parcel / name).read_bytes()
    spoiled = bytearray(honest)
    spoiled[int(where * len(honest))] ^= change
    (parcel / name).write_bytes(bytes(spoiled))
    try:
        with pytest.raises((Untrusted, BadSignature)):
            check_range(parcel, told().registry_id)
    finally:
        (parcel / name).write_bytes(honest)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True))
def test_any_file_cut_anywhere(parcel: Path, name: str, where: float) -> None:
    honest = (parcel / name).read_bytes()
    (parcel / name).write_bytes(honest[: int(where * len(honest))])
    try:
        with pytest.raises(Untrusted):
            check_range(parcel, told().registry_id)
    finally:
        (parcel / name).write_bytes(honest)


def test_an_export_may_lie_behind_a_link(parcel: Path) -> None:
    """The name given is the user's own; what lies inside is somebody else's."""
    link = parcel.parent / "link"
    link.symlink_to(parcel)
    assert check_range(link, told().registry_id).end == END


def test_two_exports_one_after_the_other(tmp_path: Path) -> None:
    first, second = told().parcel(tmp_path / "a", 0, START), told().parcel(tmp_path / "b", START)
    check_range(first, told().registry_id)
    found = check_range(second, told().registry_id, held=(first / "checkpoint").read_text())
    shutil.rmtree(first)
    assert (found.start, found.end) == (START, END)


def test_a_ledger_that_forked_between_two_exports(tmp_path: Path) -> None:
    """The same door, with the same key, shows somebody else another history of the same length."""
    forked = Notary.__new__(Notary)
    forked.__dict__ |= told().__dict__ | {"entries": [*told().entries[:6], *told().entries[7:]]}
    forked.laws = [0, 1, 2, 3, 4, 5, 8]
    first = told().parcel(tmp_path / "a", 0, START)
    check_range(forked.parcel(tmp_path / "b", 0, START), told().registry_id)
    second = forked.parcel(tmp_path / "c", START)
    check_range(second, told().registry_id)  # in itself it is whole
    with pytest.raises(BadCheckpoint, match="another history"):
        check_range(second, told().registry_id, held=(first / "checkpoint").read_text())
