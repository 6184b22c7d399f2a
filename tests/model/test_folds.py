"""Done children that were folded into their group: gone, but counted, and not forgotten by their ids."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.model.engine import run_by_nothing
from tests.sentences import exactly
from treetask import (
    DefinitionError,
    DuplicateNodeError,
    ExecutionResult,
    FinishedParentError,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeTaskError,
    UnknownDependencyError,
)
from treetask.model import NoResultError, SubtreeStats, dependencies_of
from treetask.model._folds import Digests, digest_of


async def body(node: TaskNode) -> None:
    """A body; nobody runs it."""


def crawl() -> TaskTree:
    """A root with a group of three: two are done, one of them a group itself, and one works."""
    pages = TaskNode("pages", children=[TaskNode("p1", task_fn=body), TaskNode("p2", task_fn=body, progress=(1, 5))])
    group = TaskNode("crawl", children=[pages, TaskNode("a", task_fn=body), TaskNode("b", task_fn=body)])
    tree = TaskTree(TaskNode("root", children=[group]))
    for at, node_id in enumerate(["p1", "p2", "a"]):
        tree.move(node(tree, node_id), TaskStatus.WORKING, at)
        tree.move(node(tree, node_id), TaskStatus.DONE, at * 10.0)
    for node_id in ("root", "crawl", "pages", "b"):
        tree.move(node(tree, node_id), TaskStatus.WORKING, 1.0)
    tree.move(node(tree, "pages"), TaskStatus.DONE, 30.0)
    return tree


def node(tree: TaskTree, node_id: str) -> TaskNode:
    """The node of that id, which is there."""
    found = tree.find(node_id)
    assert found is not None, node_id
    return found


def fold(tree: TaskTree, *children: str) -> list[TaskNode]:
    """Fold these children of the group, and return them."""
    nodes = [node(tree, child) for child in children]
    tree.fold(node(tree, "crawl"), nodes)
    return nodes


def all_numbers(tree: TaskTree) -> list[dict[str, Any]]:
    """Whatever a tree counts."""
    return [
        tree.get_stats(),
        tree.get_leaf_stats(),
        tree.get_work_node_stats(),
        tree.get_progress_stats(),
        tree.get_timing_stats(),
    ]


class TestNumbers:
    @pytest.mark.parametrize("is_asked_before", [False, True])
    def test_are_what_they_were(self, is_asked_before: bool) -> None:
        """The tree's and the group's numbers, whether or not somebody has asked about the group before."""
        tree, unfolded = crawl(), crawl()
        if is_asked_before:
            tree.subtree_stats(node(tree, "crawl"))

        fold(tree, "pages", "a")

        assert all_numbers(tree) == all_numbers(unfolded)
        for group in ("root", "crawl"):
            assert tree.subtree_stats(node(tree, group)) == unfolded.subtree_stats(node(unfolded, group))
        assert tree.subtree_stats(node(tree, "crawl")) == SubtreeStats(0, 1, 0, 3, 0, 0, 0, 0, current=7, total=8)

    def test_go_on_when_a_group_without_children_is_left(self) -> None:
        """A group whose children were all folded is no leaf, and its list is true though it is empty."""
        tree = crawl()
        tree.move(node(tree, "b"), TaskStatus.DONE, 40.0)
        leaves = tree.get_leaf_stats()

        fold(tree, "pages", "a", "b")
        group = node(tree, "crawl")
        tree.move(group, TaskStatus.DONE, 41.0)

        assert (list(group.children), bool(group.children), group.is_leaf()) == ([], True, False)
        assert tree.get_leaf_stats() == leaves
        assert tree.get_stats()["total"] == 7
        assert tree.folded_children(group) == 3

    def test_of_an_attempt_are_taken_back(self) -> None:
        """What an attempt had added is not counted once it has failed; its ids are free again."""
        tree = crawl()
        group = node(tree, "crawl")
        nodes = [node(tree, "pages"), node(tree, "a")]
        tree.fold(group, nodes, added={nodes[1]})
        assert tree.folds is not None

        tree.folds.forget_added(group)

        assert (tree.get_stats()["done"], tree.folded_children(group)) == (3, 1)
        assert not tree.was_folded("a")
        assert tree.was_folded("pages")
        group.add_child(TaskNode("a"))

    def test_leave_with_their_group(self) -> None:
        """A group that is removed takes with it what was folded into it."""
        tree = crawl()
        fold(tree, "pages", "a")

        tree.root.remove_child(node(tree, "crawl"))

        assert (tree.get_stats()["total"], tree.get_progress_stats()["total"]) == (1, 0)
        tree.root.add_child(TaskNode("p1"))


class TestNodes:
    def test_are_gone(self) -> None:
        """Out of the list, the index and the walk; no other child has moved."""
        tree = crawl()
        iterator = iter(node(tree, "crawl").children)

        fold(tree, "pages", "a")

        assert [child.id for child in iterator] == ["pages", "a", "b"]
        assert [each.id for each in tree.walk()] == ["root", "crawl", "b"]
        assert [tree.find(each) for each in ("pages", "p1", "a")] == [None] * 3
        assert (len(tree), tree.ids()) == (3, ["root", "crawl", "b"])

    def test_keep_what_they_were_for_those_who_hold_them(self) -> None:
        """Status, stamps, result and parent; only the tree has no part in them any more."""
        tree = crawl()
        node(tree, "a").result = 5

        _, a = fold(tree, "pages", "a")

        assert (a.status, a.result, a.elapsed, a.parent) == ("done", 5, 18.0, node(tree, "crawl"))
        assert a not in tree

    def test_take_no_more_children(self) -> None:
        """A child under one, however deep, would never run."""
        tree = crawl()
        below = node(tree, "p1")
        pages, _ = fold(tree, "pages", "a")

        for parent in (pages, below):
            message = (
                f"node 'late' cannot be added: its parent '{parent.id}' is already done; "
                "add it before the parent ends, or to a node that still runs"
            )
            with pytest.raises(FinishedParentError, match=exactly(message)):
                parent.add_child(TaskNode("late"))

    def test_are_no_children_to_be_removed(self) -> None:
        """They were removed already."""
        tree = crawl()
        (a,) = fold(tree, "a")

        assert node(tree, "crawl").remove_child(a) is False
        assert tree.get_stats()["total"] == 7

    def test_stay_recent_where_they_stand_alone(self) -> None:
        """A display may go on showing what has just ended, but nothing that lay below it."""
        tree = crawl()
        fold(tree, "pages", "a")

        assert [each.id for each in tree.recent] == ["a"]

    def test_have_nothing_below_them_that_is_counted(self) -> None:
        """Whoever asks is told that the node is in no tree any more."""
        tree = crawl()
        (pages,) = fold(tree, "pages")

        message = "node 'pages' is not in tree 'root', so nothing is counted below it"
        with pytest.raises(DefinitionError, match=exactly(message)):
            tree.subtree_stats(pages)

    def test_are_counted_by_a_snapshot(self) -> None:
        """The group says how many of the nodes below it are not there."""
        tree = crawl()
        fold(tree, "pages", "a")

        assert [(each["id"], each.get("folded")) for each in tree.to_dict()["nodes"]] == [
            ("root", None),
            ("crawl", 4),
            ("b", None),
        ]


class TestIds:
    @pytest.mark.parametrize("node_id", ["a", "p1"])
    def test_are_not_given_twice(self, node_id: str) -> None:
        """Neither that of a child nor one from below it."""
        tree = crawl()
        fold(tree, "pages", "a")

        message = (
            f"duplicate id '{node_id}': first as a node that was done and folded into its group, "
            "again under 'root'; give one of them another id"
        )
        with pytest.raises(DuplicateNodeError, match=exactly(message)):
            tree.root.add_child(TaskNode(node_id))

    def test_are_dependencies_that_are_met(self) -> None:
        """An id that was folded is known, though its node is gone; another is not."""
        tree = crawl()
        fold(tree, "pages", "a")
        late = tree.root.add_child(TaskNode("late", depends_on=["p1", "b"]))

        assert dependencies_of(tree).of(late) == (node(tree, "b"),)
        tree.root.add_child(TaskNode("lost", depends_on=["p3"]))
        with pytest.raises(UnknownDependencyError):
            dependencies_of(tree)

    def test_of_one_group_are_not_those_of_the_next(self) -> None:
        """A group that is folded hands on the ids below it, once."""
        tree = TaskTree(TaskNode("root", children=[TaskNode("g", children=[TaskNode("h", children=[TaskNode("a")])])]))
        for node_id in ("a", "h"):
            tree.move(node(tree, node_id), TaskStatus.WORKING, 1.0)
            tree.move(node(tree, node_id), TaskStatus.DONE, 2.0)
        tree.fold(node(tree, "h"), [node(tree, "a")])

        tree.fold(node(tree, "g"), [node(tree, "h")])

        assert [tree.was_folded(node_id) for node_id in ("a", "h", "g")] == [True, True, False]
        assert [each.get("folded") for each in tree.to_dict()["nodes"]] == [None, 2]
        tree.root.remove_child(node(tree, "g"))
        assert not tree.was_folded("a")


def test_results_that_are_gone_are_told_from_those_of_another_run() -> None:
    """Whoever asks for the result of a declaration that may have been folded is told so."""

    class Handle:
        output = 5
        label = "load"

        def nodes_in(self, tree: TaskTree) -> list[TaskNode]:
            return []

    tree = crawl()
    fold(tree, "a")

    message = (
        "'load' has 0 nodes in 'root'; it was not part of this run, or it is done and its result is gone "
        "(its group says keep_done='rollup')"
    )
    with pytest.raises(NoResultError, match=exactly(message)):
        ExecutionResult(tree)[Handle()]
    assert ExecutionResult(tree).all(Handle()) == []


class TestReset:
    def test_is_refused_where_children_cannot_come_back(self) -> None:
        """A tree that would run without them says so, and what to do."""
        tree = crawl()
        fold(tree, "pages", "a")

        message = (
            "tree 'root' cannot be reset: 2 children of 'crawl' were done and are gone (it says keep_done='rollup'); "
            "build a second tree to run it again"
        )
        with pytest.raises(TreeTaskError, match=exactly(message)):
            tree.reset()

    def test_forgets_what_a_body_adds_again(self) -> None:
        """Children that came by an attempt come again by the next."""
        tree = crawl()
        nodes = [node(tree, "pages"), node(tree, "a")]
        tree.fold(node(tree, "crawl"), nodes, added=nodes)

        tree.reset()

        assert (tree.get_stats()["total"], tree.get_stats()["pending"]) == (3, 3)
        assert not tree.was_folded("a")

    def test_forgets_what_was_folded_below_what_a_body_adds_again(self) -> None:
        """Also where the list of ids below was the longer one, and took in the other."""
        tree = TaskTree(TaskNode("root"))
        group = tree.root.add_child(TaskNode("group", status="done"))
        leaves = [group.add_child(TaskNode(f"leaf{number}", status="done")) for number in range(3)]
        tree.fold(group, leaves)
        tree.fold(tree.root, [group], added=[group])

        tree.reset()

        assert not any(map(tree.was_folded, ("group", "leaf0", "leaf1", "leaf2")))


class TestDigests:
    def test_hold_what_was_put_in_and_not_taken_out(self) -> None:
        """As a set does, and one put in twice has to be taken out twice."""
        chance = random.Random(5)
        numbers = [chance.randrange(2**64) for _ in range(3_000)] + [0, 2**64 - 1]
        digests = Digests()
        for number in [*numbers, numbers[0]]:
            digests.add(number)
        for number in numbers[:1_000]:
            digests.remove(number)

        assert all(number in digests for number in [numbers[0], *numbers[1_000:]])
        assert not any(number in digests for number in [*numbers[1:1_000], 1, 2**63])

    @pytest.mark.slow
    def test_take_little_more_than_their_bytes(self) -> None:
        """A million of them are bounded memory; here a tenth of that."""
        import tracemalloc

        chance = random.Random(5)
        digests = Digests()
        tracemalloc.start()
        for _ in range(100_000):
            digests.add(chance.randrange(2**64))
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert taken < 16 * 100_000

    def test_of_ids_are_the_same_everywhere(self) -> None:
        """Whatever is in a name, on every machine."""
        assert digest_of("crawl/fetch[a.html]") == 703_577_330_987_356_042
        assert digest_of("\ud800") != digest_of("\ud801")


def test_the_engine_that_runs_a_tree_answers_for_a_folded_node() -> None:
    """Once the run is over a folded node can be cancelled as little as any other."""
    tree = crawl()
    (a,) = fold(tree, "a")
    run_by_nothing(tree)

    with pytest.raises(NotImplementedError):
        a.cancel()
    tree.drive(None)
    with pytest.raises(TreeTaskError, match=exactly("node 'a': cancel works only while the tree runs")):
        a.cancel()
