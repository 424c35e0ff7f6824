"""The Python API's other half: looking at models, making quantized ones, and proving where they come from.

A ``source`` or ``parent`` is a path (an ONNX file, or a directory with one) or a reference.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.context import Context
    from registry.evaluating import Evaluated
    from registry.family import Relative
    from registry.lineage import Confirmed, Proved
    from registry.onnx.profile.values import Profile
    from registry.onnx.quantize import Recipe
    from registry.quantizing import Quantized
    from registry.scanning import Report
    from registry.tuning import Tuned

PathLike = str | os.PathLike[str]


class Workbench:
    """What one does with models, beside keeping them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def inspect(self, source: PathLike, *, model: str | None = None) -> Profile:
        """What the graph says of its quantization, tensor by tensor, and where the file's own claims differ.

        ``model`` names the ONNX file where there are several. Raises InvalidInput, NotFound or Untrusted.
        """
        from registry.inspecting import inspect

        return inspect(self._context, str(source), model=model)

    def scan(self, source: PathLike) -> Report:
        """Look for what is hostile or damaged; the report is returned whatever it says.

        Raises NotFound, or Untrusted where a version cannot be opened.
        """
        from registry.screening import scan

        return scan(self._context, str(source))

    def quantize(
        self,
        source: PathLike,
        to: str,
        recipe: Recipe | None = None,
        *,
        calibration: PathLike | None = None,
        keep_parent: bool = False,
        label: str | None = None,
        aliases: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> Quantized:
        """Quantize ``source`` by a recipe and publish the result, with the recipe and its proof signed.

        ``calibration`` (``.npz``, or a directory of such) is what a static recipe needs. Raises InvalidInput,
        Denied, Conflict or Unavailable; nothing is published then.
        """
        from registry.quantizing import quantize

        return quantize(
            self._context,
            str(source),
            to,
            recipe,
            calibration=_path(calibration),
            keep_parent=keep_parent,
            label=label,
            aliases=aliases,
            metadata=metadata,
        )

    def tune(
        self,
        source: PathLike,
        to: str,
        validation: PathLike,
        *,
        min_agreement: float = 0.99,
        objective: str = "size",
        budget: float | None = None,
        calibration: PathLike | None = None,
    ) -> Tuned:
        """Search the recipe that answers as ``source`` does on ``validation``, and publish its result.

        ``min_agreement`` is a share of answers, ``objective`` "size" or "latency", ``budget`` in seconds.
        Raises InvalidInput where no recipe is good enough; nothing is published then.
        """
        from registry.tuning import tune

        return tune(
            self._context,
            str(source),
            to,
            Path(validation),
            min_agreement=min_agreement,
            objective=objective,
            budget=budget,
            calibration=_path(calibration),
        )

    def evaluate(
        self, source: PathLike, against: PathLike, data: PathLike, *, sign: bool = True
    ) -> Evaluated:
        """Measure a model against its parent on data; for a version the numbers are signed.

        Raises InvalidInput, NotFound, Denied or Untrusted.
        """
        from registry.evaluating import evaluate

        return evaluate(self._context, str(source), str(against), Path(data), sign=sign)

    def prove(self, source: PathLike, parent: PathLike, *, calibration: PathLike | None = None) -> Proved:
        """Prove what can be proven of a quantized model and its parent; for a version the verdict is signed.

        Returned whatever the verdict is; look at ``lineage.verdict``. Raises InvalidInput, NotFound, Denied
        or Untrusted.
        """
        from registry.lineage import prove

        return prove(self._context, str(source), str(parent), calibration=_path(calibration))

    def verify_lineage(
        self, ref: str, *, parent: PathLike | None = None, calibration: PathLike | None = None
    ) -> tuple[Confirmed, ...]:
        """Make every signed lineage proof of a version again.

        Raises BadAttestation where a verdict is another, InvalidInput where parent or data are missing.
        """
        from registry.lineage import verify

        origin = None if parent is None else str(parent)
        return verify(self._context, ref, parent=origin, calibration=_path(calibration))

    def family(self, ref: str) -> tuple[Relative, ...]:
        """The family trees of a version, from the oldest known parents down. Raises NotFound or Untrusted."""
        from registry.family import family

        return family(self._context, ref)


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else Path(given)
