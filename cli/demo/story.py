"""The demonstration told: its chapters in order, for people as a story, for programs as one document."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING, Any

from . import chapters
from .chapters import Chapter, Told
from .stage import stage

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 80  # columns; a narrower terminal narrows it
CHAPTERS = (
    Chapter(
        "Make a model small",
        "A network that reads handwritten digits, trained in FP32 on real scans, becomes INT8. That makes it"
        " another program: from here on somebody must be able to prove where it comes from.",
        chapters.shrink,
    ),
    Chapter(
        "Found a registry",
        "Keys, a database, a store, and a first signed act, whose digest is the registry id. Whoever knows"
        " that one id can check everything that follows.",
        chapters.found,
    ),
    Chapter(
        "Push",
        "One pass hashes, encrypts and stores the file; then it is signed. Nobody sees a half-finished"
        " version: publication is one entry in the ledger.",
        chapters.push,
    ),
    Chapter(
        "Look at it",
        "What kind of quantization this is was read from the graph and signed, so nobody has to believe a"
        " file name.",
        chapters.show,
    ),
    Chapter(
        "Pull",
        "The file comes back byte for byte, with a signature beside it that other OpenSSF Model Signing"
        " tools verify too.",
        chapters.pull,
    ),
    Chapter(
        "Verify",
        "Twelve steps lead from the registry id to a model that is ready to run. Each of them stops one kind"
        " of attack.",
        chapters.verify,
    ),
    Chapter(
        "Run",
        "The verified bytes go from memory straight into ONNX Runtime, and read digits that the network has"
        " never seen. No plaintext touches a disk.",
        chapters.run,
    ),
    Chapter(
        "Prove where it comes from",
        "Rounding is a place to hide a backdoor. So every weight is rounded again from the FP32 parent, by"
        " position and not by name; one that is a single step off is found and named.",
        chapters.prove,
    ),
    Chapter(
        "Somebody changes the store",
        "One flipped bit in the encrypted file is enough: the pull is refused, and not a byte of it is"
        " written.",
        chapters.tamper_store,
    ),
    Chapter(
        "Somebody changes the database",
        "One edited field now claims another quantization. The signed act in the ledger says otherwise, and"
        " the act is what counts.",
        chapters.tamper_database,
    ),
    Chapter(
        "Ask the ledger",
        "The push and every release of the model are signed entries of a tree that can only grow. The pull of"
        " the damaged file left its trace, too. Then all of it is replayed, and every table compared.",
        chapters.audit,
    ),
    Chapter(
        "Show it to an outsider",
        "One act, proven to somebody who has the registry id and nothing else: no registry, no database, no"
        " network.",
        chapters.outsider,
    ),
)


def tell(as_json: bool) -> None:
    """Play every chapter in a throw-away home. Raises RegistryError where one does not come true."""
    began = time.monotonic()
    console = None if as_json else _opening()
    played = []
    with stage():
        for number, chapter in enumerate(CHAPTERS, 1):
            if console:
                _announce(console, number, chapter)
            told = chapter.play()
            played.append(_record(number, chapter, told))
            if console:
                _show(console, told)
    if console:
        _closing(console, time.monotonic() - began)
    else:
        from ..output import document

        document({"ok": True, "chapters": played})


def _record(number: int, chapter: Chapter, told: Told) -> dict[str, Any]:
    return {
        "number": number,
        "title": chapter.title,
        "why": chapter.why,
        "commands": told.commands,
        "output": told.output.splitlines(),
        "result": told.result,
    }


def _opening() -> Console:
    from ..output import console as plain

    console = plain()
    console.width = min(_WIDTH, console.width)
    console.print(
        f"\nHallmark in {len(CHAPTERS)} chapters. All of it happens now and for real, in a throw-away"
        " directory. Digests are cut to 16 digits here."
    )
    return console


def _announce(console: Console, number: int, chapter: Chapter) -> None:
    from rich.rule import Rule
    from rich.text import Text

    console.print()
    console.print(Rule(Text(f"{number}. {chapter.title}", "bold"), align="left", style="dim"))
    console.print(chapter.why)
    console.print()


def _show(console: Console, told: Told) -> None:
    from rich.text import Text

    for command in told.commands:
        typed = command if command.startswith("#") else f"$ {command}"
        console.print(Text(typed, "bold cyan"), soft_wrap=True)
    for line in told.output.splitlines():
        for part in textwrap.wrap(line, console.width, subsequent_indent="    ") or [""]:
            shown = Text(part)
            shown.highlight_regex(r"\bok\b|\d+ of \d+ right", "green")
            shown.highlight_regex(r"\bFAILED\b|^error \[[a-z-]+\]", "bold red")
            console.print(shown, soft_wrap=True)


def _closing(console: Console, seconds: float) -> None:
    console.print()
    console.rule(style="dim")
    console.print(
        "Nothing ran that was not verified, nothing changed unnoticed, and every act is on record."
        f" That took {seconds:.1f} seconds, and the directory is gone again."
    )
    console.print("\nYour turn:  registry init  and then  registry push model.onnx NAMESPACE/MODEL")
