"""The law: who is a member and who may do what, replayed from the signed acts that say so.

It begins at the genesis act, whose digest a client pins, and each act of it names the one before. No
table is asked: what is not in these acts does not hold.
"""
