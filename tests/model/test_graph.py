"""What is found about dependencies before anything runs: unknown ids and nodes that would wait for each other."""

from __future__ import annotations

import itertools

import pytest

from tests.sentences import exactly
from treetask import (
    DefinitionError,
    DependencyCycleError,
    TaskNode,
    TaskTree,
    TreeBuilder,
    UnknownDependencyError,
)
from treetask.model import Dependencies, dependencies_of


def resolved(tree: TaskTree) -> dict[str, list[str]]:
    """Who waits for whom, by ids."""
    dependencies = dependencies_of(tree)
    return {node.id: [other.id for other in others] for node, others in dependencies.items()}


class TestResolving:
    def test_ids_become_nodes_in_their_order(self) -> None:
        """Wherever the other node is in the tree; one named twice counts once."""
        tree = (
            TreeBuilder("root")
            .add_child("report", depends_on=["load", "fetch", "load"])
            .add_node("etl", depends_on=["fetch"])
            .add_child("load")
            .up()
            .add_child("fetch")
            .build()
        )

        assert resolved(tree) == {"report": ["load", "fetch"], "etl": ["fetch"]}

    def test_who_needs_nothing_waits_for_nothing(self) -> None:
        """Nodes without dependencies have none."""
        tree = TreeBuilder("root").add_child("a").build()

        assert (resolved(tree), dependencies_of(tree).of(tree.root)) == ({}, ())

    def test_node_added_later_is_checked_alone(self) -> None:
        """A refusal leaves what was known as it was."""
        tree = TreeBuilder("root").add_child("a").add_child("b", depends_on=["a"]).build()
        dependencies = Dependencies(tree)
        dependencies.include(tree.walk())

        late = tree.root.add_child(TaskNode("c", depends_on=["x"]))
        with pytest.raises(UnknownDependencyError):
            dependencies.include([late])
        assert [node.id for node, _ in dependencies.items()] == ["b"]

        later = tree.root.add_child(TaskNode("d", depends_on=["b"]))
        assert dependencies.include([later]) == [later]
        assert dependencies.of(later) == (tree.root.children[1],)

    def test_answer_is_kept_until_the_tree_changes(self) -> None:
        """Asking twice is free; whatever may change the answer makes it a new one."""
        tree = TreeBuilder("root").add_child("a").add_child("b", depends_on=["a"]).build()
        known = dependencies_of(tree)
        assert dependencies_of(tree) is known

        tree.root.add_child(TaskNode("c", depends_on=["b"]))

        assert resolved(tree) == {"b": ["a"], "c": ["b"]}


class TestUnknown:
    @pytest.mark.parametrize(
        ("wanted", "hint"),
        [
            ("fetsh", "did you mean 'fetch'?"),
            ("Load", "did you mean 'load'?"),
            ("zzz", "there are 'root', 'fetch', 'load'"),
        ],
    )
    def test_refused_with_the_closest_id(self, wanted: str, hint: str) -> None:
        """The message names who depends on what, and what was meant."""
        builder = TreeBuilder("root").add_child("fetch").add_child("load").add_child("report", depends_on=[wanted])

        message = f"task 'report' depends on unknown task '{wanted}' ({hint})"
        with pytest.raises(UnknownDependencyError, match=exactly(message)) as caught:
            builder.build()
        assert (caught.value.node_id, caught.value.dependency) == ("report", wanted)
        assert isinstance(caught.value, DefinitionError)

    def test_many_ids_are_cut(self) -> None:
        """Where nothing is close, the first ids give the idea."""
        builder = TreeBuilder("root")
        for letter in "abcdefghij":
            builder.add_child(letter)

        message = "task 'x' depends on unknown task '#' (there are 'root', 'a', 'b', 'c', 'd', 'e', 'f', 'g', …)"
        with pytest.raises(UnknownDependencyError, match=exactly(message)):
            builder.add_child("x", depends_on=["#"]).build()


def refusal(builder: TreeBuilder) -> DependencyCycleError:
    """The error of a tree that waits for itself."""
    with pytest.raises(DependencyCycleError) as caught:
        builder.build()
    return caught.value


class TestCycles:
    def test_two_that_wait_for_each_other(self) -> None:
        """The circle is printed from where it was declared first, and kept."""
        error = refusal(TreeBuilder("root").add_child("a", depends_on=["b"]).add_child("b", depends_on=["a"]))

        assert str(error) == "'a' depends on itself: a -> b -> a; remove one of these dependencies"
        assert error.path == ("a", "b", "a")

    def test_on_itself(self) -> None:
        """The shortest circle."""
        error = refusal(TreeBuilder("root").add_child("a", depends_on=["a"]))

        assert str(error) == "'a' depends on itself: a -> a; remove one of these dependencies"

    def test_longer_circle_behind_a_line(self) -> None:
        """Who merely depends on a circle is not part of it."""
        error = refusal(
            TreeBuilder("root")
            .add_child("start", depends_on=["a"])
            .add_child("a", depends_on=["free", "b"])
            .add_child("b", depends_on=["c"])
            .add_child("c", depends_on=["a"])
            .add_child("free")
        )

        assert str(error) == "'a' depends on itself: a -> b -> c -> a; remove one of these dependencies"

    @pytest.mark.parametrize("between", [0, 2])
    def test_on_an_own_ancestor(self, between: int) -> None:
        """An ancestor ends after all that is below it."""
        builder = TreeBuilder("root").add_node("top")
        names = [f"level {number}" for number in range(between)]
        for name in names:
            builder.add_node(name)
        error = refusal(builder.add_child("a", depends_on=["top"]))

        chain = ["top", *names, "a"]
        implied = [f"'{upper}' ends after its child '{lower}'" for upper, lower in itertools.pairwise(chain)]
        path = " -> ".join(["a", *chain])
        assert str(error) == f"'a' depends on itself: {path}; {'; '.join(implied)}; remove one of these dependencies"

    def test_parent_on_its_own_child(self) -> None:
        """A body runs before the children, so it cannot wait for one of them."""
        error = refusal(TreeBuilder("root").add_node("group", depends_on=["a"]).add_child("a"))

        assert str(error) == (
            "'group' depends on itself: group -> a -> group; 'a' starts after its parent 'group'; "
            "remove one of these dependencies"
        )

    def test_on_a_later_sibling_of_a_sequence(self) -> None:
        """In a sequence the later one starts after the earlier one."""
        error = refusal(TreeBuilder("root", parallel=False).add_child("a", depends_on=["b"]).add_child("b"))

        assert str(error) == (
            "'a' depends on itself: a -> b -> a; 'b' starts after 'a' because 'root' is sequential; "
            "remove one of these dependencies"
        )

    def test_on_one_far_behind_in_a_sequence(self) -> None:
        """Also where others stand between the two."""
        error = refusal(
            TreeBuilder("root", parallel=False).add_child("a", depends_on=["c"]).add_child("b").add_child("c")
        )

        assert str(error) == (
            "'a' depends on itself: a -> c -> b -> a; 'c' starts after 'b' because 'root' is sequential; "
            "'b' starts after 'a' because 'root' is sequential; remove one of these dependencies"
        )

    def test_below_a_later_sibling_of_a_sequence(self) -> None:
        """What is below a later sibling starts after the earlier one, too."""
        error = refusal(
            TreeBuilder("root", parallel=False)
            .add_child("a", depends_on=["inner"])
            .add_node("later")
            .add_child("inner")
        )

        assert str(error) == (
            "'a' depends on itself: a -> inner -> later -> a; 'inner' starts after its parent 'later'; "
            "'later' starts after 'a' because 'root' is sequential; remove one of these dependencies"
        )

    def test_across_two_sequences(self) -> None:
        """Two sequences, each of which has to come first."""
        error = refusal(
            TreeBuilder("root")
            .add_node("left", parallel=False)
            .add_child("a", depends_on=["d"])
            .add_child("b")
            .up()
            .add_node("right", parallel=False)
            .add_child("c", depends_on=["b"])
            .add_child("d")
        )

        assert str(error) == (
            "'a' depends on itself: a -> d -> c -> b -> a; 'd' starts after 'c' because 'right' is sequential; "
            "'b' starts after 'a' because 'left' is sequential; remove one of these dependencies"
        )

    def test_sequence_made_after_the_build(self) -> None:
        """A group that becomes sequential gets new implied edges, and is checked with them."""
        tree = TreeBuilder("root").add_child("a", depends_on=["b"]).add_child("b").build()

        tree.root.parallel = False

        with pytest.raises(DependencyCycleError):
            dependencies_of(tree)

    def test_what_only_looks_like_a_circle_is_taken(self) -> None:
        """Earlier siblings, other branches, a diamond and two edges the same way are no circle."""
        tree = (
            TreeBuilder("root", parallel=False)
            .add_child("a")
            .add_node("group", depends_on=["a"])
            .add_child("left", depends_on=["a"])
            .add_child("right", depends_on=["a"])
            .add_child("both", depends_on=["left", "right", "a"])
            .up()
            .add_child("end", depends_on=["both", "group"])
            .build()
        )

        assert resolved(tree)["both"] == ["left", "right", "a"]

    def test_first_of_a_sequence_on_another_branch(self) -> None:
        """A dependency out of a sequence delays it and closes nothing."""
        tree = (
            TreeBuilder("root")
            .add_node("steps", parallel=False)
            .add_child("one", depends_on=["other"])
            .add_child("two")
            .up()
            .add_child("other")
            .build()
        )

        assert resolved(tree) == {"one": ["other"]}
