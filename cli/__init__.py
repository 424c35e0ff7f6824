"""The command line of Hallmark: one small file per verb family; ``main`` is the sole error boundary."""
