"""Results that later runs take over, by what they were made of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sentences import exactly
from treetask import Registry, Secret, TaskNode
from treetask.store import Store
from treetask.store._cache import CacheKeyError, Kept, inputs_digest, keep, lookup


def digest(task: Any, *args: object, **kwargs: object) -> tuple[str, str] | None:  # noqa: ANN401 - of any parameters
    """What tells the inputs of a child with these arguments."""
    return inputs_digest(task.make_node(task.child(*args, **kwargs).keyed("k"), "k"))


def declared(**options: Any) -> Any:  # noqa: ANN401 - a task of any parameters
    """A task that is declared with these options."""

    @Registry("t").task(**options)
    async def fetch(node: TaskNode, url: object, depth: object = 1) -> str:
        return ""

    return fetch


def first(url: list[object]) -> object:
    """A key of one argument."""
    return url[0]


def names(**all_of_them: object) -> list[str]:
    """A key that takes whatever there is."""
    return sorted(all_of_them)


def test_inputs_are_told_by_name() -> None:
    """However they were given; other ones, other types and other versions are told apart."""
    fetch = declared(cache="inputs")

    assert digest(fetch, "u") == digest(fetch, url="u") == digest(fetch, "u", 1) == digest(fetch, depth=1, url="u")
    given = [("u", 1), ("u", 2), ("u", True), ("u", "1"), (["u"], 1), (("u",), 1)]
    others = [declared(cache="inputs", version=1), declared(cache="inputs", version="1")]
    found = [*(digest(fetch, *each) for each in given), *(digest(each, "u") for each in others)]
    assert len({each and each[1] for each in found}) == len(found)
    assert {each and each[0] for each in found} == {"t/fetch"}


def test_inputs_that_cannot_be_told_have_no_digest() -> None:
    """Nor have those of a task that keeps nothing, and of a node that was built directly."""
    fetch = declared(cache="inputs")

    assert digest(fetch, Secret("u")) is None
    assert digest(fetch, "u", object()) is None
    assert digest(declared(), "u") is None
    assert inputs_digest(TaskNode("a")) is None


def test_key_of_ones_own_leaves_out_what_does_not_matter() -> None:
    """It takes those of the arguments that it names."""
    fetch = declared(cache=first)

    assert digest(fetch, ["u", 1], Secret("a")) == digest(fetch, ["u", 2], object())
    assert digest(fetch, ["u"]) != digest(fetch, ["v"])
    assert digest(declared(cache=names), "u") is not None


def test_key_that_raises_is_told() -> None:
    """With the node, and the error as the cause."""
    fetch = declared(cache=first)

    with pytest.raises(CacheKeyError, match=exactly("the cache key of 'k' could not be made: list index out of range")):
        digest(fetch, [])


def test_digest_is_what_it_has_always_been() -> None:
    """Stores of earlier versions are read: what is in them must be found again."""
    assert digest(declared(cache="inputs", version=2), "u", (1, None)) == (
        "t/fetch",
        "2c09d5dd92b5a78aafe5c3c945334c18",
    )


def test_result_is_kept_until_a_later_one(store: Store) -> None:
    """By declaration and digest; the last one counts."""
    with store.transaction() as connection:
        assert lookup(connection, "t/fetch", "d") is None
        keep(connection, [Kept("t/fetch", "d", b"1", 1.0), Kept("t/fetch", "e", b"", 1.0), Kept("t/x", "d", b"2", 1.0)])
        keep(connection, [Kept("t/fetch", "d", b"\0\xff", 2.0)])

    with store.reading() as connection:
        found = [lookup(connection, *each) for each in (("t/fetch", "d"), ("t/fetch", "e"), ("t/x", "d"), ("t/x", "e"))]
    assert found == [b"\0\xff", b"", b"2", None]
