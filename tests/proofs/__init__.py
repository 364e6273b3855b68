"""Slow proofs that the hub's files work where people take them; results are committed beside them.

No part of ``nox -s tests``: ``nox -s elsewhere``, ``nox -s exports`` and ``nox -s sd14`` run them.
"""
