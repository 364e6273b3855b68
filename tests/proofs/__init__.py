"""Slow proofs over every contribution, at SD 1.4's size and in other programs.

No part of ``nox -s tests``: ``nox -s elsewhere``, ``exports``, ``sd14`` and ``base_model -- --fit``
run them. Their results are committed, and tests here hold the pages to them.
"""
