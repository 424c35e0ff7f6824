"""Every class of tampering by name, and which can be told without calibration data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from support.lineage import (
    tampered_additions,
    tampered_knowingly,
    tampered_numbers,
    tampered_structure,
    tampered_tricks,
)
from support.lineage.recipes import RecipeChild
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
    "two tensors exchanged": tampered_numbers.tensors_exchanged,
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
    "attribute added": tampered_tricks.attribute_added,
    "weight made an input": tampered_tricks.weight_made_an_input,
    "initializer shadowed": tampered_tricks.initializer_shadowed,
    "output added": tampered_tricks.output_added,
    "input doubled": tampered_tricks.input_changed,
    "operator shadowed by a function": tampered_tricks.operator_shadowed,
    "operator replaced by a function": tampered_tricks.operator_in_a_function,
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

# What an attacker who has the parent can do better; these take the honest child, not only its bytes.
WITH_PARENT: Mapping[str, Callable[[RecipeChild, np.random.Generator], bytes]] = {
    "1 % of rounding directions flipped": tampered_knowingly.directions_flipped,
    "one tensor's range halved, weights cut off": tampered_knowingly.tensor_cut,
    "parent swapped for a near twin": tampered_knowingly.twin_child,
}

__all__ = ["ACTIVATIONS", "STRUCTURE", "TAMPERINGS", "WEIGHTS", "WITH_PARENT", "NotApplicable", "Tamper"]
