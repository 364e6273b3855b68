"""Who grew from whom: the tree around one contribution, from ``based_on`` and ``[mix]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.contributions.record import Contribution

MAX_DEPTH = 6


@dataclass(frozen=True)
class Node:
    """One contribution in the tree."""

    name: str
    known: bool  # whether the hub has it
    here: bool = False
    children: Sequence[Node] = field(default_factory=tuple)


class Lineage:
    """Answers who the parents and children of a contribution are."""

    def __init__(self, contributions: Mapping[str, Contribution]) -> None:
        self.contributions = contributions
        self.children: dict[str, list[str]] = {}
        for name, contribution in sorted(contributions.items()):
            for parent in contribution.file.parents:
                self.children.setdefault(parent, []).append(name)

    def tree(self, name: str) -> list[Node]:
        """Return the ancestors' trees down to ``name`` and its descendants; empty without any."""
        contribution = self.contributions.get(name)
        parents = contribution.file.parents if contribution else ()
        if not parents and name not in self.children:
            return []
        return self._above(name, self._below(name, frozenset(), here=True), frozenset({name}))

    def _above(self, name: str, below: Node, seen: frozenset[str]) -> list[Node]:
        contribution = self.contributions.get(name)
        parents = contribution.file.parents if contribution else ()
        # based_on is a stranger's word: it may name itself, or run in circles.
        fresh = [p for p in parents if p not in seen][:MAX_DEPTH]
        if not fresh or len(seen) > MAX_DEPTH:
            return [below]
        nodes = []
        for parent in fresh:
            node = Node(parent, parent in self.contributions, children=(below,))
            nodes += self._above(parent, node, seen | {parent})
        return nodes

    def _below(self, name: str, seen: frozenset[str], *, here: bool = False) -> Node:
        seen = seen | {name}
        names = [] if len(seen) > MAX_DEPTH else self.children.get(name, [])
        children = tuple(self._below(child, seen) for child in names if child not in seen)
        return Node(name, name in self.contributions, here, children)
