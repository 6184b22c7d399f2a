"""What all errors have in common, and the sentences of those that need no other part of the package."""

from __future__ import annotations

import inspect

import pytest

import treetask
from tests.sentences import exactly
from treetask import DefinitionError, FinishedParentError, InternalError, StatusError, TreeRunningError, TreeTaskError
from treetask._errors import LeakedScopeError, did_you_mean

ERRORS = [
    value
    for name in treetask.__all__
    if name != "__version__"
    for value in [getattr(treetask, name)]
    if inspect.isclass(value) and issubclass(value, BaseException)
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_ours(error: type[BaseException]) -> None:
    """One `except TreeTaskError` catches whatever TreeTask itself raises; each class says what it stands for."""
    assert issubclass(error, TreeTaskError)
    assert error.__doc__


def test_kinds_of_errors() -> None:
    """What is found before a run can be caught apart from what happens in one."""
    early = {error.__name__ for error in ERRORS if issubclass(error, DefinitionError)}

    assert {"DuplicateNodeError", "NodeOwnedError", "UnknownDependencyError", "DependencyCycleError"} <= early
    assert early.isdisjoint({"StatusError", "TreeRunningError", "FinishedParentError", "InternalError", "TreeFailed"})


def test_child_of_a_finished_parent() -> None:
    """The message names both, how the parent ended, and the fix."""
    error = FinishedParentError("crawl", "done", "late")

    assert str(error) == (
        "node 'late' cannot be added: its parent 'crawl' is already done; "
        "add it before the parent ends, or to a node that still runs"
    )
    assert (error.parent_id, error.child_id) == ("crawl", "late")


def test_leaked_scope() -> None:
    """The message names the body and shows what to close."""
    error = LeakedScopeError("fetch")

    assert str(error) == (
        "the body of 'fetch' left a cancel scope open or cancelled its own task; close what it opens (`async with "
        "aclosing(generator)`, `with move_on_after(...)` inside one function) and cancel a scope instead"
    )
    assert error.node_id == "fetch"


@pytest.mark.parametrize("error", [InternalError, TreeRunningError])
def test_plain_errors_say_what_they_are_told(error: type[TreeTaskError]) -> None:
    """Their sentence is made where they are raised."""
    with pytest.raises(TreeTaskError, match=exactly("it is so")):
        raise error("it is so")


def test_refused_status_keeps_what_it_was_about() -> None:
    """Node, old and new status can be read by a program."""
    error = StatusError("a", "done", "working", "there is no such change")

    assert str(error) == "node 'a' cannot go from done to working: there is no such change"
    assert (error.node_id, error.old, error.new) == ("a", "done", "working")


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("fetsh", ["load", "fetch"], " (did you mean 'fetch'?)"),
        ("zzz", ["load", "fetch"], " (there are 'load', 'fetch')"),
        ("zzz", [], " (there are none)"),
        ("zzz", list("abcdefgh"), " (there are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')"),
        ("zzz", list("abcdefghi"), " (there are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', …)"),
    ],
)
def test_closest_name_is_offered(word: str, known: list[str], said: str) -> None:
    """What was meant, else what there is, cut where a list would bury it."""
    assert did_you_mean(word, iter(known)) == said
