"""A parent made ready for the quantizers; its values stay the same, but for what ``optimize`` folds.

In order: functions are inlined; initializers cease to be inputs; Constant nodes become initializers;
recorded shapes are dropped, for some are stale; nodes get names and topological order; the default operator
set is raised where the types ask for it; ONNX Runtime's basic optimizations run where the recipe says so;
Gemm becomes MatMul and Add for the modes that know only MatMul, and what the static one takes wrongly is
set right; shapes are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.external import resolve
from registry.onnx.quantize.apart import flatten_biases, separate_layouts, shield_subgraphs
from registry.onnx.quantize.gemm import split_gemms
from registry.onnx.quantize.graphs import graphs, lift_constants, name_nodes, order
from registry.onnx.quantize.hollow import hollowed, is_large, save
from registry.onnx.quantize.recipe import Recipe

if TYPE_CHECKING:
    import onnx

_WIDE = frozenset(("INT4", "UINT4", "INT16", "UINT16"))  # Q/DQ know them from operator set 21
_IR_OF_21 = 10
_HALF = 10  # TensorProto.FLOAT16; Q/DQ scale it from operator set 19
_LEAST_IR = 4  # before, every initializer must be an input


def prepare(
    files: Mapping[str, memoryview], path: str, recipe: Recipe, scratch: Path
) -> tuple[onnx.ModelProto, list[str]]:
    """The model ready to be quantized, and the names of the nodes that stay float, sorted.

    Raises InvalidModel, or InvalidInput for a node to exclude that is not there.
    """
    model = _read(files, path)
    _constants(model)
    name_nodes(model.graph)
    order(model.graph)
    known = _names(model.graph)
    half = _is_half(model.graph)
    if half:
        _check_half(recipe)
    model = _raised(model, recipe, half)
    if recipe.optimize:
        model = _optimized(model, scratch)
        name_nodes(model.graph)
    excluded = _excluded(model.graph, recipe, known)
    if recipe.mode != "static":
        split = split_gemms(model.graph)
        excluded |= {split[name] for name in excluded if name in split}
    else:
        separate_layouts(model.graph)
        flatten_biases(model.graph)
        shield_subgraphs(model.graph)
        order(model.graph)
    return _inferred(model), sorted(excluded)


def optimized(files: Mapping[str, memoryview], path: str, scratch: Path) -> onnx.ModelProto:
    """The float model as ONNX Runtime's basic optimizations rewrite it. Raises as ONNX Runtime does."""
    model = _read(files, path)
    _constants(model)
    order(model.graph)
    return _optimized(model, scratch)


def _read(files: Mapping[str, memoryview], path: str) -> onnx.ModelProto:
    import onnx.inliner
    from onnx.external_data_helper import uses_external_data

    model = onnx.ModelProto()
    model.ParseFromString(bytes(files[path]))
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for graph in graphs(model.graph):
        held = [one.t for node in graph.node for one in node.attribute if one.HasField("t")]
        for tensor in (*graph.initializer, *held):
            if uses_external_data(tensor):
                _bring(tensor, files, path)
    return model


def _bring(tensor: onnx.TensorProto, files: Mapping[str, memoryview], path: str) -> None:
    entry = {one.key: one.value for one in tensor.external_data}
    data = files[resolve(entry["location"], path, on=tensor.name)]
    start = int(entry.get("offset", "0"))
    end = start + int(entry["length"]) if "length" in entry else len(data)
    tensor.raw_data = bytes(data[start:end])
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _constants(model: onnx.ModelProto) -> None:
    given = {tensor.name for tensor in model.graph.initializer}
    for value in [one for one in model.graph.input if one.name in given]:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, _LEAST_IR)
    lift_constants(model.graph)
    for graph in graphs(model.graph):
        del graph.value_info[:]


def _names(graph: onnx.GraphProto) -> dict[str, str]:
    """Each node's name by its own name and by its outputs'; names win."""
    nodes = [node for inner in graphs(graph) for node in inner.node]
    return {name: node.name for node in nodes for name in node.output if name} | {
        node.name: node.name for node in nodes
    }


def _excluded(graph: onnx.GraphProto, recipe: Recipe, before: Mapping[str, str]) -> set[str]:
    names = _names(graph)
    for wanted in recipe.exclude:
        if wanted not in names:
            fused = (
                "it is fused by --optimize" if wanted in before else "`registry inspect --layers` lists them"
            )
            raise InvalidInput("there is no such node to exclude", on=wanted, hint=fused)
    return {names[wanted] for wanted in recipe.exclude}


def _is_half(graph: onnx.GraphProto) -> bool:
    """Whether weights are in half precision."""
    return any(
        one.data_type == _HALF and len(one.dims) > 1 for inner in graphs(graph) for one in inner.initializer
    )


def _check_half(recipe: Recipe) -> None:
    fits = recipe.format == "QDQ" and recipe.calibration == "MinMax"
    if recipe.mode == "dynamic" or (recipe.mode == "static" and not fits):
        raise InvalidInput(
            "ONNX Runtime quantizes models in half precision only to weights, or to Q/DQ by MinMax",
            on=f"{recipe.mode}, {recipe.format}",
            hint="--mode weight-only, or convert the model to float32 first",
        )


def _raised(model: onnx.ModelProto, recipe: Recipe, half: bool) -> onnx.ModelProto:
    """The model at the recipe's operator set at least, and at 21 where the types begin there."""
    from onnx import version_converter

    wide = recipe.format == "QDQ" and (half or {recipe.weight_type, recipe.activation_type} & _WIDE)
    target = max(recipe.opset, 21 if wide or recipe.embeddings else 0)
    imported = next((one for one in model.opset_import if one.domain in ("", "ai.onnx")), None)
    if imported is not None and imported.version < target:
        try:
            model = hollowed(model, lambda hollow: version_converter.convert_version(hollow, target))
        except RuntimeError as error:
            raise InvalidModel(
                f"the model cannot be raised to operator set {target}: {str(error)[:300]}",
                on=f"operator set {imported.version}",
                hint=f"export it with operator set {target} or newer",
            ) from error
        lift_constants(model.graph)
        name_nodes(model.graph)
    if target >= 21:
        model.ir_version = max(model.ir_version, _IR_OF_21)
    return model


def _optimized(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """What ONNX Runtime's basic optimizations make of it: batch norms folded, constants computed."""
    import onnx
    import onnxruntime

    source, target = scratch / "plain.onnx", scratch / "optimized.onnx"
    save(model, source)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    if is_large(model):
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "optimized.bin"
        )
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    found = onnx.load(target)
    lift_constants(found.graph)
    for graph in graphs(found.graph):
        del graph.value_info[:]
    order(found.graph)
    return found


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import shape_inference
    from onnxruntime.quantization.quant_utils import add_infer_metadata

    model = hollowed(model, shape_inference.infer_shapes)
    add_infer_metadata(model)  # else the quantizers infer again, by way of a file
    return model
