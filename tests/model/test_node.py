"""A node: who it is, how it stands, where it is in the tree, and what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from tests.model.engine import run_by_nothing
from tests.sentences import exactly
from treetask import (
    Registry,
    StatusError,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeRunningError,
)


async def body(node: TaskNode) -> None:
    """A body that is never run here."""


class TestIdentity:
    def test_nodes_are_equal_only_to_themselves(self) -> None:
        """Two nodes with the same fields are two nodes, in comparisons, sets and dicts."""
        first, second = TaskNode("a", "A"), TaskNode("a", "A")

        assert first == first  # noqa: PLR0124 - equality itself is tested
        assert first != second
        assert len({first, second, first}) == 2

    def test_trees_compare_without_recursion(self) -> None:
        """Parents know children and children parents; comparing two such trees ends."""
        first = TaskNode("root", children=[TaskNode("a")])
        second = TaskNode("root", children=[TaskNode("a")])

        assert (first == second, TaskTree(first) == TaskTree(second)) == (False, False)

    def test_hash_does_not_depend_on_state(self) -> None:
        """A node is found in a dict whatever became of it since."""
        node = TaskNode("a")
        known = {node: 1}

        node.status = "done"
        node.name = "B"

        assert known[node] == 1

    def test_repr_names_id_status_and_children_only(self) -> None:
        """The representation is one line, however much is below."""
        root = TaskNode("root", children=[TaskNode("a"), TaskNode("b")])

        assert repr(root) == "<TaskNode 'root' pending, 2 children>"
        assert repr(TaskTree(root)) == "<TaskTree 'root', 3 nodes, root pending>"

    @pytest.mark.parametrize("id_", ["", None, 5, b"a"])
    def test_id_is_a_text(self, id_: object) -> None:
        """An id that is no text, or an empty one, is refused."""
        with pytest.raises(TypeError, match=exactly(f"a node's id is {id_!r}; expected a string that is not empty")):
            TaskNode(id_)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class TestName:
    def test_without_a_name_the_id_is_shown(self) -> None:
        """`name` is what people see: the id where nothing else was given, also when the name is taken away."""
        node = TaskNode("a")
        assert node.name == "a"

        node.name = "Fetch"
        assert node.name == "Fetch"

        node.name = None
        assert node.name == "a"

    def test_empty_name_is_a_name(self) -> None:
        """`None` means absent; an empty text is what its author wanted."""
        assert TaskNode("a", "").name == ""


class TestDefaults:
    def test_new_node(self) -> None:
        """What a node is before anything happened."""
        node = TaskNode("a")

        assert (node.status, node.children, node.parent, node.data) == ("pending", [], None, {})
        assert (node.progress, node.retry_count, node.error, node.parallel, node.task_fn) == (None, 0, None, True, None)
        assert (node.result, node.exception, node.reason, node.elapsed) == (None, None, None, None)
        assert (node.started_at, node.ended_at) == (None, None)
        assert (node.is_leaf(), node.get_depth(), node.is_done(), node.is_successful()) == (True, 0, False, False)

    def test_all_printed_parameters_by_position(self) -> None:
        """The parameters come in the printed order."""
        child, parent = TaskNode("c"), TaskNode("p")

        node = TaskNode("a", "A", "working", [child], parent, {"k": 1}, (1, 3), 2, "oops", False, body)

        assert (node.id, node.name, node.status, node.children) == ("a", "A", "working", [child])
        assert (node.parent, parent.children, node.data, node.progress) == (parent, [node], {"k": 1}, (1, 3))
        assert (node.retry_count, node.error, node.parallel, node.task_fn) == (2, "oops", False, body)

    def test_data_is_each_nodes_own(self) -> None:
        """What one node keeps does not appear in another."""
        first, second = TaskNode("a"), TaskNode("b")

        first.data["k"] = 1

        assert second.data == {}

    def test_given_data_is_kept_not_copied(self) -> None:
        """A body and its caller see the same dict."""
        data = {"k": 1}
        node = TaskNode("a", data=data)
        assert node.data is data

        other = {"k": 2}
        node.data = other
        assert node.data is other

    @pytest.mark.parametrize("data", [[("k", 1)], "k", 5])
    def test_data_is_a_dict(self, data: dict[str, Any]) -> None:
        """Results are merged into it, so nothing else will do."""
        with pytest.raises(TypeError, match=exactly(f"node 'a': data is {data!r}; expected a dict")):
            TaskNode("a", data=data)
        with pytest.raises(TypeError, match=exactly(f"node 'a': data is {data!r}; expected a dict")):
            TaskNode("a").data = data

    def test_body_is_a_function(self) -> None:
        """What cannot be called is refused where it is given."""
        problem = exactly("node 'a': task_fn is 'fetch'; expected a function that takes the node")
        with pytest.raises(TypeError, match=problem):
            TaskNode("a", task_fn="fetch")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match=problem):
            TaskNode("a").task_fn = "fetch"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


class TestStatus:
    def test_unknown_status_is_refused_by_name(self) -> None:
        """A status that does not exist is refused when it is given and when it is set."""
        with pytest.raises(
            ValueError, match=exactly("node 'a': status is 'workin', which does not exist (did you mean 'working'?)")
        ):
            TaskNode("a", status="workin")
        node = TaskNode("a")
        with pytest.raises(
            ValueError,
            match=exactly(
                "node 'a': status is 'ok', which does not exist (there are 'pending', 'working', 'retrying', 'done', "
                "'failed', 'cancelled', 'skipped', 'timed_out')"
            ),
        ):
            node.status = "ok"
        assert node.status == "pending"

    def test_free_node_takes_any_status(self) -> None:
        """Outside a tree nobody counts: a node may be given the state that it had elsewhere."""
        node = TaskNode("a")

        for status in ("done", "working", "failed", "pending"):
            node.status = status
            assert node.status == status

    def test_assigning_in_a_tree_goes_through_the_door(self) -> None:
        """In a tree a status is set with its stamps and counters, along the transition table."""
        tree = TaskTree(TaskNode("a"))

        tree.root.status = "working"
        assert tree.root.started_at is not None
        assert tree.get_stats()["working"] == 1

        with pytest.raises(
            StatusError, match=exactly("node 'a' cannot go from working to skipped: there is no such change")
        ):
            tree.root.status = "skipped"
        assert tree.root.status == "working"

    def test_only_the_engine_sets_a_status_in_a_run(self) -> None:
        """While the tree runs an assignment is refused, and nothing has changed."""
        node = run_by_nothing(TaskTree(TaskNode("a"))).root

        message = "node 'a' cannot go from pending to done: the tree runs, and only the engine may change a status then"
        with pytest.raises(StatusError, match=exactly(message)):
            node.status = "done"
        assert node.status == "pending"

    @pytest.mark.parametrize("status", TaskStatus)
    def test_ended_and_ended_well(self, status: TaskStatus) -> None:
        """`is_done` is any ending, `is_successful` only the good one."""
        node = TaskNode("a", status=status)

        assert (node.is_done(), node.is_successful()) == (status.is_terminal, status == "done")


class TestElapsed:
    def test_from_start_to_end(self) -> None:
        """The seconds between the first start and the end."""
        tree = TaskTree(TaskNode("a"))
        tree.move(tree.root, TaskStatus.WORKING, 3.0)
        tree.move(tree.root, TaskStatus.DONE, 10.5)

        assert tree.root.elapsed == 7.5

    def test_until_now_on_the_clock_of_the_run(self) -> None:
        """A node at work has lasted until the tree's now."""
        tree = TaskTree(TaskNode("a"))
        tree.move(tree.root, TaskStatus.WORKING, 3.0)

        assert run_by_nothing(tree).root.elapsed == 2.0

    def test_nothing_before_the_start(self) -> None:
        """What did not start has lasted for no time, not for zero seconds; so has what was skipped."""
        tree = TaskTree(TaskNode("a"))
        assert tree.root.elapsed is None

        tree.move(tree.root, TaskStatus.SKIPPED, 4.0)
        assert (tree.root.elapsed, tree.root.ended_at) == (None, 4.0)

    def test_first_start_counts_when_repeated(self) -> None:
        """Attempts and the time between them are one span."""
        tree = TaskTree(TaskNode("a"))
        for status, at in [("working", 1.0), ("retrying", 2.0), ("working", 5.0), ("done", 6.0)]:
            tree.move(tree.root, TaskStatus(status), at)

        assert tree.root.elapsed == 5.0


class TestProgress:
    @pytest.mark.parametrize("progress", [(0, 0), (0, 10), (3, 10), (12, 10), (2.5, 10.0), [1, 2]])
    def test_pairs_of_numbers_are_taken(self, progress: tuple[int, int]) -> None:
        """Any two numbers from 0; the total may be exceeded, as estimates are."""
        node = TaskNode("a", progress=progress)
        assert node.progress == tuple(progress)

        node.progress = None
        assert node.progress is None

    @pytest.mark.parametrize(
        "progress", [5, "12", (1,), (1, 2, 3), ("1", "2"), (None, 1), (True, 2), {1: 2}, (), (1, 2j)]
    )
    def test_what_is_no_pair_of_numbers_is_refused(self, progress: tuple[int, int]) -> None:
        """The kind of thing is wrong: a `TypeError` that shows it."""
        problem = exactly(f"node 'a': progress is {progress!r}; expected (current, total), two numbers from 0")
        with pytest.raises(TypeError, match=problem):
            TaskNode("a", progress=progress)
        node = TaskNode("a", progress=(1, 2))
        with pytest.raises(TypeError, match=problem):
            node.progress = progress
        assert node.progress == (1, 2)

    @pytest.mark.parametrize("progress", [(-1, 2), (1, -2), (float("nan"), 1), (1, float("inf"))])
    def test_numbers_out_of_range_are_refused(self, progress: tuple[int, int]) -> None:
        """Less than nothing, no number and infinity are no progress."""
        problem = exactly(f"node 'a': progress is {progress!r}; expected (current, total), two numbers from 0")
        with pytest.raises(ValueError, match=problem):
            TaskNode("a", progress=progress)

    def test_number_whose_sum_might_be_infinite_is_refused(self) -> None:
        """What is counted over many nodes has to stay a number."""
        problem = exactly("node 'a': progress is (1, 1e+308); expected (current, total), two numbers from 0 to 1e300")
        with pytest.raises(ValueError, match=problem):
            TaskNode("a", progress=(1, 1e308))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class TestBody:
    def test_body_given_later_counts_as_work(self) -> None:
        """A body that is put in or swapped before the run counts like one that was there from the start."""
        root = TaskNode("root", children=[TaskNode("a"), TaskNode("b", task_fn=body)])
        tree = TaskTree(root)
        first, second = root.children
        assert tree.subtree_stats(root).total == 1

        first.task_fn = body
        second.task_fn = None
        second.progress = (1, 5)

        assert tree.get_work_node_stats()["total"] == 1
        assert (tree.subtree_stats(root).current, tree.subtree_stats(root).total) == (1, 6)
        first.status = "working"
        assert tree.get_work_node_stats()["working"] == 1

    def test_body_is_fixed_while_the_tree_runs(self) -> None:
        """The engine has planned with what was there."""
        node = run_by_nothing(TaskTree(TaskNode("a"))).root

        with pytest.raises(TreeRunningError, match=exactly("node 'a': task_fn cannot be changed while the tree runs")):
            node.task_fn = body
        assert node.task_fn is None


class TestParallel:
    def test_may_be_changed_before_the_run(self) -> None:
        """Other options stay as they were."""
        node = TaskNode("a", timeout=3)

        node.parallel = False

        assert (node.parallel, node.options.timeout) == (False, 3)

    def test_is_fixed_while_the_tree_runs(self) -> None:
        """The engine has planned with what was there."""
        node = run_by_nothing(TaskTree(TaskNode("a"))).root

        with pytest.raises(TreeRunningError, match=exactly("node 'a': parallel cannot be changed while the tree runs")):
            node.parallel = False

    def test_is_true_or_false(self) -> None:
        """Anything else is refused by its name."""
        with pytest.raises(TypeError, match=exactly("node 'a': parallel is 'no'; expected True or False")):
            TaskNode("a", parallel="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class TestOutsideARun:
    def test_cancel_needs_a_run(self) -> None:
        """There is nothing to stop in a tree that does not run, nor outside of one."""
        problem = exactly("node 'a': cancel works only while the tree runs")
        with pytest.raises(TreeRunningError, match=problem):
            TaskNode("a").cancel()
        with pytest.raises(TreeRunningError, match=problem):
            TaskTree(TaskNode("a")).root.cancel("enough")

    def test_call_that_is_spawned_is_refused_with_the_fix(self) -> None:
        """And closed, so that nothing else complains that nobody awaits it."""
        call = body(TaskNode("a"))
        node: Any = TaskNode("a")
        with pytest.raises(
            TypeError, match=exactly("node 'a': you spawned a call of 'body'; write: node.spawn(body, ...)")
        ):
            node.spawn(call)
        assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED

    @pytest.mark.parametrize(
        "task", [print, Registry("r").task(body).child(), Registry("r").task(body).output, Registry("r"), "fetch"]
    )
    def test_only_a_task_can_be_spawned(self, task: object) -> None:
        """A function that was not declared, or a child with its arguments in it, is refused by name."""
        message = f"node 'a': spawn({task!r}): expected a task and its arguments: spawn(task, ...)"
        node: Any = TaskNode("a")
        with pytest.raises(TypeError, match=exactly(message)):
            node.spawn(task)


class TestReset:
    def test_node_is_as_before_it_ran(self) -> None:
        """Status, stamps, result, failure, attempts and progress are gone; its data stays, its children are left."""
        node = TaskNode("a", progress=(0, 4), data={"k": 1}, children=[TaskNode("b", status="done")])
        tree = TaskTree(node)
        tree.move(node, TaskStatus.WORKING, 1.0)
        node.progress = (3, 4)
        node.retry_count, node.result, node.error, node.reason = 2, "half", "oops", "because"
        node.exception = OSError("oops")
        tree.move(node, TaskStatus.FAILED, 2.0)

        node.reset()

        assert (node.status, node.started_at, node.ended_at, node.elapsed) == ("pending", None, None, None)
        for left in (node.result, node.error, node.exception, node.reason):
            assert left is None
        assert (node.retry_count, node.progress, node.data, node.children[0].status) == (0, (0, 4), {"k": 1}, "done")
        assert (list(tree.failed), list(tree.recent)) == ([], [node.children[0]])
        assert tree.get_progress_stats()["current"] == 0

    @pytest.mark.parametrize("status", ["working", "retrying"])
    @pytest.mark.parametrize("in_tree", [False, True])
    def test_node_that_only_says_it_works(self, status: str, in_tree: bool) -> None:
        """What is said to be at work in a tree that nothing runs is brought back as well."""
        node = TaskNode("a", status=status)
        tree = TaskTree(node) if in_tree else None

        node.reset()

        assert (node.status, node.started_at, node.ended_at) == ("pending", None, None)
        if tree is not None:
            assert (list(tree.active), list(tree.recent), tree.get_stats()["pending"]) == ([], [], 1)

    def test_not_while_the_tree_runs(self) -> None:
        """What runs cannot be brought back."""
        tree = run_by_nothing(TaskTree(TaskNode("a")))

        with pytest.raises(TreeRunningError, match=exactly("node 'a' cannot be reset while its tree runs")):
            tree.root.reset()
        with pytest.raises(TreeRunningError, match=exactly("node 'a' cannot be reset while its tree runs")):
            tree.reset()
