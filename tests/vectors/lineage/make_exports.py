"""Export four small PyTorch networks with both of PyTorch's exporters: ``python make_exports.py FOLDER``.

The old exporter traces to TorchScript (``dynamo=False``), the new one goes through ``torch.export``
(``dynamo=True``). Weights come from fixed seeds. README.md beside this file names the releases used.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

OLD_OPSET, NEW_OPSET = 17, 18


class Mlp(nn.Module):
    """Dense layers as torch writes them, a GELU and a layer norm: x[n, 20] to y[n, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 48), nn.GELU(), nn.LayerNorm(48), nn.Linear(48, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class BnCnn(nn.Module):
    """Convolutions with batch norm, one of them depthwise, and a residual: x[n, 3, 16, 16] to y[n, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.deep = nn.Sequential(
            nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12), nn.ReLU6()
        )
        self.wide = nn.Conv2d(12, 24, 1, stride=2)
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = nn.functional.silu(self.wide(x + self.deep(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Encoder(nn.Module):
    """An embedding and an encoder layer of two heads: tokens[n, 6] to y[n, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 24)
        self.layer = nn.TransformerEncoderLayer(24, 2, 40, dropout=0.0, activation="gelu", batch_first=True)
        self.head = nn.Linear(24, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.embedding(tokens)).mean(1))


class Lstm(nn.Module):
    """An LSTM in both directions and a dense layer: x[n, 7, 10] to y[n, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(10, 14, batch_first=True, bidirectional=True)
        self.head = nn.Linear(28, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1])


NETWORKS: dict[str, tuple[type[nn.Module], str, Any]] = {
    "mlp": (Mlp, "x", lambda: torch.randn(2, 20)),
    "bncnn": (BnCnn, "x", lambda: torch.randn(2, 3, 16, 16)),
    "encoder": (Encoder, "tokens", lambda: torch.randint(0, 40, (2, 6))),
    "lstm": (Lstm, "x", lambda: torch.randn(1, 7, 10)),
}


def network(kind: type[nn.Module]) -> nn.Module:
    """One of the networks, with batch norms that have seen data."""
    torch.manual_seed(7)
    model = kind()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.6, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.3, 2.0)
    return model.eval()


def export(name: str, path: Path, *, new: bool) -> None:
    kind, source, example = NETWORKS[name]
    names: dict[str, Any] = {"input_names": [source], "output_names": ["y"]}
    free = name != "lstm"  # the trace of an LSTM holds for its own batch size only
    if new:
        shapes = ({0: torch.export.Dim("n", min=1, max=64)},) if free else None
        torch.onnx.export(
            network(kind), (example(),), path, dynamo=True, opset_version=NEW_OPSET, dynamic_shapes=shapes,
            external_data=False, verbose=False, **names,
        )  # fmt: skip
    else:
        axes = {source: {0: "n"}, "y": {0: "n"}} if free else None
        torch.onnx.export(
            network(kind),
            (example(),),
            path,
            dynamo=False,
            opset_version=OLD_OPSET,
            dynamic_axes=axes,
            **names,
        )
    strip(path)


def strip(path: Path) -> None:
    """Leave out what only says where in the source a node came from: it names folders of the machine."""
    model = onnx.load(path)
    model.graph.ClearField("metadata_props")
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.initializer, *model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def main(folder: Path) -> None:
    for name in NETWORKS:
        for new in (False, True):
            path = folder / f"torch-{'new' if new else 'old'}-{name}.onnx"
            export(name, path, new=new)
            print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
