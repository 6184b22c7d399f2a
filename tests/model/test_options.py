"""Options of nodes: what there is, what is refused and in which words, and that equal ones are shared."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import Unpack

from tests.sentences import exactly
from treetask import KeepDone, Limit, OnFailure, Retry, TaskNode, TreeBuilder, optional
from treetask.model import DEFAULT_MAX_QUEUED, NodeKeywords, NodeOptions, node_options

RETRY = Retry(on=OSError)
API = Limit("api", max_concurrency=1)

OPTIONS: NodeKeywords = {
    "allow_failure": True,
    "always": True,
    "cost": 2.5,
    "keep_done": "rollup",
    "limits": [API, API],
    "max_parallel": 4,
    "priority": 0,
    "retry": RETRY,
    "depends_on": [optional("b")],
    "max_queued": 5,
    "when": bool,
    "on_failure": "finish",
    "timeout": 1.5,
    "tags": ["net", "slow", "net"],
    "version": 2,
}


def given(**options: Unpack[NodeKeywords]) -> NodeOptions:
    """The options of a node that was made with these."""
    return TaskNode("a", **options).options


def test_what_is_not_said_is_left_to_others() -> None:
    """`None` leaves the decision to the parent or the config."""
    options = given()

    assert (options.parallel, options.depends_on, options.max_queued) == (True, (), DEFAULT_MAX_QUEUED)
    assert (options.max_retries, options.timeout, options.on_failure) == (None, None, None)


def test_all_options_are_kept() -> None:
    """Each option is kept as it was given, in its own type."""
    options = given(**OPTIONS)

    assert (options.parallel, options.depends_on, options.max_queued) == (True, ("b",), 5)
    assert (options.timeout, options.on_failure) == (1.5, OnFailure.FINISH)
    assert (options.when, options.retry, options.limits) == (bool, RETRY, (API,))
    assert (options.allow_failure, options.always, options.cost, options.priority) == (True, True, 2.5, 0)
    assert (options.keep_done, options.max_parallel, options.optional) == (KeepDone.ROLLUP, 4, frozenset("b"))
    assert options.tags == {"net", "slow"}
    assert given(max_retries=2).max_retries == 2


def test_every_option_is_known_to_this_test() -> None:
    """A new option comes with its rules here."""
    assert sorted(NodeOptions.__slots__) == sorted([*OPTIONS, "max_retries", "parallel", "optional", "is_timed"])


def test_equal_options_are_one_object() -> None:
    """Thousands of nodes with the same options cost the memory of one."""
    assert given(**OPTIONS) is given(**OPTIONS)
    assert given() is given()
    assert given(timeout=None, depends_on=(), on_failure=None, max_queued=None) == given()


def test_zero_is_zero() -> None:
    """0 is a value and `None` is absence."""
    options = given(timeout=0, max_retries=0)

    assert (options.timeout, options.max_retries) == (0, 0)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"tags": "net"}, TypeError, "tags is 'net'; expected a list of strings: ['net']"),
    ({"tags": 3}, TypeError, "tags is 3; expected a list of strings"),
    ({"tags": ["net", ""]}, TypeError, "tags has '' in it; expected strings that are not empty"),
    ({"tags": [3]}, TypeError, "tags has 3 in it; expected strings that are not empty"),
    (
        {"when": 1},
        TypeError,
        "when is 1; expected a plain function that takes the node and answers at once",
    ),
    ({"parallel": 1}, TypeError, "parallel is 1; expected True or False"),
    ({"parallel": None}, TypeError, "parallel is None; expected True or False"),
    ({"max_retries": 1.5}, TypeError, "max_retries is 1.5; expected a whole number or None"),
    ({"max_retries": True}, TypeError, "max_retries is True; expected a whole number or None"),
    ({"max_retries": -1}, ValueError, "max_retries is -1; expected at least 0; None means the config's max_retries"),
    ({"max_queued": "many"}, TypeError, "max_queued is 'many'; expected a whole number or None"),
    ({"max_queued": 0}, ValueError, "max_queued is 0; expected at least 1; None means the default, 1,000"),
    ({"timeout": "5"}, TypeError, "timeout is '5'; expected a number of seconds or None"),
    ({"timeout": True}, TypeError, "timeout is True; expected a number of seconds or None"),
    (
        {"timeout": -0.5},
        ValueError,
        "timeout is -0.5; expected a finite number of seconds from 0; None means the config's default_task_timeout",
    ),
    (
        {"timeout": float("nan")},
        ValueError,
        "timeout is nan; expected a finite number of seconds from 0; None means the config's default_task_timeout",
    ),
    (
        {"timeout": float("inf")},
        ValueError,
        "timeout is inf; expected a finite number of seconds from 0; None means the config's default_task_timeout",
    ),
    ({"on_failure": "stop"}, ValueError, "on_failure is 'stop'; expected one of 'cancel', 'finish', 'continue'"),
    ({"on_failure": 3}, ValueError, "on_failure is 3; expected one of 'cancel', 'finish', 'continue'"),
    ({"depends_on": "b"}, TypeError, "depends_on is 'b'; expected a list of ids: ['b']"),
    ({"depends_on": 5}, TypeError, "depends_on is 5; expected a list of ids"),
    ({"depends_on": ["b", ["c"]]}, TypeError, "depends_on has ['c']; expected ids, which are strings"),
    ({"retry": 3}, TypeError, "retry is 3; expected Retry(on=..., attempts=...)"),
    (
        {"retry": RETRY, "max_retries": 1},
        TypeError,
        "max_retries and retry both say how often to repeat; keep one of them",
    ),
    ({"allow_failure": 1}, TypeError, "allow_failure is 1; expected True or False"),
    ({"always": "yes"}, TypeError, "always is 'yes'; expected True or False"),
    (
        {"always": True, "depends_on": ["b", optional("c")]},
        ValueError,
        "always=True runs whatever happened before, so depends_on cannot need 'b'; write optional('b')",
    ),
    ({"priority": -1}, ValueError, "priority is -1; expected at least 0; None means that of the parent"),
    ({"priority": 1.0}, TypeError, "priority is 1.0; expected a whole number or None"),
    ({"cost": 10**309}, ValueError, f"cost is {10**309}; expected a finite number from 0; None means unknown"),
    (
        {"timeout": 10**309},
        ValueError,
        (
            f"timeout is {10**309}; expected a finite number of seconds from 0; None means the config's "
            "default_task_timeout"
        ),
    ),
    (
        {"limits": [{}]},
        TypeError,
        "limits has {} in it; expected a list of limits: [Limit('api', max_concurrency=4)]",
    ),
    ({"cost": "1"}, TypeError, "cost is '1'; expected a number or None"),
    ({"cost": -1}, ValueError, "cost is -1; expected a finite number from 0; None means unknown"),
    ({"cost": float("nan")}, ValueError, "cost is nan; expected a finite number from 0; None means unknown"),
    ({"limits": API}, TypeError, f"limits is {API!r}; expected a list of limits: [Limit('api', max_concurrency=4)]"),
    (
        {"limits": ["api"]},
        TypeError,
        "limits has 'api' in it; expected a list of limits: [Limit('api', max_concurrency=4)]",
    ),
    ({"keep_done": "none"}, ValueError, "keep_done is 'none'; expected one of 'all', 'rollup'"),
    ({"max_parallel": 0}, ValueError, "max_parallel is 0; expected at least 1; None means no limit"),
]


@pytest.mark.parametrize(("options", "error", "problem"), WRONG)
def test_wrong_value_is_refused_by_name(options: dict[str, Any], error: type[Exception], problem: str) -> None:
    """Wherever an option may be said, a wrong value is refused there, naming the node, the option and the fix."""
    with pytest.raises(error, match=exactly(f"node 'a': {problem}")):
        TaskNode("a", **options)
    with pytest.raises(error, match=exactly(f"node 'a': {problem}")):
        TreeBuilder("a", **options)
    if options.get("parallel", 0) is not None:  # None takes the config's default there
        with pytest.raises(error, match=exactly(f"node 'a': {problem}")):
            TreeBuilder("root").add_child("a", **options)


def test_node_is_no_id() -> None:
    """A node in the place of its id is a frequent slip."""
    other = TaskNode("b")

    problem = "node 'a': depends_on has <TaskNode 'b' pending, 0 children>; expected ids, which are strings"
    with pytest.raises(TypeError, match=exactly(problem)):
        TaskNode("a", depends_on=[other])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("wrong", ["", None, TaskNode("b")], ids=["empty", "none", "node"])
def test_what_is_optional_is_an_id(wrong: str) -> None:
    """Of a node that may come later."""
    with pytest.raises(TypeError, match=exactly(f"optional() takes the id of a node, not {wrong!r}")):
        optional(wrong)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("backend", "is not available in this version of TreeTask"),
        ("cache", "is one of declared tasks: results are told by arguments, which a node is not given"),
    ],
)
def test_option_that_nodes_do_not_have_is_refused_by_name(option: str, why: str) -> None:
    """What they cannot have, or what is not built yet, is never accepted and ignored."""
    options: dict[str, Any] = {option: None}
    problem = exactly(f"node 'a': option '{option}' {why}")
    with pytest.raises(TypeError, match=problem):
        TaskNode("a", **options)
    with pytest.raises(TypeError, match=problem):
        TreeBuilder("root").add_node("a", **options)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("timout", "did you mean 'timeout'?"),
        ("max_retry", "did you mean 'max_retries'?"),
        ("depend_on", "did you mean 'depends_on'?"),
        (
            "xyz",
            "there are 'allow_failure', 'always', 'children', 'cost', 'data', 'depends_on', 'error', 'keep_done', …",
        ),
        ("task", "did you mean 'task_fn'?"),
    ],
)
def test_unknown_option_is_refused_with_the_closest(option: str, hint: str) -> None:
    """A slip of the pen is answered with what was meant."""
    options: dict[str, Any] = {option: 1}
    with pytest.raises(TypeError, match=exactly(f"node 'a' has no option '{option}' ({hint})")):
        TaskNode("a", **options)


def test_options_cannot_be_changed_in_place() -> None:
    """Many nodes share one object."""
    with pytest.raises(AttributeError):
        node_options("node 'a'").timeout = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


class TestOnFailure:
    def test_policies_are_strings(self) -> None:
        """A policy equals its name."""
        assert [policy.value for policy in OnFailure] == ["cancel", "finish", "continue"]
        assert given(on_failure="continue").on_failure == "continue"
        assert given(on_failure=OnFailure.CANCEL).on_failure is OnFailure.CANCEL


@pytest.mark.parametrize("version", ["2026-05", 2, 0, -1, None])
def test_version_is_kept_as_it_is_given(version: str | int | None) -> None:
    """Of a node, and of one that is built."""
    root = TreeBuilder("root", version=version).add_child("a", version=version).build().root

    assert [node.options.version for node in (root, root.children[0], TaskNode("a", version=version))] == [version] * 3


@pytest.mark.parametrize("version", [True, 1.0, ("1",)])
def test_version_of_another_type_is_refused(version: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """Only what can be written down and found again tells versions apart."""
    message = f"node 'a': version is {version!r}; expected a string or a whole number, as in version=2"
    with pytest.raises(TypeError, match=exactly(message)):
        TaskNode("a", version=version)
