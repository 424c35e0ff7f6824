"""Quantizing a float model by a recipe, through ``onnxruntime.quantization``, byte for byte again."""

from registry.onnx.quantize.calibration import Calibration, calibration_of, load_calibration
from registry.onnx.quantize.engine import optimized, quantize
from registry.onnx.quantize.recipe import Recipe

__all__ = ["Calibration", "Recipe", "calibration_of", "load_calibration", "optimized", "quantize"]
