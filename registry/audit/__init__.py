"""The audit: who did what, when, to which model, from where, and was it allowed; with proofs of it."""
