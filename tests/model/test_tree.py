"""The tree of nodes: ids, places, the one door for status changes, and what is read from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model.engine import Engine
from tests.sentences import exactly
from treetask import (
    DefinitionError,
    DuplicateNodeError,
    ExecutionResult,
    NodeOwnedError,
    StatusError,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
)


async def body(node: TaskNode) -> None:
    """A body that is never run here."""


@pytest.mark.parametrize("status", ["working", "retrying"])
def test_node_that_comes_in_at_work_is_active(status: str) -> None:
    """A node made with a status is among the active ones, and its next change is booked like any other."""
    node = TaskNode("a", status=status)
    tree = TaskTree(TaskNode("root", children=[node]))
    assert list(tree.active) == [node]

    node.status = TaskStatus.FAILED

    assert list(tree.active) == []
    assert list(tree.failed) == [node]
    assert list(tree.recent) == [node]


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_node_that_comes_in_failed_is_among_the_failed(status: str) -> None:
    """A tree made by hand of nodes that have ended tells which failed."""
    node = TaskNode("a", status=status)
    root = TaskNode("root", status="failed")
    tree = TaskTree(root)

    root.add_child(node)

    assert ExecutionResult(tree).failed_nodes == [root, node]
    assert list(tree.recent) == [root, node]


def test_order_of_coming_survives_removals() -> None:
    """A node that comes in later is later in order, whatever was removed before."""
    tree = TaskTree(TaskNode("root"))
    for name in "abc":
        tree.root.add_child(TaskNode(name))
    for gone in list(tree.root.children[:2]):
        tree.root.remove_child(gone)

    tree.root.add_child(TaskNode("d"))
    tree.root.add_child(TaskNode("e"))

    assert [node.id for node in sorted(tree.walk(), key=lambda node: node._order)] == ["root", "c", "d", "e"]


@pytest.mark.parametrize("tree_of_parent", [False, True], ids=["free parent", "parent in a tree"])
def test_root_of_a_tree_is_not_taken_into_another(tree_of_parent: bool) -> None:
    """A node that has a tree above or around it does not become part of a second one."""
    tree = TaskTree(TaskNode("a"))
    parent = TaskNode("p")
    if tree_of_parent:
        TaskTree(parent)

    message = "node 'a' cannot be added to 'p': it is the root of a tree; make a second TaskNode instead"
    with pytest.raises(NodeOwnedError, match=exactly(message)):
        parent.add_child(tree.root)
    assert (tree.root.parent, parent.children) == (None, [])


def test_root_that_belongs_elsewhere_is_refused() -> None:
    """A tree is made of a free node: not of a child, not of another tree's root, not of anything else."""
    child = TaskNode("c")
    parent = TaskNode("p", children=[child])
    with pytest.raises(DefinitionError, match=exactly("node 'c' cannot be a root: it is a child of 'p'")):
        TaskTree(child)

    TaskTree(parent)
    with pytest.raises(DefinitionError, match=exactly("node 'p' cannot be a root: it is the root of another tree")):
        TaskTree(parent)
    with pytest.raises(TypeError, match=exactly("the root of a tree is 'p'; expected a TaskNode")):
        TaskTree("p")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_register_node_is_harmless() -> None:
    """What `add_child` has entered may be registered again; what is nowhere in the tree is refused with the fix."""
    tree = TaskTree(TaskNode("root"))
    child = tree.root.add_child(TaskNode("a"))

    tree.register_node(child)

    assert (tree.find("a"), len(tree)) == (child, 2)
    with pytest.raises(
        DefinitionError, match=exactly("node 'b' is not in this tree; add it with parent.add_child(node)")
    ):
        tree.register_node(TaskNode("b"))


class TestReading:
    def test_found_by_id(self) -> None:
        """Every node by its id, at every depth; anything else is not there."""
        tree = TreeBuilder("root").add_node("a").add_child("b").build()

        assert tree.find("b") is tree.root.children[0].children[0]
        assert (tree.find("root"), tree.find("x"), tree.find("")) == (tree.root, None, None)
        assert (len(tree), tree.ids()) == (3, ["root", "a", "b"])

    def test_contains_its_nodes_only(self) -> None:
        """Membership is of the node, not of its id."""
        tree = TreeBuilder("root").add_child("a").build()

        assert tree.root.children[0] in tree
        assert TaskNode("a") not in tree
        assert "a" not in tree

    def test_walks_branch_by_branch_or_level_by_level(self) -> None:
        """Depth first is the default; the parameter may be given by position, as printed."""
        tree = TreeBuilder("r").add_node("a").add_child("b").add_child("c").up().add_node("d").add_child("e").build()

        assert [node.id for node in tree.walk()] == ["r", "a", "b", "c", "d", "e"]
        assert [node.id for node in tree.walk(depth_first=True)] == ["r", "a", "b", "c", "d", "e"]
        assert [node.id for node in tree.walk(False)] == ["r", "a", "d", "b", "c", "e"]

    def test_results_by_id(self) -> None:
        """Those that are something; a false one is something, `None` is not."""
        tree = TreeBuilder("root").add_child("a").add_child("b").add_child("c").build()
        tree.root.result, tree.root.children[1].result = {"k": 1}, 0

        assert tree.collect_results() == {"root": {"k": 1}, "b": 0}

    def test_failed_nodes_in_the_order_of_the_tree(self) -> None:
        """However they failed first; `failed` itself has the earliest first."""
        tree = TreeBuilder("root").add_child("a").add_child("b").add_child("c").build()
        a, b, c = tree.root.children
        for node, status in ((c, "failed"), (a, "timed_out"), (b, "cancelled")):
            tree.move(node, TaskStatus.WORKING, 1.0)
            tree.move(node, TaskStatus(status), 2.0)

        assert tree.get_failed_nodes() == [a, c]
        assert list(tree.failed) == [c, a]

    def test_timing_of_nodes_that_are_done(self) -> None:
        """Only bodies that ended well count; groups and failures would blur what a task takes."""
        tree = TreeBuilder("root").add_child("a", task=body).add_child("b", task=body).add_child("c", task=body).build()
        tree.move(tree.root, TaskStatus.WORKING, 0.0)
        for node, end in zip(tree.root.children, (2.0, 5.0, 60.0), strict=True):
            tree.move(node, TaskStatus.WORKING, 1.0)
            tree.move(node, TaskStatus.DONE if end < 60 else TaskStatus.FAILED, end)
        tree.move(tree.root, TaskStatus.FAILED, 61.0)

        assert tree.get_timing_stats() == {"count": 2, "total": 5.0, "average": 2.5, "min": 1.0, "max": 4.0}

    def test_timing_of_nothing(self) -> None:
        """No average of nothing."""
        assert TreeBuilder("root").add_child("a", task=body).build().get_timing_stats() == {
            "count": 0,
            "total": 0,
            "average": None,
            "min": None,
            "max": None,
        }


class TestCounts:
    """By hand what the properties hold at large: the four groups of numbers in the words of the printed API."""

    def test_statuses_of_all_of_leaves_and_of_work(self) -> None:
        """Every status is a key, and the total."""
        tree = TreeBuilder("root").add_node("group", task=body).add_child("a", task=body).add_child("b").build()
        tree.root.status = "working"
        tree.root.children[0].status = "working"
        tree.root.children[0].children[0].status = "skipped"
        zeros = dict.fromkeys([status.value for status in TaskStatus], 0)

        assert tree.get_stats() == {**zeros, "working": 2, "skipped": 1, "pending": 1, "total": 4}
        assert tree.get_leaf_stats() == {**zeros, "skipped": 1, "pending": 1, "total": 2}
        assert tree.get_work_node_stats() == {**zeros, "working": 1, "skipped": 1, "total": 2}

    def test_group_is_no_leaf_as_long_as_it_has_children(self) -> None:
        """A node counts as what it is now."""
        tree = TaskTree(TaskNode("root"))
        assert tree.get_leaf_stats()["total"] == 1

        child = tree.root.add_child(TaskNode("a"))
        assert tree.get_leaf_stats()["total"] == 1

        tree.root.add_child(TaskNode("b"))
        assert tree.get_leaf_stats()["total"] == 2

        for node in (child, tree.root.children[1]):
            tree.root.remove_child(node)
        assert (tree.get_leaf_stats()["total"], tree.get_stats()["total"]) == (1, 1)

    def test_progress_counts_what_does_work(self) -> None:
        """One unit a body, its own units where it has some, nothing for a mere group; ended counts in full."""
        tree = (
            TreeBuilder("root")
            .add_node("group")
            .add_child("plain", task=body)
            .add_child("own", task=body, progress=(2, 10))
            .add_child("counter", progress=(1, 5))
            .build()
        )
        plain, own, counter = tree.root.children[0].children
        assert tree.get_progress_stats() == {
            "current": 3,
            "total": 16,
            "done": 0,
            "working": 0,
            "pending": 3,
            "failed": 0,
            "nodes_with_progress": 2,
        }

        for node, status in ((plain, "done"), (own, "failed"), (counter, "working")):
            node.status = "working"
            if status != "working":
                node.status = TaskStatus(status)
        own.progress = (3, 12)

        assert tree.get_progress_stats() == {
            "current": 14,
            "total": 18,
            "done": 1,
            "working": 1,
            "pending": 0,
            "failed": 1,
            "nodes_with_progress": 2,
        }

    def test_quarter_is_shown_when_one_of_four_is_done(self) -> None:
        """Groups do not dilute it: 1 of 4."""
        builder = TreeBuilder("root")
        for group in ("one", "two"):
            builder.add_node(group).add_child(f"{group} a", task=body).add_child(f"{group} b", task=body).up()
        tree = builder.build()
        first = tree.root.children[0].children[0]
        for node in (tree.root, tree.root.children[0], first):
            node.status = "working"
        first.status = "done"

        stats = tree.get_progress_stats()
        assert (stats["current"], stats["total"]) == (1, 4)

    @pytest.mark.parametrize("status", ["done", "failed", "cancelled", "skipped", "timed_out"])
    def test_what_has_ended_is_complete(self, status: str) -> None:
        """However it ended, nothing more will come of it: every finished run is at 100 %."""
        tree = TaskTree(TaskNode("a", task_fn=body, progress=(3, 10), status=status))

        stats = tree.get_progress_stats()
        assert (stats["current"], stats["total"]) == (10, 10)

    def test_subtree_is_what_is_below(self) -> None:
        """Without the node itself, whatever it does; a leaf has nothing below."""
        tree = (
            TreeBuilder("root", task_fn=body)
            .add_node("group", task=body, progress=(1, 2))
            .add_child("a", task=body)
            .add_child("b", progress=(3, 4))
            .build()
        )
        group = tree.root.children[0]

        below_root, below_group = tree.subtree_stats(tree.root), tree.subtree_stats(group)
        below_leaf = tree.subtree_stats(group.children[0])

        assert (below_root.count, below_root.current, below_root.total) == (3, 4, 7)
        assert (below_group.count, below_group.pending, below_group.current, below_group.total) == (2, 2, 3, 5)
        assert (below_leaf.count, below_leaf.total) == (0, 0)
        group.children[0].status = "cancelled"
        group.children[1].status = "working"
        again = tree.subtree_stats(group)
        assert (again.finished, again.working, again.cancelled, again.current, again.count) == (1, 1, 1, 4, 2)


class Notebook:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        self.lines.append(f"{node.id} {old} {new} {at} {node.status}")

    def progress_changed(self, node: TaskNode) -> None:
        self.lines.append(f"{node.id} {node.progress}")

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        self.lines.append(f"{node.id} put out {lines!r}")

    def node_added(self, node: TaskNode) -> None:
        self.lines.append(f"+ {node.id}")

    def node_removed(self, node: TaskNode) -> None:
        self.lines.append(f"- {node.id}")


class TestListening:
    def test_every_change_is_told_after_it_happened(self) -> None:
        """In its order, with the stamp it was made at."""
        tree = TaskTree(TaskNode("root"))
        notebook = Notebook()
        tree.listen(notebook)

        tree.move(tree.root, TaskStatus.WORKING, 1.0)
        tree.root.add_child(TaskNode("a", children=[TaskNode("b")]))
        tree.root.children[0].progress = (1, 2)

        assert notebook.lines == ["root pending working 1.0 working", "+ a", "+ b", "a (1, 2)"]

    def test_refused_change_is_not_told(self) -> None:
        """What did not happen is no news."""
        tree = TaskTree(TaskNode("root"))
        notebook = Notebook()
        tree.listen(notebook)

        with pytest.raises(StatusError):
            tree.move(tree.root, TaskStatus.RETRYING, 1.0)
        with pytest.raises(DuplicateNodeError):
            tree.root.add_child(TaskNode("root"))

        assert notebook.lines == []

    def test_nobody_is_told_any_more(self) -> None:
        """`None` takes the listener away."""
        tree = TaskTree(TaskNode("root"))
        notebook = Notebook()
        tree.listen(notebook)
        tree.listen(None)

        tree.root.status = "working"

        assert notebook.lines == []

    def test_listener_that_leaves_in_between_is_told_no_more(self) -> None:
        """Who has heard enough may stop at any news, also where several nodes go at once."""
        tree = TaskTree(TaskNode("root", children=[TaskNode("a"), TaskNode("b")]))

        class Leaving(Notebook):
            def node_removed(self, node: TaskNode) -> None:
                super().node_removed(node)
                tree.listen(None)

        leaving = Leaving()
        tree.listen(leaving)
        tree.remove(*tree.root.children)

        assert leaving.lines == ["- a"]

    def test_version_grows_with_every_change(self) -> None:
        """Who shows a tree sees by one number whether anything happened."""
        tree = TaskTree(TaskNode("root", children=[TaskNode("a")]))
        changes: list[Callable[[], object]] = [
            lambda: tree.move(tree.root, TaskStatus.WORKING, 1.0),
            lambda: tree.set_progress(tree.root, (1, 2)),
            lambda: tree.root.add_child(TaskNode("b")),
            lambda: tree.root.remove_child(tree.root.children[0]),
            lambda: setattr(tree.root, "task_fn", body),
            lambda: setattr(tree.root, "parallel", False),
            tree.root.reset,
        ]
        for change in changes:
            before = tree.version
            change()
            assert tree.version > before


class TestLists:
    def test_active_nodes_the_longest_first(self) -> None:
        """From the first start to the end, attempts between included."""
        tree = TreeBuilder("root").add_child("a").add_child("b").build()
        a, b = tree.root.children
        for node in (tree.root, b, a):
            tree.move(node, TaskStatus.WORKING, 1.0)
        tree.move(b, TaskStatus.RETRYING, 2.0)
        tree.move(b, TaskStatus.WORKING, 3.0)
        assert list(tree.active) == [tree.root, b, a]

        tree.move(b, TaskStatus.DONE, 4.0)
        assert list(tree.active) == [tree.root, a]

    def test_recent_endings_are_bounded(self) -> None:
        """A screen shows few, so a tree of many remembers the newest hundred."""
        builder = TreeBuilder("root")
        for number in range(150):
            builder.add_child(f"{number}")
        tree = builder.build()
        for node in tree.root.children:
            tree.move(node, TaskStatus.SKIPPED, 1.0)

        assert [node.id for node in tree.recent] == [f"{number}" for number in range(50, 150)]

    def test_removed_node_is_in_no_list(self) -> None:
        """What left the tree is not shown any more, nor is what was below it."""
        tree = TreeBuilder("root").add_node("group").add_child("a").add_child("b").build()
        group = tree.root.children[0]
        a, b = group.children
        tree.move(group, TaskStatus.WORKING, 1.0)
        tree.move(a, TaskStatus.FAILED, 2.0)
        tree.move(b, TaskStatus.WORKING, 2.0)

        tree.root.remove_child(group)

        assert (list(tree.active), list(tree.failed), list(tree.recent), tree.ids()) == ([], [], [], ["root"])
        assert (a.status, b.status, tree.get_stats()["total"]) == ("failed", "working", 1)


class TestReset:
    def test_whole_tree_is_as_before_it_ran(self) -> None:
        """Every node, whatever its status, and every count."""
        tree = (
            TreeBuilder("root", task_fn=body)
            .add_child("a", task=body, progress=(0, 3))
            .add_child("b", task=body)
            .add_child("c", task=body)
            .build()
        )
        before = (tree.get_stats(), tree.get_progress_stats())
        for node, status in zip(tree.walk(), ("failed", "done", "working", "cancelled"), strict=True):
            node.status = "working"
            if status != "working":
                node.status = TaskStatus(status)

        tree.reset()

        assert (tree.get_stats(), tree.get_progress_stats()) == before
        assert (list(tree.active), list(tree.failed), list(tree.recent)) == ([], [], [])


def test_tree_is_run_by_one_engine_at_a_time() -> None:
    """A second one is refused; the first may hand the tree back."""
    tree = TaskTree(TaskNode("root"))
    tree.drive(Engine())
    running = [tree.is_running]

    problem = exactly("tree 'root' is already running; build a second tree to run it twice")
    with pytest.raises(TreeRunningError, match=problem):
        tree.drive(Engine())
    tree.drive(None)
    running.append(tree.is_running)
    tree.drive(Engine())
    running.append(tree.is_running)

    assert running == [True, False, True]
