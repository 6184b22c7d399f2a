"""What came of a tree: success, failures, results by handle, and the errors that carry them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.sentences import exactly
from treetask import (
    ExecutionResult,
    NoResultError,
    Registry,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskError,
)
from treetask.model import Child, is_from_below

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


class Handle:
    """A declaration whose nodes are those that carry its name."""

    def __init__(self, label: str) -> None:
        self.label = label

    @property
    def output(self) -> int:
        raise NotImplementedError

    def nodes_in(self, tree: TaskTree) -> list[TaskNode]:
        return [node for node in tree.walk() if node.name == self.label]


def ended(**statuses: str) -> TaskTree:
    """A tree of a root and children in these statuses, each with a number as its result."""
    builder = TreeBuilder("root")
    for node_id in statuses:
        if node_id != "root":
            builder.add_child(node_id, node_id.rstrip("0123456789"))
    tree = builder.build()
    for number, (node_id, status) in enumerate(statuses.items()):
        node = tree.find(node_id)
        assert node is not None
        for step in ["working", status] if status not in {"pending", "skipped"} else [status]:
            if node.status != step:
                node.status = TaskStatus(step)
        node.result = number
    return tree


class TestByHand:
    def test_of_a_tree_that_did_not_run(self) -> None:
        """A result may be made of any tree; nothing is done yet."""
        result = ExecutionResult(TreeBuilder("root").add_child("a").build())

        assert (result.success, result.failed_nodes, result.stats["pending"]) == (False, [], 2)

    @pytest.mark.parametrize("status", ["pending", "failed", "cancelled", "skipped", "timed_out"])
    def test_success_means_that_the_root_is_done(self, status: str) -> None:
        """No other status of the root is a success."""
        assert ExecutionResult(ended(root=status)).success is False
        assert ExecutionResult(ended(root="done")).success is True

    def test_failures_that_were_handled_are_among_the_failed(self) -> None:
        """A run can be a success with failed nodes in it; they are told in the order of the tree."""
        tree = ended(a="done", b="timed_out", c="failed", d="cancelled", e="skipped", root="done")

        result = ExecutionResult(tree)

        assert [node.id for node in result.failed_nodes] == ["b", "c"]
        assert result.success
        assert result.stats == tree.get_stats()
        assert (result.stats["done"], result.stats["failed"], result.stats["total"]) == (2, 1, 6)

    def test_it_is_a_view_of_the_tree(self) -> None:
        """What happens to the tree is seen."""
        tree = ended(root="pending")
        result = ExecutionResult(tree)
        tree.root.status = "failed"

        assert (result.tree, result.failed_nodes) == (tree, [tree.root])
        assert repr(result) == "<ExecutionResult of 'root', root failed>"

    def test_value_is_the_roots(self) -> None:
        """What the root's body returned."""
        tree = ended(root="done")
        tree.root.result = [1, 2]

        assert ExecutionResult(tree).value == [1, 2]


class TestByHandle:
    def test_result_of_the_only_node(self) -> None:
        """One node, done: its result."""
        assert ExecutionResult(ended(a="done", b="done", root="done"))[Handle("b")] == 1

    def test_no_node(self) -> None:
        """A declaration that this run did not have."""
        with pytest.raises(NoResultError) as caught:
            ExecutionResult(ended(a="done", root="done"))[Handle("load")]
        assert str(caught.value) == "'load' has 0 nodes in 'root'; it was not part of this run"

    def test_several_nodes(self) -> None:
        """Which one was meant cannot be known; `all` has them."""
        result = ExecutionResult(ended(page1="done", page2="failed", page3="done", root="failed"))

        with pytest.raises(NoResultError) as caught:
            result[Handle("page")]
        assert str(caught.value) == "'page' has 3 nodes in 'root'; use result.all(handle)"
        assert result.all(Handle("page")) == [0, 2]
        assert result.all(Handle("load")) == []

    @pytest.mark.parametrize("asked", ["a", None, Registry("root"), Registry("root").group("a").output])
    def test_what_is_no_task_is_refused(self, asked: object) -> None:
        """An id, a registry, which has no body and so no result, or what stands for a result as a default."""
        result: Any = ExecutionResult(ended(a="done", root="done"))
        message = exactly(
            f"the result of 'root' was asked for {asked!r}; expected a declared task or group, as in result[task]; "
            "the node of an id is result.tree.find(id)"
        )
        with pytest.raises(TypeError, match=message):
            result[asked]
        with pytest.raises(TypeError, match=message):
            result.all(asked)

    @pytest.mark.parametrize("status", ["pending", "working", "failed", "cancelled", "skipped", "timed_out"])
    def test_node_that_is_not_done(self, status: str) -> None:
        """It has no result, and the message says how it stands."""
        with pytest.raises(NoResultError) as caught:
            ExecutionResult(ended(a=status))[Handle("a")]
        assert str(caught.value) == f"'a' has no result: it is {status}"


class TestErrors:
    def test_failed_run_is_a_group_with_its_result(self) -> None:
        """It is caught as a group, as an error of TreeTask and by `except*`, and carries the whole tree."""
        result = ExecutionResult(ended(a="failed", root="failed"))

        error = TreeFailed("'root' failed, 2 errors", [OSError("a"), ValueError("b")], result)

        assert isinstance(error, ExceptionGroup)
        assert isinstance(error, TreeTaskError)
        assert error.result is result
        assert str(error) == "'root' failed, 2 errors (2 sub-exceptions)"

    def test_part_of_a_failed_run_keeps_the_result(self) -> None:
        """`except*` and `split` hand on groups of the same class."""
        result = ExecutionResult(ended(root="failed"))
        error = TreeFailed("'root' failed, 2 errors", [OSError("a"), ValueError("b")], result)

        matching, rest = error.split(OSError)

        for part, left in ((matching, OSError), (rest, ValueError)):
            assert isinstance(part, TreeFailed)
            assert part.result is result
            assert [type(one) for one in part.exceptions] == [left]

    @pytest.mark.parametrize(
        ("reason", "message"), [(None, "'root' was cancelled"), ("enough", "'root' was cancelled: enough")]
    )
    def test_cancelled_run_says_why(self, reason: str | None, message: str) -> None:
        """With the reason where there was one, and the result of what was done before."""
        result = ExecutionResult(ended(a="done", root="cancelled"))

        error = TreeCancelled(reason, result)

        assert (error.reason, error.result) == (reason, result)
        with pytest.raises(TreeTaskError, match=exactly(message)):
            raise error


class NoTemplate:
    """Of a child that has a node already."""

    label = "child"

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        raise AssertionError


def told_of(node: TaskNode) -> TaskFailed:
    """Return what a body is told when it asks for the result of a child that failed."""
    child: Child[Any] = Child(NoTemplate(), (), {})
    child._node = node
    return TaskFailed(child)


@pytest.mark.parametrize(
    ("status", "error", "is_so"),
    [
        ("failed", "of the child", True),
        ("retrying", "of the child", True),
        ("failed", "of one elsewhere", False),
        ("retrying", "of one elsewhere", True),
        ("failed", "of a child that was skipped", False),
        ("failed", "of its own", False),
        ("failed", None, True),
        ("timed_out", None, False),
    ],
)
def test_failure_is_from_below_where_a_node_below_failed(status: str, error: str | None, is_so: bool) -> None:
    """Not where a body was told of something elsewhere, or of what raised nothing; nor where its time was up."""
    group, elsewhere = TaskNode("group"), TaskNode("elsewhere", status="failed")
    deep = group.add_child(TaskNode("between", status="failed")).add_child(TaskNode("deep", status="failed"))
    skipped = group.add_child(TaskNode("skipped", status="skipped"))
    errors = {
        "of the child": told_of(deep),
        "of one elsewhere": told_of(elsewhere),
        "of a child that was skipped": told_of(skipped),
        "of its own": OSError(),
    }

    assert is_from_below(group, TaskStatus(status), None if error is None else errors[error]) is is_so
