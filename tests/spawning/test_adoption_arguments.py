"""What a body that is repeated takes over is of the same arguments, not only of a key that reads the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath

import pytest

from tests.engine.support import turns
from tests.properties.recount import check_counters
from tests.spawning.repeated import recorded, starts
from treetask import JOIN, AsyncExecutor, Child, Registry, Return, Spawns, TaskNode, TaskTree

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

MANY = 100
"""More children than stay in the tree of a group that folds them."""

pages = Registry("pages")


@pages.task
async def show(
    node: TaskNode, one: object = "", two: object = "", three: object = "", four: object = "", *, b: object = ""
) -> str:
    """Return what was given, in words."""
    return repr([one, two, three, four, b])


def words_for(child: Child[str]) -> str:
    """Return what `show` returns for a child."""
    one, two, three, four = (*child.args, *[""] * 4)[:4]
    return repr([one, two, three, four, child.kwargs.get("b", "")])


class Colour(Enum):
    RED = 1


class Light(Enum):
    RED = 1


class Level(IntEnum):
    HIGH = 3


class Loud(str):
    """Text of another type."""

    __slots__ = ()


@dataclass(frozen=True)
class Frozen:
    rows: object


@dataclass
class Thawed:
    rows: object


class Picky:
    """Something that does not like to be compared."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("do not compare me")

    def __hash__(self) -> int:
        return 1


class Vague:
    """Something that answers a comparison by no truth value, as the columns of a table do."""

    def __eq__(self, other: object) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return "perhaps"

    def __hash__(self) -> int:
        return 1


class Bare:
    """Something without a value: it is equal to nothing but itself."""


VAGUE, BARE, ROWS = Vague(), Bare(), [1]

ALIKE = {
    "number and text": (show.child(1), show.child("1")),
    "nothing and text": (show.child(None), show.child("None")),
    "truth and text": (show.child(True), show.child("True")),
    "two enums": (show.child(Colour.RED), show.child(Light.RED)),
    "enum and text": (show.child(Level.HIGH), show.child("HIGH")),
    "path and text": (show.child(PurePosixPath("a")), show.child("a")),
    "tuple and text": (show.child(("a", "b")), show.child("(a,b)")),
    "date and text": (show.child(date(2024, 2, 29)), show.child("2024-02-29")),
    "two texts and one": (show.child("a", "b"), show.child("a,b")),
    "commas elsewhere": (show.child("a", "b,c"), show.child("a,b", "c")),
    "name and text": (show.child("a", b="c"), show.child("a", "b=c")),
    "text of another type": (show.child(Loud("a")), show.child("a")),
}
"""Children of the same key and of other arguments."""


def twice(first: Callable[[], Child[str]], second: Callable[[], Child[str]]) -> TaskTree:
    """Return a tree whose body yields the one child and fails when it is done, and yields the other one after that."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[object]:
        yield (child := second() if node.retry_count else first())
        result = await child
        if not node.retry_count:
            raise OSError("once")
        yield Return(result)

    return parent.build()


@pytest.mark.parametrize("children", ALIKE.values(), ids=ALIKE)
async def test_child_of_the_same_key_and_other_arguments_runs(children: tuple[Child[str], Child[str]]) -> None:
    """It is another child, though both read the same; it takes the place of the first."""
    first, second = children
    assert first.key == second.key
    tree = twice(first.with_options, second.with_options)
    recorder = await recorded(tree)

    assert starts(recorder) == [first.key] * 2
    assert tree.root.result == words_for(second)
    assert tree.get_stats()["total"] == 2
    check_counters(tree, tree.root)


@pytest.mark.parametrize("children", ALIKE.values(), ids=ALIKE)
async def test_folded_child_of_the_same_key_and_other_arguments_is_another_one(
    children: tuple[Child[str], Child[str]],
) -> None:
    """Its arguments are gone, but what is left of it tells them apart."""
    registry, (first, second) = Registry("r"), children

    @registry.group(max_retries=1, static=False, keep_done="rollup")
    async def parent(node: TaskNode) -> Spawns[object]:
        yield (child := second.with_options() if node.retry_count else first.with_options())
        yield [show.child(number) for number in range(MANY, 2 * MANY)]
        yield JOIN
        await turns()
        if not node.retry_count:
            raise OSError("once")
        yield Return(await child)

    tree = parent.build()
    recorder = await recorded(tree)

    assert starts(recorder).count(first.key) == 2
    assert len(starts(recorder)) == MANY + 2
    assert tree.root.result == words_for(second)


@pytest.mark.parametrize(
    "make",
    [
        show.child,
        lambda: show.child("a", 1.5, None, True, b=(Colour.RED, date(2024, 2, 29))),
        lambda: show.child(("a,b",)),
        lambda: show.child(PurePosixPath("a"), b=Level.HIGH),
    ],
)
async def test_folded_child_of_the_same_arguments_comes_back(make: Callable[[], Child[str]]) -> None:
    """By its key and the types of what it was given."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False, keep_done="rollup")
    async def parent(node: TaskNode) -> Spawns[object]:
        yield make()
        yield [show.child(number) for number in range(MANY)]
        yield JOIN
        await turns()
        if not node.retry_count:
            raise OSError("once")

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.was_folded(f"r/parent/{make().key}")
    assert len(starts(recorder)) == MANY + 1


@pytest.mark.parametrize(
    ("first", "second", "runs"),
    [
        ((1, "a"), (1, "a"), 1),
        (b"a", b"a", 1),
        (Decimal(1), Decimal(1), 1),
        (frozenset({1}), frozenset({1}), 1),
        (math.nan, math.nan, 1),
        (Frozen((1, 2)), Frozen((1, 2)), 1),
        (Frozen(1), Frozen(2), 2),
        (1, True, 2),
        ((1,), (True,), 2),
        ((1,), (1, 2), 2),
        ([1, 2], [1, 2], 2),
        (ROWS, ROWS, 2),
        ((ROWS,), (ROWS,), 2),
        (Frozen(ROWS), Frozen(ROWS), 2),
        (Thawed(1), Thawed(1), 2),
        (BARE, BARE, 2),
        (Picky(), Picky(), 2),
        (VAGUE, VAGUE, 1),
        (VAGUE, Vague(), 2),
    ],
)
async def test_key_of_ones_own_says_nothing_about_the_arguments(first: object, second: object, runs: int) -> None:
    """What can be changed, or compared by nobody, may be another thing by now, also if it is the same object."""
    tree = twice(lambda: show.child(first).keyed("it"), lambda: show.child(second).keyed("it"))
    recorder = await recorded(tree)

    assert starts(recorder) == ["show[it]"] * runs
    assert tree.get_stats()["total"] == 2
    check_counters(tree, tree.root)


async def test_child_of_a_list_that_was_changed_meanwhile_runs_again() -> None:
    """What the first attempt has done of it is not what the second asks for."""
    rows: list[int] = []

    def next_one() -> Child[str]:
        rows.append(1)
        return show.child(rows).keyed("rows")

    tree = twice(next_one, next_one)
    await AsyncExecutor(tree).run()

    assert tree.root.result == words_for(show.child([1, 1]))
