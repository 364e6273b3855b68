"""Carry out runs: one (``pipeline``), many (``many/``), studies of many (``studies/``)."""
