"""How far a model's answers lie from another's: output by output, layer by layer, and as one signed value."""
