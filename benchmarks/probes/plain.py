"""The plain script that ``registry run`` is compared with: MODEL. Loads it with ONNX Runtime, runs it once on
random inputs, prints the outputs' shapes; ``session MODEL`` stops at the session and reports its memory."""

from __future__ import annotations

import json
import sys

import numpy
import onnxruntime


def main() -> None:
    if sys.argv[1] == "session":
        from benchmarks.probes.reading import report

        report(lambda: onnxruntime.InferenceSession(sys.argv[2]))
        return
    session = onnxruntime.InferenceSession(sys.argv[1])
    generator = numpy.random.default_rng(0)
    feeds = {one.name: generator.standard_normal(one.shape, numpy.float32) for one in session.get_inputs()}
    print(json.dumps({"shapes": [value.shape for value in session.run(None, feeds)]}))


if __name__ == "__main__":
    main()
