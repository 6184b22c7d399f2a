"""Building a tree in one fluent expression: where nodes land, what is checked when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sentences import exactly
from treetask import (
    DefinitionError,
    DependencyCycleError,
    DuplicateNodeError,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
    UnknownDependencyError,
)


async def body(node: TaskNode) -> None:
    """A body that is never run here."""


def places(tree: TaskTree) -> list[str]:
    """Every node as the path of ids that leads to it."""
    return ["/".join([*(above.id for above in reversed(node.get_ancestors())), node.id]) for node in tree.walk()]


def found(tree: TaskTree, node_id: str) -> TaskNode:
    """The node of that id, which is there."""
    node = tree.find(node_id)
    assert node is not None
    return node


class TestPlaces:
    def test_root_alone_is_a_tree(self) -> None:
        """A tree needs no children."""
        tree = TreeBuilder("root").build()

        assert (len(tree), tree.root.id, tree.root.name, tree.root.parallel, tree.root.data) == (
            1,
            "root",
            "root",
            True,
            {},
        )

    def test_add_node_moves_in_and_add_child_stays(self) -> None:
        """After `add_node` everything lands below it; after `add_child` in the same place as before."""
        tree = (
            TreeBuilder("root")
            .add_child("first")
            .add_node("group")
            .add_child("second")
            .add_node("inner")
            .add_child("third")
            .build()
        )

        assert places(tree) == [
            "root",
            "root/first",
            "root/group",
            "root/group/second",
            "root/group/inner",
            "root/group/inner/third",
        ]

    def test_up_moves_to_the_parent(self) -> None:
        """One `up` for each `add_node` leads back to where it was called."""
        tree = TreeBuilder("root").add_node("a").add_node("b").up().add_child("c").up().add_child("d").build()

        assert places(tree) == ["root", "root/a", "root/a/b", "root/a/c", "root/d"]

    def test_up_at_the_root_is_refused(self) -> None:
        """One `up` too many is a mistake in the indentation, so it is told."""
        builder = TreeBuilder("root").add_node("a").up()

        problem = exactly("up() at the root 'root': there is nothing above it; remove one up()")
        with pytest.raises(DefinitionError, match=problem):
            builder.up()
        assert places(builder.add_child("b").build()) == ["root", "root/a", "root/b"]

    def test_every_method_returns_the_builder(self) -> None:
        """So that they can be chained, or called in a loop."""
        builder = TreeBuilder("root")
        for place in range(3):
            assert builder.add_child(f"child {place}") is builder
        assert builder.add_node("a") is builder
        assert builder.up() is builder

        assert len(builder.build()) == 5


class TestNodes:
    def test_printed_parameters_by_position(self) -> None:
        """id, name, parallel, task and data, in this order."""
        data: dict[str, Any] = {"k": 1}
        tree = TreeBuilder("root", "Root", False, data).add_node("a", "A", False, body, data).build()
        tree = TreeBuilder("outer", "Outer", False, data).add_child("b", "B", False, body, data).build()

        for node_id, name in [("outer", "Outer"), ("b", "B")]:
            node = found(tree, node_id)
            assert (node.name, node.parallel, node.data) == (name, False, data)
        assert found(tree, "b").task_fn is body

    def test_options_reach_the_node_that_is_added(self) -> None:
        """Options belong to the node in whose call they are said, not to the current one."""
        tree = (
            TreeBuilder("root", timeout=1).add_node("a", timeout=2).add_child("b", timeout=3, progress=(0, 7)).build()
        )

        assert [node.options.timeout for node in tree.walk()] == [1, 2, 3]
        assert [node.progress for node in tree.walk()] == [None, None, (0, 7)]

    def test_default_of_parallel_is_the_configs(self) -> None:
        """`None` takes the config's; what is said is taken; the root's own default is parallel."""
        config = TreeTaskConfig(default_parallel=False)
        tree = (
            TreeBuilder("root", config=config)
            .add_node("a")
            .add_child("b", parallel=True)
            .add_child("c", parallel=None)
            .build()
        )

        assert [node.parallel for node in tree.walk()] == [True, False, True, False]
        assert tree.config is config

    def test_root_may_have_a_body(self) -> None:
        """The root is a task like any other."""
        tree = TreeBuilder("root", task_fn=body, progress=(0, 2)).build()

        assert (tree.root.task_fn, tree.root.progress) == (body, (0, 2))

    @pytest.mark.parametrize(
        ("option", "hint"),
        [
            ("task_fn", "did you mean 'task'?"),
            ("progres", "did you mean 'progress'?"),
            (
                "children",
                (
                    "there are 'allow_failure', 'always', 'cost', 'data', 'depends_on', 'keep_done', 'limits', "
                    "'max_parallel', …"
                ),
            ),
        ],
    )
    def test_what_the_builder_decides_is_no_option(self, option: str, hint: str) -> None:
        """Parent, children and status follow from the place; a slip is answered with what was meant."""
        options: dict[str, Any] = {option: None}
        for add in (TreeBuilder("root").add_node, TreeBuilder("root").add_child):
            with pytest.raises(TypeError, match=exactly(f"node 'a' has no option '{option}' ({hint})")):
                add("a", **options)


class TestChecks:
    def test_duplicate_is_refused_at_once(self) -> None:
        """The call that adds the second one raises, and the builder goes on without it."""
        builder = TreeBuilder("root").add_node("a").add_child("x").up().add_node("b")

        message = "duplicate id 'x': first under 'a', again under 'b'; give one of them another id"
        for add in (builder.add_node, builder.add_child):
            with pytest.raises(DuplicateNodeError, match=exactly(message)):
                add("x")
        assert places(builder.add_child("y").build()) == ["root", "root/a", "root/a/x", "root/b", "root/b/y"]

    def test_dependency_may_come_later(self) -> None:
        """Ids are resolved by `build`, in any order."""
        tree = TreeBuilder("root").add_child("load", depends_on=["fetch"]).add_child("fetch").build()

        assert found(tree, "load").options.depends_on == ("fetch",)

    def test_unknown_dependency_is_refused_by_build(self) -> None:
        """With the closest id; once the missing node is there, the same builder builds."""
        builder = TreeBuilder("root").add_child("load", depends_on=["fetsh"]).add_child("fetch")

        message = "task 'load' depends on unknown task 'fetsh' (did you mean 'fetch'?)"
        with pytest.raises(UnknownDependencyError, match=exactly(message)):
            builder.build()
        assert len(builder.add_child("fetsh").build()) == 4

    def test_cycle_is_refused_by_build(self) -> None:
        """A circle of dependencies is found before anything runs."""
        builder = TreeBuilder("root").add_child("a", depends_on=["b"]).add_child("b", depends_on=["a"])

        with pytest.raises(
            DependencyCycleError, match=exactly("'a' depends on itself: a -> b -> a; remove one of these dependencies")
        ):
            builder.build()

    def test_build_twice_is_one_tree(self) -> None:
        """A builder makes one tree, which can still grow."""
        builder = TreeBuilder("root").add_child("a")
        tree = builder.build()

        assert builder.add_child("b").build() is tree
        assert places(tree) == ["root", "root/a", "root/b"]
