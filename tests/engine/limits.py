"""Trees with named limits."""

from __future__ import annotations

from collections.abc import Generator

from tests.engine.support import ok
from treetask import Limit, TaskNode, TreeBuilder

API = Limit("api", max_concurrency=2)
ONE = Limit("one", max_concurrency=1)


def plain(node: TaskNode) -> None:
    """Do nothing, in a thread."""


def limited(count: int, *limits: Limit, tree: TreeBuilder | None = None, prefix: str = "") -> TreeBuilder:
    """Return a tree with that many bodies below the root, or add them to one."""
    tree = TreeBuilder("root") if tree is None else tree
    for number in range(count):
        tree.add_child(f"{prefix}{number}", task=ok, limits=limits)
    return tree


def thread_spawner(node: TaskNode) -> Generator[None, None, None]:
    """Yield nothing, in a thread."""
    yield None
