"""Proofs: bytes and keys in; a value or an exception out."""
