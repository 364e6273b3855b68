"""Small questions about calls, shared by rules."""

from __future__ import annotations

import ast


def keyword_constant(call: ast.Call, name: str) -> object:
    """Return the literal value of a keyword argument, or None when there is none."""
    for keyword in call.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return keyword.value.value
    return None
