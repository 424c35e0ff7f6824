"""Getting versions out: to a directory, through the ritual, into ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, Purpose, Ref, session

if TYPE_CHECKING:
    from registry.ritual import Outcome

_VALUES = 64  # elements of an output that are printed in full


def register(app: typer.Typer) -> None:
    """Add ``pull``, ``verify`` and ``run``."""
    app.command()(pull)
    app.command()(verify)
    app.command()(run)


def pull(
    context: typer.Context,
    ref: Ref,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write the files.")],
    force: Annotated[bool, typer.Option("--force", help="Write into a directory that has content.")] = False,
    purpose: Purpose = "pull",
    json: Json = False,
) -> None:
    """Verify a version and write its files, with the bundle beside them as model.sig.

    Example: registry pull vision/resnet50:prod -o ./resnet50
    """
    from registry.onnx.child import prewarm
    from registry.pull import pull as fetch

    from .output import document, pairs, size

    with session(context).open() as opened:
        prewarm()
        done = fetch(opened, ref, output, force=force, purpose=purpose)
    if json:
        document(
            {
                "reference": str(done.ref),
                "version": done.ref.version,
                "digest": f"sha256:{done.digest}",
                "directory": done.directory,
                "files": done.paths,
                "size": done.size,
                "seq": done.seq,
            }
        )
        return
    files = f"{len(done.paths)} verified, {size(done.size)}"
    pairs(
        [
            ("reference", done.ref),
            ("digest", f"sha256:{done.digest}"),
            ("files", files),
            ("written to", done.directory),
        ]
    )


def verify(context: typer.Context, ref: Ref, json: Json = False) -> None:
    """Walk the ritual of checkout and print each numbered step with its verdict.

    Example: registry verify vision/resnet50:prod
    """
    from registry.checkout import verify as walk
    from registry.onnx.child import prewarm

    from .output import document

    with session(context).open() as opened:
        prewarm()
        outcomes = walk(opened, ref, observer=None if json else _print_step)
    ok = all(outcome.ok for outcome in outcomes)
    if json:
        document({"ok": ok, "steps": [_step(outcome) for outcome in outcomes]})
    else:
        typer.echo(f"{ref}: verified" if ok else f"{ref}: NOT verified, step {outcomes[-1].number} failed")
    if not ok:
        raise typer.Exit(5)


def _step(outcome: Outcome) -> dict[str, Any]:
    return {"number": outcome.number, "name": outcome.name, "ok": outcome.ok, "detail": outcome.detail}


def _print_step(outcome: Outcome) -> None:
    from .output import clean

    verdict = "ok    " if outcome.ok else "FAILED"
    typer.echo(f"{outcome.number:>2}  {outcome.name:<10}  {verdict}  {clean(outcome.detail)}")


def run(
    context: typer.Context,
    ref: Ref,
    source: Annotated[
        str,
        typer.Option("--input", metavar="X.npz", help="Arrays by input name, or 'random' to make some up."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="Y.npz", help="Where to write the outputs.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="PATH", help="The ONNX file, where the version has several."),
    ] = None,
    purpose: Purpose = "run",
    json: Json = False,
) -> None:
    """Verify a version into memory and run it; no plaintext touches a disk.

    Example: registry run vision/resnet50:prod --input batch.npz --output scores.npz
    """
    from registry.checkout import checkout
    from registry.onnx.child import prewarm

    from .arrays import load, save
    from .output import document, pairs, table

    feeds = None if source == "random" else load(Path(source))
    with session(context).open() as opened:
        prewarm()  # the process that step 11 looks at the model in
        verified = checkout(opened, ref, purpose=purpose)
        ready = verified.session(model)
    with ready:
        if feeds is None:
            from registry.onnx.inputs import random_inputs

            feeds = random_inputs(ready)
        results = dict(zip((one.name for one in ready.outputs), ready.run(None, feeds), strict=True))
    if output is not None:
        save(output, results)
    shown = [_described(name, value) for name, value in results.items()]
    if json:
        document(
            {
                "reference": str(verified.ref),
                "digest": f"sha256:{verified.digest}",
                "seq": verified.pull,
                "outputs": shown,
                "written": output,
            }
        )
        return
    pairs([("reference", verified.ref), ("digest", f"sha256:{verified.digest}"), ("written to", output)])
    rows = [(one["name"], one["type"], one["shape"], one.get("values", "")) for one in shown]
    table(("output", "type", "shape", "values"), rows)


def _described(name: str, value: Any) -> dict[str, Any]:
    import numpy

    if not isinstance(value, numpy.ndarray):  # a sequence or a map of ONNX
        return {"name": name, "type": type(value).__name__, "shape": [len(value)]}
    described = {"name": name, "type": str(value.dtype), "shape": list(value.shape)}
    if value.size <= _VALUES:
        described["values"] = value.tolist()
    return described
