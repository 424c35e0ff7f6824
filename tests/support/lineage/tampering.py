"""Every class of tampering by name, and which can be told without calibration data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx

from support.lineage import tampered_additions, tampered_numbers, tampered_structure
from support.lineage.generated import near_twin
from support.lineage.recipes import RecipeChild, requantized
from support.lineage.surgery import NotApplicable

Tamper = Callable[[bytes, np.random.Generator], bytes]

# What the parent's weights, or its graph, contradict.
WEIGHTS: Mapping[str, Tamper] = {
    "one weight by 1": tampered_numbers.one_weight_by_one,
    "ten weights": tampered_numbers.ten_weights,
    "1 % of weights by 1": tampered_numbers.one_in_a_hundred,
    "weight scale by 1 ulp": tampered_numbers.weight_scale_by_one_ulp,
    "weight scale by 1e-6": tampered_numbers.weight_scale_by_1e_6,
    "weight scale by 1e-3": tampered_numbers.weight_scale_by_1e_3,
    "weight scale by 10 %": tampered_numbers.weight_scale_by_a_tenth,
    "weight zero point": tampered_numbers.weight_zero_point,
    "channels swapped": tampered_numbers.channels_swapped,
    "quantized bias by 1": tampered_numbers.quantized_bias_by_one,
    "float constant by 1 ulp": tampered_numbers.float_by_one_ulp,
    "float constant by 10 %": tampered_numbers.float_by_a_tenth,
    "padding nibbles": tampered_numbers.padding_nibbles,
}
STRUCTURE: Mapping[str, Tamper] = {
    "Mul by 1.000001 inserted": tampered_structure.mul_by_nearly_one,
    "Add of 0 inserted": tampered_structure.add_zero,
    "node removed": tampered_structure.node_removed,
    "node rewired": tampered_structure.node_rewired,
    "inputs exchanged": tampered_structure.inputs_exchanged,
    "attribute changed": tampered_structure.attribute_changed,
    "trigger by Where": tampered_additions.trigger_where,
    "trigger by If": tampered_additions.trigger_if,
    "unused initializer": tampered_additions.unused_initializer,
    "dead node": tampered_additions.dead_node,
}
# Calibration chose these: the parent alone cannot contradict them.
ACTIVATIONS: Mapping[str, Tamper] = {
    "activation scale by 1 ulp": tampered_numbers.activation_scale_by_one_ulp,
    "activation scale by 10 %": tampered_numbers.activation_scale_by_a_tenth,
    "activation zero point": tampered_numbers.activation_zero_point,
    "Q/DQ pair inserted": tampered_additions.qdq_inserted,
    "Q/DQ pair removed": tampered_additions.qdq_removed,
}
TAMPERINGS: Mapping[str, Tamper] = {**WEIGHTS, **STRUCTURE, **ACTIVATIONS}

__all__ = ["ACTIVATIONS", "STRUCTURE", "TAMPERINGS", "WEIGHTS", "NotApplicable", "Tamper", "twin_child"]


def twin_child(honest: RecipeChild, rng: np.random.Generator) -> bytes:
    """What the same recipe makes of a parent of the same architecture that was "trained again"."""
    model = onnx.load_from_string(honest.parent.model())
    twin = near_twin(model, rng).SerializeToString(deterministic=True)
    parent = replace(honest.parent, name="near twin", make=lambda: twin, feed=honest.parent.feeds)
    return requantized(parent, honest.recipe)
