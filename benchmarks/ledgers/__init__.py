"""Ledgers by the million acts, made by a program: for measuring, and the same bytes for the same arguments.

A company lives through two years: people, services and build machines join and leave, teams form, models and
versions are published, quantized, promoted and withdrawn, rights are granted, used, forgotten and taken back.
Every act is signed by the key of who acts, and is one that the door would have let in; what it would have
refused stands there as a refusal. No model has any files, and what is sealed opens nothing.
"""
