"""What a file that is no ONNX model probably is, so that the error can say what to do."""

from __future__ import annotations

from registry.errors import InvalidModel

_LOOK = 512  # bytes read from the start
_TEXT = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}

_AT_START: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive (PyTorch, NumPy)", "export the model with torch.onnx.export"),
    (b"\x89HDF\r\n", "an HDF5 file (Keras)", "convert the model with tf2onnx"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it first"),
    (b"\x93NUMPY", "a NumPy array", "push the model, not its data"),
    (b"GGUF", "a GGUF model", "push the ONNX model it was made from"),
    (b"\x7fELF", "a program", "push the .onnx file"),
)
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_EXPORT = "export the model to ONNX first"


def not_onnx(view: memoryview) -> InvalidModel | None:
    """The error that names the file's real kind; None when that is not known."""
    head = bytes(view[:_LOOK])
    found = _kind(head)
    if found is None:
        return None
    what, hint = found
    return InvalidModel(f"not an ONNX file: it looks like {what}", hint=hint)


def _kind(head: bytes) -> tuple[str, str] | None:
    if not head:
        return "an empty file", "check that the export or copy finished"
    for magic, what, hint in _AT_START:
        if head.startswith(magic):
            return what, hint
    if head[4:8] in (b"TFL3", b"ORTM"):
        kind = "a TensorFlow Lite model" if head[4:8] == b"TFL3" else "an ONNX Runtime .ort file"
        return kind, "push the ONNX model it was made from"
    if head.startswith(_PICKLES) and b"." in head:
        return "a Python pickle", _EXPORT
    if head[8:10] == b'{"' and head[5:8] == b"\0\0\0":
        return "a safetensors file", _EXPORT
    if _TEXT.issuperset(head):
        return "a text file", _EXPORT
    return None
