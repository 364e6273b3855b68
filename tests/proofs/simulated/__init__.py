"""Boards whose truth is known: what the board's groups, intervals and first places are worth."""
