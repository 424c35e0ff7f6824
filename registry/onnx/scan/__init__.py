"""Static rules for ONNX files: what is hostile, damaged or carries something."""

from registry.onnx.scan.scanner import RULES, scan

__all__ = ["RULES", "scan"]
