"""Speed and memory beside plain tools that do the same work: see ``python -m benchmarks --help``."""
