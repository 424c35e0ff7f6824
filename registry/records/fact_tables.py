"""The tables of what a version's graphs say of their quantization: rows of its signed facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Table, Text

from registry.records.columns import MODEL, col, key, metadata, of

quantization = Table(  # one row per ONNX file
    "quantization",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("path", Text),
    col("mode", String(16)),
    col("format", String(16)),
    col("quantized_weights", Integer),  # tensors
    col("quantized_elements", BigInteger),
    col("float_weights", Integer),  # tensors
    col("float_elements", BigInteger),
    of(["model", "number"], "versions"),
    Index(None, "mode", "format"),
)

opsets = Table(
    "opsets",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("path", Text),
    key("domain", Text),
    col("version", BigInteger),
    of(["model", "number", "path"], "quantization"),
)

quantized_tensors = Table(
    "quantized_tensors",
    metadata,
    key("model", MODEL),
    key("number", Integer),
    key("path", Text),
    key("position", Integer),
    col("name", Text),
    col("scope", Text),
    col("operator", Text),
    col("role", String(16)),
    col("stored", Boolean),
    col("type", String(16)),
    col("bits", Integer),
    col("symmetric", Boolean),
    col("granularity", String(16)),
    col("axis", Integer, nullable=True),
    col("block_size", BigInteger, nullable=True),
    of(["model", "number", "path"], "quantization"),
    Index(None, "type", "granularity"),
)
