"""Named limits: who waits for a child holds none, and needs it again to go on."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.limits import ONE, limited, plain, thread_spawner
from tests.engine.support import ok
from treetask import Limit, Registry, TaskNode, TaskStatus, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock

# -- bodies that wait ------------------------------------------------------------------------------------------------


def test_body_that_waits_holds_no_limit() -> None:
    """Its child may need that very limit. It goes on when the limit is free again."""
    desk = Desk(TreeBuilder("root").add_node("body", task=ok, limits=[ONE]))
    assert desk.begin_all() == ["body"]
    desk.add(TaskNode("child", task_fn=ok, limits=[ONE]), "body", at_once=True)

    desk.suspend("body")
    assert desk.begin_all() == ["child"]
    assert not desk.want("body")
    desk.end("child")

    assert desk.granted == ["body"]


def test_body_that_goes_on_is_no_start() -> None:
    """It has started before: no rate counts it again, nor keeps it waiting."""
    rate = Limit("api", per_second=1)
    desk = Desk(TreeBuilder("root").add_node("body", task=ok, limits=[rate]))
    assert desk.begin_all(0.0) == ["body"]
    desk.add(TaskNode("child", task_fn=ok), "body", at_once=True)
    desk.add(TaskNode("limited", task_fn=ok, limits=[rate]), "body", at_once=True)

    desk.suspend("body")
    assert desk.begin_all(0.5) == ["child"]
    assert desk.want("body")
    assert desk.look_again(1.0) == ["limited"]


def test_body_that_goes_on_goes_before_those_that_begin() -> None:
    """Whoever waits for the limit, whatever its priority."""
    tree = TreeBuilder("root").add_node("body", task=ok, limits=[ONE], priority=3).up()
    desk = Desk(limited(2, ONE, tree=tree))
    for node_id in ("0", "1"):
        assert desk.begin() == node_id
        desk.end(node_id)
    assert desk.begin() == "body"
    desk.add(TaskNode("child", task_fn=ok, limits=[ONE]), "body", at_once=True)
    desk.add(TaskNode("urgent", task_fn=ok, limits=[ONE], priority=0), "root")

    desk.suspend("body")
    assert desk.begin_all() == ["urgent"]
    assert not desk.want("body")
    desk.end("urgent")
    assert (desk.granted, desk.begin_all()) == (["body"], [])
    desk.end("body")
    assert desk.begin_all() == ["child"]


def test_who_waits_to_go_on_with_a_limit_keeps_nobody_else_from_going_on() -> None:
    """The others need nothing of what it lacks."""
    tree = TreeBuilder("root").add_node("limited", task=ok, limits=[ONE]).up().add_node("free", task=ok).up()
    tree.add_child("holds", task=ok, limits=[ONE])
    desk = Desk(tree)
    assert desk.begin_all() == ["limited", "free"]
    desk.suspend("limited")
    desk.suspend("free")
    assert desk.begin_all() == ["holds"]

    assert [desk.want("limited"), desk.want("free")] == [False, True]
    desk.end("holds")
    assert desk.granted == ["free", "limited"]


def test_who_waits_to_go_on_with_a_thread_keeps_nobody_else_from_going_on() -> None:
    """One that needs no thread has its slot at once."""
    tree = TreeBuilder("root").add_node("plain", task=thread_spawner).up().add_node("async", task=ok).up()
    tree.add_child("blocks", task=plain)
    desk = Desk(tree, max_threads=1)
    assert desk.begin_all() == ["plain", "async"]
    desk.suspend("plain")
    desk.suspend("async")
    assert desk.begin_all() == ["blocks"]

    assert [desk.want("plain"), desk.want("async")] == [False, True]
    desk.end("blocks")
    assert desk.granted == ["async", "plain"]


def test_bodies_that_go_on_with_two_limits_do_not_block_each_other() -> None:
    """They take both or none."""
    other = Limit("other", max_concurrency=1)
    tree = TreeBuilder("root")
    for node_id, limits in (("a", [ONE]), ("b", [other]), ("both", [ONE, other]), ("c", [ONE])):
        tree.add_node(node_id, task=ok, limits=limits).up()
    desk = Desk(tree)
    assert desk.begin_all() == ["a", "b"]
    desk.suspend("a")
    desk.suspend("b")
    assert desk.begin_all() == ["both"]

    assert [desk.want("a"), desk.want("b")] == [False, False]
    desk.suspend("both")
    assert desk.granted == ["a", "b"]
    assert not desk.want("both")
    desk.end("a")
    assert (desk.granted, desk.begin_all()) == (["a", "b"], ["c"])
    desk.end("b")
    assert desk.granted == ["a", "b"]
    desk.end("c")
    assert desk.granted == ["a", "b", "both"]


def test_wish_that_was_taken_back_is_passed_on() -> None:
    """The next of those that want to go on has what the first one does not need any more."""
    desk = Desk(limited(3, Limit("two", max_concurrency=2)))
    assert desk.begin_all() == ["0", "1"]
    desk.suspend("0")
    desk.suspend("1")
    desk.add(TaskNode("x", task_fn=ok, limits=[Limit("two", max_concurrency=2)]), "root")
    assert desk.begin_all() == ["2", "x"]
    assert [desk.want("0"), desk.want("1")] == [False, False]

    assert desk.slots.forget_wish(desk.node("0"))
    assert not desk.slots.forget_wish(desk.node("2"))
    desk.end("2")

    assert desk.granted == ["1"]


def test_body_stopped_while_it_waits_gives_nothing_back_that_it_has_not() -> None:
    """It goes on without a slot, to clean up; the limit is as it was."""
    tree = TreeBuilder("root").add_node("body", task=ok, limits=[ONE]).up()
    desk = Desk(limited(3, ONE, tree=tree))
    assert desk.begin() == "body"
    desk.suspend("body")
    assert desk.begin_all() == ["0"]
    assert not desk.want("body")

    desk.scheduler.cancel_subtree(desk.node("body"), None, 1.0)
    assert desk.slots.forget_wish(desk.node("body"))
    desk.slots.seize(desk.slots.kind(desk.node("body")))
    desk.end("body", 1.0, TaskStatus.CANCELLED)

    assert desk.begin_all(1.0) == []
    desk.end("0")
    assert desk.begin_all() == ["1"]


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_body_that_awaits_a_child_gives_its_limit_up_and_takes_it_back(virtual_clock: VirtualClock) -> None:
    """At any depth, with one unit for all of them, and one slot."""
    registry = Registry("root")
    one = registry.limit("one", max_concurrency=1)
    running: list[str] = []
    most_at_once = 0

    def note(name: str) -> None:
        nonlocal most_at_once
        running.append(name)
        most_at_once = max(most_at_once, len(running))

    @registry.task(limits=[one])
    async def dig(node: TaskNode, depth: int, number: int) -> int:
        found = 1
        for child in range(2):
            note(node.id)
            await anyio.sleep(1)
            running.remove(node.id)
            found += await node.spawn(dig, depth - 1, child) if depth else 0
        note(node.id)
        await anyio.sleep(1)
        running.remove(node.id)
        return found

    @registry.task
    async def top(node: TaskNode) -> int:
        return await node.spawn(dig, 3, 0)

    with anyio.fail_after(1000):
        result = await registry.run(config=TreeTaskConfig(max_concurrency=1))

    assert (result.tree.root.children[0].result, most_at_once) == (15, 1)
