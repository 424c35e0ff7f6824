"""Profiles: what a quantized model's numbers look like, what stayed float, and which of its claims hold."""
