"""Which witnesses a client demands: C2SP tlog-policy.

::

    log VKEY [URL]                    a ledger that may be meant; none at all: the one that is pinned
    witness NAME VKEY [URL]
    group NAME any|all|K MEMBER...    K of the witnesses and groups named; each may be named once
    quorum NAME|none

The names are the file's own. URLs are read and not used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from registry.crypto import notes
from registry.crypto.cosignature import WitnessPublicKey
from registry.errors import InvalidInput, Malformed

LIMIT = 256 << 10  # bytes of a policy
_MOST = 64  # logs, witnesses and groups, of each; a reader should take 32 at least
_NONE, _ENOUGH = "none", "enough"
_OCTETS = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class Group:
    """``least`` of ``members`` stand for the whole."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Witnesses by name, and which of them are enough."""

    logs: tuple[str, ...]  # vkeys
    witnesses: Mapping[str, WitnessPublicKey]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy. Raises InvalidInput, which names the line."""
        odd = _OCTETS.search(data[:LIMIT])
        if odd or len(data) > LIMIT:
            what = f"the octet {odd[0]!r}" if odd else f"longer than {LIMIT} bytes"
            raise InvalidInput(f"the witness policy is refused: {what}", hint=_HINT)
        draft = _Draft()
        for number, line in enumerate(data.split(b"\n"), 1):
            draft.read(number, [word.decode("utf-8", "surrogateescape") for word in _words(line)])
        if draft.quorum is None:
            raise InvalidInput("the witness policy names no quorum", hint=_HINT)
        return cls(tuple(draft.logs), draft.witnesses, draft.groups, draft.quorum)

    @classmethod
    def of(cls, least: int, vkeys: Sequence[str], log: str | None = None) -> Policy:
        """``least`` of these witnesses. Raises InvalidInput."""
        if any(set(vkey) & set(" \t\n") for vkey in vkeys):
            raise InvalidInput("a vkey holds no space", hint=_HINT)
        names = _names(vkeys, log)
        lines = [f"log {log}"] if log else []
        lines += [f"witness {name} {vkey}" for name, vkey in zip(names, vkeys, strict=True)]
        lines += [f"group {_ENOUGH} {least} {' '.join(names)}", f"quorum {_ENOUGH}"]
        return cls.parse("\n".join(lines).encode("utf-8", "surrogateescape"))

    def to_bytes(self) -> bytes:
        """The policy as a file, without what only people read."""
        lines = [f"log {vkey}" for vkey in self.logs]
        lines += [f"witness {name} {key.vkey}" for name, key in self.witnesses.items()]
        lines += [
            f"group {name} {group.least} {' '.join(group.members)}" for name, group in self.groups.items()
        ]
        return "".join(f"{line}\n" for line in (*lines, f"quorum {self.quorum}")).encode(
            "utf-8", "surrogateescape"
        )

    @property
    def demands(self) -> bool:
        """Whether any witness is needed."""
        return self.quorum != _NONE

    def met(self, names: Collection[str]) -> bool:
        """Whether these witnesses, by the policy's names, are enough."""
        return not self.demands or self._stands(self.quorum, names)

    def _stands(self, name: str, names: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._stands(member, names) for member in group.members) >= group.least


@dataclass
class _Draft:
    """A policy as far as it has been read."""

    logs: list[str] = field(default_factory=list)
    witnesses: dict[str, WitnessPublicKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    keys: set[bytes] = field(default_factory=set)  # raw: the same key under another name is the same
    taken: set[str] = field(default_factory=set)  # members of a group already

    def read(self, number: int, words: list[str]) -> None:
        """Take in one line."""
        try:
            match words:
                case []:
                    pass
                case ["log", vkey] | ["log", vkey, _]:
                    self._log(vkey)
                case ["witness", name, vkey] | ["witness", name, vkey, _]:
                    self._witness(name, vkey)
                case ["group", name, least, first, *more]:
                    self._group(name, least, (first, *more))
                case ["quorum", name]:
                    self._quorum(name)
                case _:
                    raise Malformed("this is no line of a policy")
        except Malformed as error:
            raise InvalidInput(
                f"line {number} of the witness policy: {error.message}", on=error.on, hint=_HINT
            ) from error

    def _log(self, vkey: str) -> None:
        self._new(_vkey(vkey)[2], self.logs)
        self.logs.append(vkey)

    def _witness(self, name: str, vkey: str) -> None:
        self._name(name)
        key = WitnessPublicKey(*_vkey(vkey))
        self._new(key.raw, self.witnesses)
        self.witnesses[name] = key

    def _group(self, name: str, least: str, members: tuple[str, ...]) -> None:
        self._name(name)
        for member in members:
            if member not in (*self.witnesses, *self.groups):
                raise Malformed("a member that no line before names", on=repr(member))
            if member in self.taken:
                raise Malformed("a member named twice", on=repr(member))
            self.taken.add(member)
        given = {"any": "1", "all": str(len(members))}.get(least, least)
        if not _NUMBER.fullmatch(given) or int(given) > len(members) or len(self.groups) >= _MOST:
            raise Malformed(f"not {least!r} of {len(members)}")
        self.groups[name] = Group(int(given), members)

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise Malformed("a second quorum")
        if name not in (*self.witnesses, *self.groups, _NONE):
            raise Malformed("a quorum that no line before names", on=repr(name))
        self.quorum = name

    def _name(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise Malformed("the name is taken", on=repr(name))

    def _new(self, key: bytes, others: Collection[str]) -> None:
        if key in self.keys:
            raise Malformed("the key stands on another line already")
        if len(others) >= _MOST:
            raise Malformed(f"more than {_MOST}")
        self.keys.add(key)


def _names(vkeys: Sequence[str], log: str | None) -> list[str]:
    """What to call witnesses: by their key names, members of the ledger's registry by their own."""
    names: list[str] = []
    for vkey in vkeys:
        name = vkey.partition("+")[0].removeprefix(f"{(log or '').partition('+')[0]}/")
        taken = name in ("", _NONE, _ENOUGH, *names) or name.startswith("#")
        names.append(f"{name}#{len(names) + 1}" if taken else name)
    return names


def _words(line: bytes) -> list[bytes]:
    words = [word for word in re.split(rb"[ \t]+", line) if word]
    return [] if words and words[0].startswith(b"#") else words


def _vkey(text: str) -> tuple[str, int, bytes]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Malformed("a key that is not UTF-8") from error
    return notes.read_vkey(text)


_HINT = "write it as c2sp.org/tlog-policy says; 'registry audit witnesses --require K VKEY...' does"
