"""Named limits that are wrong, or where they cannot be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest

from tests.engine.desk import Desk
from tests.engine.limits import API, ONE, limited, thread_spawner
from tests.engine.support import ok
from tests.sentences import exactly
from treetask import JOIN, DefinitionError, Limit, Registry, Spawns, TaskNode, TreeBuilder


async def spawner(node: TaskNode) -> AsyncGenerator[None, None]:
    """Yield nothing."""
    yield None


@pytest.mark.parametrize(
    ("body", "what"), [(None, "has no body"), (spawner, "yields children"), (thread_spawner, "yields children")]
)
def test_limit_on_what_has_no_body_of_its_own_is_refused(body: Callable[[TaskNode], Any] | None, what: str) -> None:
    """A spawner waits for its children, who may need that very limit; a group does nothing itself."""
    tree = TreeBuilder("root").add_node("crawl", task=body, limits=[ONE, API]).add_child("page", task=ok)
    message = f"node 'crawl' {what}, so it cannot be limited by 'one', 'api'; limit its children"

    with pytest.raises(DefinitionError, match=exactly(message)):
        tree.build()


def test_limit_on_a_late_group_is_refused() -> None:
    """The same while the tree runs; the tree is as it was."""
    desk = Desk(limited(1))

    with pytest.raises(
        DefinitionError, match=exactly("node 'late' has no body, so it cannot be limited by 'api'; limit its children")
    ):
        desk.add(TaskNode("late", limits=[API]), "root")
    assert desk.tree.ids() == ["root", "0"]


def test_limit_on_a_spawned_spawner_is_refused() -> None:
    """By the options of the child, where it is yielded."""
    registry = Registry("root")

    @registry.group(static=False)
    async def pages() -> Spawns[None]:
        yield JOIN

    @registry.group
    async def crawl() -> Spawns[None]:
        with pytest.raises(DefinitionError, match="yields children, so it cannot be limited by 'api'"):
            yield pages.child().with_options(limits=[API])

    assert registry.run_sync().success


def test_two_limits_of_one_name_are_refused() -> None:
    """What limits by one name have to share cannot be two things."""
    tree = limited(1, API).add_child("other", task=ok, limits=[Limit("api", max_concurrency=2, per_second=5)])
    message = (
        "node 'other' names another limit 'api' than the nodes before it: "
        "Limit(name='api', max_concurrency=2, per_second=5), not "
        "Limit(name='api', max_concurrency=2, per_second=None); share one Limit, or give one of them another name"
    )

    with pytest.raises(DefinitionError, match=exactly(message)):
        tree.build()


def test_equal_limits_are_one() -> None:
    """Written twice, it counts once."""
    tree = limited(2, Limit("api", max_concurrency=1)).add_child("2", task=ok, limits=[Limit("api", max_concurrency=1)])

    assert Desk(tree).begin_all() == ["0"]


def test_refused_node_leaves_no_limit_behind() -> None:
    """Neither one whose own limits were right, nor those of one that has a wrong one beside it."""
    desk = Desk(limited(1, API))
    other = Limit("other", max_concurrency=1)

    for limits, depends_on in (([other], ["nobody"]), ([other, Limit("api", max_concurrency=9)], [])):
        with pytest.raises(DefinitionError):
            desk.add(TaskNode("refused", task_fn=ok, limits=limits, depends_on=depends_on), "root")
    desk.add(TaskNode("late", task_fn=ok, limits=[Limit("other", max_concurrency=5)]), "root")

    assert desk.one_by_one() == ["0", "late"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Limit(""), TypeError, "a limit's name is ''; expected a string that is not empty"),
        (lambda: Limit(cast("str", 3)), TypeError, "a limit's name is 3; expected a string that is not empty"),
        (lambda: Limit("a"), ValueError, "limit 'a' limits nothing; give it max_concurrency=, per_second= or both"),
        (
            lambda: Limit("a", max_concurrency=0),
            ValueError,
            "limit 'a': max_concurrency is 0; expected at least 1; None means no limit",
        ),
        (
            lambda: Limit("a", per_second=float("inf")),
            ValueError,
            "limit 'a': per_second is inf; expected a finite number over 0; None means no limit",
        ),
        (
            lambda: Limit("a", per_second=True),
            TypeError,
            "limit 'a': per_second is True; expected a number of starts or None",
        ),
    ],
)
def test_limit_of_wrong_values_is_refused(make: Callable[[], Limit], error: type[Exception], message: str) -> None:
    """Where it is made, by name."""
    with pytest.raises(error, match=exactly(message)):
        make()
