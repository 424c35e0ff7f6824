"""The whole ledger replayed: every signature, every right, every hash, and every table held against it.

A run is made of chunks of entries (``chunks``), each verified by itself under the law of its place
(``lawful``, ``standing``), in this process or in several (``crew``). What the chunks found is put together
in the ledger's order (``engine``): the tree, the checkpoint, and the rows that the acts write.
"""
