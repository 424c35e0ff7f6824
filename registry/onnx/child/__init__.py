"""What onnx and ONNX Runtime say of a file, asked where it cannot hurt: in a confined process of its own."""

from __future__ import annotations

from registry.onnx.child.examination import examine
from registry.onnx.child.keeper import prewarm
from registry.onnx.child.limits import DEFAULT, Limits
from registry.onnx.child.rules import RULES

__all__ = ["DEFAULT", "RULES", "Limits", "examine", "prewarm"]
