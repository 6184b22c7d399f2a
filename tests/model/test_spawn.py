"""What a spawner's body yields: children with their keys, options and results, and the words for the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from enum import Enum, Flag, IntEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from tests.sentences import exactly
from treetask import JOIN, Child, Return, TaskFailed, TaskNode, TreeTaskError, UnkeyedArgumentError, UnplacedChildError
from treetask.model import DuplicateChildError


class Template:
    """A declaration, as far as a child needs one."""

    label = "w"

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        return TaskNode(node_id)


def child(*args: object, **kwargs: object) -> Child[Any]:
    """A child of `w` with these arguments."""
    return Child(Template(), args, kwargs)


def placed(status: str, *args: object, error: str | None = None) -> Child[Any]:
    """A child that became a node, which stands like this."""
    made = child(*args)
    made._node = TaskNode(made.key, status=status, error=error)
    return made


def keyed(made: Child[Any]) -> Child[Any]:
    """The child with a key of its own."""
    return made.keyed("k")


def with_options(made: Child[Any]) -> Child[Any]:
    """The child with an option of its own."""
    return made.with_options(timeout=1)


class Colour(Enum):
    RED = "r"


class Level(IntEnum):
    HIGH = 3


class Access(Flag):
    READ = 1
    WRITE = 2


class TestKeys:
    @pytest.mark.parametrize(
        ("made", "key"),
        [
            (child(), "w"),
            (child("a.html"), "w[a.html]"),
            (child(1, b=2), "w[1,b=2]"),
            (child(b=2, a=1), "w[a=1,b=2]"),
            (child("", None, True, 1.5, -3), "w[,None,True,1.5,-3]"),
            (child(date(2024, 2, 29)), "w[2024-02-29]"),
            (child(datetime(2024, 2, 29, 12, tzinfo=timezone.utc)), "w[2024-02-29 12:00:00+00:00]"),
            (child(PurePosixPath("a/b.txt")), "w[a/b.txt]"),
            (child(PureWindowsPath("a\\b.txt")), "w[a/b.txt]"),
            (child(Path("x")), "w[x]"),
            (child(Colour.RED, Level.HIGH), "w[RED,HIGH]"),
            (child(("a", 1, (Colour.RED, None))), "w[(a,1,(RED,None))]"),
            (child(()), "w[()]"),
        ],
    )
    def test_arguments_make_the_key(self, made: Child[Any], key: str) -> None:
        """The declaration's name and the arguments as they were given, keywords in the order of their names."""
        assert made.key == key

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("https://a/[b]", "w[https://a/[b]]"),
            ("c:\\a\\", "w[c:\\a\\]"),
            ("a]/w[b", "w[a]\\/w[b]"),
            ("a]\\/w[b", "w[a]\\\\/w[b]"),
            ("]/]/", "w[]\\/]\\/]"),
        ],
    )
    def test_key_ends_in_one_place(self, text: str, key: str) -> None:
        """With a `/` after it, its bracket would end it in an id; usual texts stand as they are."""
        assert child(text).key == child().keyed(text).key == key

    def test_combined_flags_have_a_key(self) -> None:
        """Also where Python has no name for the combination."""
        assert {child(Access.READ | Access.WRITE).key} <= {"w[READ|WRITE]", "w[Access.WRITE|READ]"}

    def test_long_keys_are_cut_and_stay_apart(self) -> None:
        """80 characters stand as they are; what is longer is cut there and gets a digest of the whole."""
        assert child("x" * 80).key == f"w[{'x' * 80}]"
        first, second = child("x" * 81).key, child("x" * 82).key

        assert first == f"w[{'x' * 80}…{first[-17:-1]}]"
        assert first != second
        assert len(first) == len(second) == len("w[]") + 80 + 1 + 16
        assert child("x" * 81).key == first

    def test_many_long_keys_of_one_beginning_stay_apart(self) -> None:
        """Of 100,000 addresses below one prefix a digest of 32 bits gave these two the same key."""
        prefix = "s3://bucket/" + "x" * 80
        assert child(f"{prefix}/33683").key != child(f"{prefix}/84264").key

    def test_text_that_is_no_utf8_has_a_key(self) -> None:
        """File names may hold what no encoding has."""
        assert len(child("\udcff" * 100).key) == len("w[]") + 80 + 1 + 16

    @pytest.mark.parametrize(
        ("made", "argument", "kind"),
        [
            (child(b"x"), "1", "bytes"),
            (child("a", [1]), "2", "list"),
            (child(rows={}), "'rows'", "dict"),
            (child(("a", {1})), "1", "set"),
            (child(object()), "1", "object"),
        ],
    )
    def test_what_cannot_be_part_of_a_key_is_refused(self, made: Child[Any], argument: str, kind: str) -> None:
        """The message names the argument, what it is, and the way out."""
        message = (
            f"w.child(): argument {argument} is a {kind}, which cannot be part of the child's key; "
            "name the child: w.child(...).keyed('...')"
        )
        with pytest.raises(UnkeyedArgumentError, match=exactly(message)) as caught:
            _ = made.key
        assert caught.value.argument == argument

    def test_own_key_takes_the_place_of_the_arguments(self) -> None:
        """`keyed` gives a child with another key, leaving the first one as it was."""
        first = child([1, 2])

        assert first.keyed("both").key == "w[both]"
        assert first.keyed("both").args == ([1, 2],)
        assert first.keyed("y" * 81).key.startswith(f"w[{'y' * 80}…")
        with pytest.raises(UnkeyedArgumentError):
            _ = first.key

    @pytest.mark.parametrize("key", ["", None, 3])
    def test_own_key_is_a_text(self, key: str) -> None:
        """An empty key, or none, would not tell children apart."""
        problem = exactly(f"w.child().keyed(): the key is {key!r}; expected a non-empty string")
        with pytest.raises(TypeError, match=problem):
            _ = child().keyed(key)

    def test_second_child_of_a_key_is_told_with_the_fix(self) -> None:
        """The error names the parent, the key and both ways out."""
        error = DuplicateChildError("w[1]", "crawl")

        assert str(error) == (
            "'crawl' already has a child 'w[1]'; spawn it once, or tell the two apart: .child(...).keyed('...')"
        )
        assert (error.key, isinstance(error, TreeTaskError)) == ("w[1]", True)


class TestOptions:
    def test_options_are_added_up(self) -> None:
        """Each call gives a child with more said; the first one is as it was."""
        first = child(1)
        second = first.with_options(timeout=5).with_options(max_retries=2, timeout=3)

        assert (dict(first.options), dict(second.options)) == ({}, {"timeout": 3, "max_retries": 2})
        assert second.key == first.key

    def test_key_and_options_go_together(self) -> None:
        """In either order."""
        one = child([1]).keyed("k").with_options(timeout=1)
        other = child([1]).with_options(timeout=1).keyed("k")

        assert one.key == other.key == "w[k]"
        assert dict(one.options) == dict(other.options) == {"timeout": 1}

    @pytest.mark.parametrize("change", [keyed, with_options])
    def test_not_after_the_start(self, change: Callable[[Child[Any]], object]) -> None:
        """A child that became a node is what it is."""
        with pytest.raises(
            TreeTaskError, match=exactly("child 'w[1]' has been started; key and options come before that")
        ):
            change(placed("pending", 1))


class TestResults:
    def test_child_that_was_not_started_has_none(self) -> None:
        """Neither a node nor a result, and the message says what is missing."""
        message = "child 'w[1]' was not started; write `yield child` (or node.spawn) before you use its result"
        with pytest.raises(UnplacedChildError, match=exactly(message)):
            _ = child(1).result
        with pytest.raises(UnplacedChildError, match=exactly(message)) as caught:
            _ = child(1).node
        assert caught.value.key == "w[1]"

    def test_result_of_a_child_that_is_done(self) -> None:
        """What its body returned, also if that is nothing."""
        made = placed("done", 1)
        assert made.result is None

        made.node.result = 42
        assert made.result == 42

    @pytest.mark.parametrize("status", ["pending", "working", "retrying"])
    def test_result_before_the_end(self, status: str) -> None:
        """There is none yet."""
        message = f"child 'w[1]' is still {status}; await it first (in a plain `def`: yield JOIN)"
        with pytest.raises(TreeTaskError, match=exactly(message)):
            _ = placed(status, 1).result

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            ("failed", "failed"),
            ("timed_out", "timed out"),
            ("cancelled", "was cancelled"),
            ("skipped", "was skipped"),
        ],
    )
    def test_result_of_a_child_that_did_not_end_well(self, status: str, words: str) -> None:
        """The failure in words, with the child and what it raised."""
        made = placed(status, 1, error="503")
        made.node.exception = OSError("503")

        with pytest.raises(TaskFailed, match=exactly(f"child 'w[1]' {words}: 503")) as caught:
            _ = made.result
        assert caught.value.child is made
        assert caught.value.__cause__ is made.node.exception
        assert caught.value.others == ()

    def test_failure_of_several(self) -> None:
        """The first is told, the others are counted and kept."""
        first, second, third = placed("failed", 1), placed("failed", 2), placed("timed_out", 3)

        error = TaskFailed(first, [second, third])

        assert str(error) == "child 'w[1]' failed (and 2 more)"
        assert error.others == (second, third)
        assert error.__cause__ is None

    def test_awaiting_what_has_ended(self) -> None:
        """The result comes at once, and the failure is claimed."""

        async def wait(made: Child[Any]) -> object:
            return await made

        good, bad = placed("done", 1), placed("failed", 2)
        good.node.result = 42
        with pytest.raises(StopIteration) as ended:
            wait(good).send(None)
        assert ended.value.value == 42
        with pytest.raises(TaskFailed, match=exactly("child 'w[2]' failed")):
            wait(bad).send(None)
        assert bad.claimed


class TestWords:
    def test_representations(self) -> None:
        """What a debugger shows is what was written."""
        assert repr(JOIN) == "JOIN"
        assert repr(child(1)) == "<Child w[1]>"
        assert repr(placed("done", 1)) == "<Child w[1]>"
        assert repr(Return(5)) == "Return(value=5)"

    def test_return_is_a_value(self) -> None:
        """Equal where its value is, and not to be changed."""
        assert Return(5) == Return(5)
        with pytest.raises(AttributeError):
            Return(5).value = 6  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
