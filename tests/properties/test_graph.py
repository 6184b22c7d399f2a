"""What waits for itself is refused, and nothing else: random trees against a plain simulation of a run."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import event, given, settings

from treetask import DependencyCycleError, TaskNode, TreeBuilder
from treetask.model import Dependencies

pytestmark = pytest.mark.slow

MOST_NODES = 9


@st.composite
def builders(draw: st.DrawFn) -> TreeBuilder:
    """Trees of a few nodes, with any dependencies among them but on the node itself."""
    count = draw(st.integers(2, MOST_NODES))
    ids = [f"{number}" for number in range(count)]
    builder = TreeBuilder("0", parallel=draw(st.booleans()), depends_on=draw(dependencies(ids[1:])))
    for node_id in ids[1:]:
        for _ in range(draw(st.integers(0, builder._current.get_depth()))):
            builder.up()
        others = [other for other in ids if other != node_id]
        builder.add_node(node_id, parallel=draw(st.booleans()), depends_on=draw(dependencies(others)))
    return builder


def dependencies(ids: list[str]) -> st.SearchStrategy[list[str]]:
    """Mostly none."""
    return st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(ids), min_size=1, max_size=2))


def stuck_nodes(root: TaskNode) -> set[str]:
    """Run the tree in thought, starting and ending whatever may: what is left at the end could never end."""
    nodes = list(root.walk())
    by_id = {node.id: node for node in nodes}
    started: set[TaskNode] = set()
    ended: set[TaskNode] = set()

    def may_start(node: TaskNode) -> bool:
        if not all(by_id[wanted] in ended for wanted in node.options.depends_on):
            return False
        if node.parent is None:
            return True
        siblings = node.parent.children
        earlier = () if node.parent.parallel else siblings[: siblings.index(node)]
        return node.parent in started and all(sibling in ended for sibling in earlier)

    moved = True
    while moved:
        moved = False
        for node in nodes:
            if node not in started and may_start(node):
                started.add(node)
                moved = True
            if node in started and node not in ended and all(child in ended for child in node.children):
                ended.add(node)
                moved = True
    return {node.id for node in nodes if node not in ended}


@given(builders())
@settings(max_examples=300, deadline=None)
def test_refused_exactly_if_it_could_not_run(builder: TreeBuilder) -> None:
    """A tree is refused if and only if its run would get stuck; and the circle that is told is a real one."""
    stuck = stuck_nodes(builder._tree.root)
    event(f"stuck: {bool(stuck)}")
    if not stuck:
        assert builder.build()
        return

    with pytest.raises(DependencyCycleError) as caught:
        builder.build()

    path = caught.value.path
    assert path[0] == path[-1]
    assert set(path) <= stuck
    assert len(set(path)) == len(path) - 1
    declared = builder._tree.find(path[0])
    assert declared is not None
    assert path[1] in declared.options.depends_on


@given(builders())
@settings(max_examples=100, deadline=None)
def test_checked_one_by_one_as_all_at_once(builder: TreeBuilder) -> None:
    """Nodes that come in one after another are refused as soon as the first circle is closed, and never before."""
    tree = builder._tree
    stuck = stuck_nodes(tree.root)
    dependencies = Dependencies(tree)
    refused = False
    for node in tree.walk():
        try:
            dependencies.include([node])
        except DependencyCycleError:
            refused = True

    assert refused == bool(stuck)
