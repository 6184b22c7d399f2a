"""Results that later runs take over: for the same inputs and version, and never without a store."""

from __future__ import annotations

import pytest

from tests.engine.support import ended
from treetask import AsyncExecutor, Registry, Spawns
from treetask.store import Store

pytestmark = pytest.mark.anyio


class Library:
    """A pipeline that is declared anew for each run; notes which bodies ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.words = "a b"
        self.version = 1
        self.is_broken = False

    def declared(self) -> Registry:
        """Declare it anew."""
        tree = Registry("t")

        @tree.resource
        async def session():  # type: ignore[no-untyped-def]  # noqa: ANN202 - as users write
            self.ran.append("open")
            yield "session"

        @tree.task
        async def text() -> str:
            return self.words

        @tree.task(cache="inputs", version=self.version)
        async def split(text: str = text.output, session: str = session.output) -> list[str]:
            self.ran.append("split")
            return text.split()

        @tree.task(cache="inputs")
        def count(words: list[str] = split.output) -> int:
            self.ran.append("count")
            if self.is_broken:
                raise OSError("broken")
            return len(words)

        @tree.task(cache="inputs")
        async def shout(word: str, *, twice: bool = False) -> str:
            self.ran.append(f"shout {word}")
            return word.upper() * (1 + twice)

        @tree.group
        async def shouts(words: list[str] = split.output) -> Spawns[list[str]]:
            yield (children := [shout.child(word) for word in words])
            self.ran.append(" ".join([await child for child in children]))

        return tree

    async def run(self, store: Store | None) -> list[str]:
        """Run it; return which bodies ran."""
        self.ran = []
        await self.declared().run(store=store)
        return sorted(self.ran)


EVERYTHING = ["A B", "count", "open", "shout a", "shout b", "split"]


async def test_same_inputs_are_not_worked_on_twice(store: Store) -> None:
    """Of async bodies, of those in threads and of spawned ones; what they would have taken is not even opened."""
    library = Library()
    assert await library.run(store) == EVERYTHING
    assert await library.run(store) == ["A B"]


async def test_other_inputs_are_worked_on(store: Store) -> None:
    """Each result by its own inputs, and the earlier ones are still there."""
    library = Library()
    await library.run(store)
    library.words = "a c"
    assert await library.run(store) == ["A C", "count", "open", "shout c", "split"]
    library.words = "a b"
    assert await library.run(store) == ["A B"]


async def test_other_version_is_another_body(store: Store) -> None:
    """Its results are its own."""
    library = Library()
    await library.run(store)
    library.version = 2
    assert await library.run(store) == ["A B", "open", "split"]


async def test_without_a_store_nothing_is_kept() -> None:
    """Every run does all of it."""
    library = Library()
    for _ in range(2):
        assert await library.run(None) == EVERYTHING


async def test_failure_is_not_kept(store: Store) -> None:
    """The next run tries again."""
    library = Library()
    library.is_broken = True
    await ended(AsyncExecutor(library.declared().build(), store=store))
    library.is_broken = False
    assert "count" in await library.run(store)
    assert "count" not in await library.run(store)


async def test_body_that_stands_in_is_called(store: Store) -> None:
    """And what it returns is kept for nobody."""
    tree = Registry("t")
    ran: list[str] = []

    @tree.task(cache="inputs")
    async def one() -> int:
        ran.append("one")
        return 1

    async def fake() -> int:
        ran.append("fake")
        return 2

    with one.override(fake):
        await tree.run(store=store)
    await tree.run(store=store)
    with one.override(fake):
        assert (await tree.run(store=store))[one] == 2
    assert (await tree.run(store=store))[one] == 1
    assert ran == ["fake", "one", "fake"]


async def test_key_that_cannot_be_made_fails_the_task(store: Store) -> None:
    """By name, before its body is called."""
    tree = Registry("t")

    def key(n: int) -> int:
        raise ValueError("no key")

    @tree.task(cache=key)
    async def one(n: int = 1) -> int:
        raise AssertionError

    built = tree.build()
    await ended(AsyncExecutor(built, store=store))
    assert one.nodes_in(built)[0].error == "the cache key of 't/one' could not be made: no key"
