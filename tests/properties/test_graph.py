"""What waits for itself is refused, and nothing else: random trees against a plain simulation of a run."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import event, given, settings

from treetask import DependencyCycleError, TaskNode, TreeBuilder, optional
from treetask.model import NodeKeywords, dependencies_of

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
        builder.add_node(node_id, parallel=draw(st.booleans()), **draw(placed(others)))
    return builder


@st.composite
def placed(draw: st.DrawFn, others: list[str]) -> NodeKeywords:
    """What decides when a node goes: its dependencies, and whether it always runs, which makes it go last."""
    always, wanted = draw(st.integers(0, 4)) == 0, draw(dependencies(others))
    return {"always": always, "depends_on": [optional(one) if always else one for one in wanted]}


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
        earlier = [] if node.parent.parallel else siblings[: siblings.index(node)]
        if is_last(node):
            earlier = [one for one in siblings if not is_last(one)] + [one for one in earlier if is_last(one)]
        else:
            earlier = [one for one in earlier if not is_last(one)]
        return node.parent in started and all(sibling in ended for sibling in earlier)

    def is_last(node: TaskNode) -> bool:
        is_in_turn = node.parent is not None and not node.parent.parallel
        return node.options.always and (is_in_turn or not node.options.depends_on)

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


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_branches_that_come_in_are_checked_like_a_whole_tree(data: st.DataObject) -> None:
    """One after another, below any node: each is taken if and only if the tree with it could run."""
    tree = TreeBuilder("root", parallel=data.draw(st.booleans())).add_child("0").build()
    dependencies = dependencies_of(tree)
    refusals = 0
    for number in range(1, data.draw(st.integers(2, 10))):
        branch = draw_branch(data, number, tree.ids())
        parent = data.draw(st.sampled_from(list(tree.walk())))
        parent.add_child(branch)
        stuck = stuck_nodes(tree.root)
        if not stuck:
            dependencies.include(branch.walk())
            continue
        with pytest.raises(DependencyCycleError) as caught:
            dependencies.include(branch.walk())
        assert set(caught.value.path) <= stuck
        parent.remove_child(branch)
        refusals += 1
    event(f"refusals: {min(refusals, 2)}")


def draw_branch(data: st.DataObject, number: int, known: list[str]) -> TaskNode:
    """One to three nodes in a line or side by side, depending on nodes of the tree and on each other."""
    ids = [f"{number}.{place}" for place in range(data.draw(st.integers(1, 3)))]
    is_line, top, last = data.draw(st.booleans()), None, None
    for node_id in ids:
        said = data.draw(placed([*known, *(other for other in ids if other != node_id)]))
        node = TaskNode(node_id, parallel=data.draw(st.booleans()), **said)
        if last is not None:
            last.add_child(node)
        top = top or node
        last = node if is_line else top
    assert top is not None
    return top
