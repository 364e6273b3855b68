"""Slow proofs and one-off measurements of the hub; their results are committed.

No part of ``nox -s tests``. ``nox -s elsewhere``, ``nox -s exports`` and ``nox -s sd14`` run some
of them; the others say in their first lines how they are started. The documentation's screenshots
are taken here, too.
"""
