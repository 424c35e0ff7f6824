"""Which layers add the noise, rather than pass it on."""

from __future__ import annotations

from collections.abc import Sequence

from registry.onnx.evaluate.evaluation import CAP, Layer
from registry.onnx.loaded import Loaded


def added_noise(layers: Sequence[Layer], parent: Loaded) -> list[tuple[Layer, float]]:
    """Each layer with the noise that it adds itself, the most first; the parent's order decides ties.

    Noise is power relative to the signal's, 10 ** (-SQNR / 10). A layer adds what its value has more than the
    noisiest of the measured values that it is computed from (through nodes that were not measured, too).
    """
    known = {
        layer.parent: 10 ** (-layer.sqnr_mdb / 10_000) if layer.sqnr_mdb < CAP else 0.0 for layer in layers
    }
    reaching: dict[str, float] = {}  # noise of the newest measured values behind each value
    before: dict[str, float] = {}
    for node in parent.model.graph.nodes:
        coming = max((reaching.get(name, 0.0) for name in node.inputs), default=0.0)
        for name in node.outputs:
            before[name] = coming
            reaching[name] = known.get(name, coming)
    found = [(layer, max(0.0, known[layer.parent] - before.get(layer.parent, 0.0))) for layer in layers]
    return sorted(found, key=lambda pair: -pair[1])
