"""Selectors and selections mean what a slow and simple reading of them says."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.properties.recount import check_counters
from tests.properties.size import examples
from treetask import NothingSelectedError, TaskNode, TaskTree
from treetask.model import BETWEEN, Selector

pytestmark = pytest.mark.slow

SLASHES = ("/", BETWEEN)
paths = st.lists(st.sampled_from(["a", "b", "[", "/", BETWEEN]), max_size=8).map("".join)
signs = ["a", "b", "[", "/", "*", "**", "?", "/**/", "**/"]
patterns = st.lists(st.sampled_from(signs), min_size=1, max_size=7).map("".join)


def fits(segment: str, text: str) -> bool:
    """Whether one segment of a pattern means a text."""
    if not segment:
        return not text
    if segment[0] == "*":
        return fits(segment[1:], text) or (text[:1] not in {"", BETWEEN} and fits(segment, text[1:]))
    return text[:1] not in {"", BETWEEN} and segment[0] in {"?", text[0]} and fits(segment[1:], text[1:])


def means(segments: list[str], path: str) -> bool:
    """Whether a pattern, cut at its slashes, means a path."""
    first, *rest = segments
    ends = [place for place, sign in enumerate(path) if sign in SLASHES]
    if first == "**":
        return means(rest, path) or any(means(rest, path[end + 1 :]) for end in ends) if rest else path != ""
    if not rest:
        return fits(first, path)
    return any(fits(first, path[:end]) and means(rest, path[end + 1 :]) for end in ends)


@examples(1_000)
@given(pattern=patterns, path=paths)
def test_patterns_mean_what_their_segments_do(pattern: str, path: str) -> None:
    """Read from left to right, each sign by itself."""
    assert Selector(f"?{pattern}a", "root").matches(path, set()) == means(f"?{pattern}a".split("/"), path)


@examples(1_000)
@given(pattern=patterns, path=paths, more=paths)
def test_what_is_meant_below_a_node_was_expected_there(pattern: str, path: str, more: str) -> None:
    """So no spawner is left out that could have made it."""
    selector = Selector(f"{pattern}b", "root")
    if path and means(f"{pattern}b".split("/"), f"{path}{BETWEEN}{more}"):
        assert selector.may_match_below(path)


async def body(node: TaskNode) -> None:
    """What makes a node one that works; never run."""


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[int, bool]]:
    """Nodes as they come: the place of the parent, and whether there is a body."""
    places = range(draw(st.integers(1, 12)))
    return [(draw(st.integers(0, max(0, place - 1))), draw(st.booleans())) for place in places]


@examples(400)
@given(nodes=trees(), only=st.sets(st.integers(0, 11), max_size=3), skip=st.sets(st.integers(0, 11), max_size=3))
def test_what_stays_is_what_a_look_at_each_node_says(
    nodes: list[tuple[int, bool]], only: set[int], skip: set[int]
) -> None:
    """Selected ones, and what holds them; the books are those of what is left."""
    made: list[TaskNode] = []
    for place, (parent, has_body) in enumerate(nodes):
        made.append(TaskNode(f"n{place}", task_fn=body if has_body else None))
        if place:
            made[parent].add_child(made[-1])
    tree = TaskTree(made[0])
    tree.subtree_stats(tree.root)
    groups = {node for node in made if node.children}
    lines = {node: {node, *node.get_ancestors()} for node in made}
    only &= {*range(len(made))}
    skip &= {*range(len(made))}
    wanted = {
        node
        for node in made
        if (not only or any(made[place] in lines[node] for place in only))
        and not any(made[place] in lines[node] for place in skip)
        and (node.task_fn is not None or node not in groups)
    }
    stays = {above for node in wanted for above in lines[node]}

    if not stays:
        with pytest.raises(NothingSelectedError):
            tree.select([f"n{place}" for place in only], [f"n{place}" for place in skip])
        assert set(tree.walk()) == set(made)
        return
    tree.select([f"n{place}" for place in only], [f"n{place}" for place in skip])

    assert set(tree.walk()) == stays
    assert [node.id for node in tree.walk()] == tree.ids()
    assert all(node in tree for node in stays)
    assert not any(node in tree for node in made if node not in stays)
    check_counters(tree, tree.root)
