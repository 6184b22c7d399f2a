"""Ends count when they are on record, and not before: what a journal is asked for, and what waits for it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from tests.engine.support import (
    AsyncBody,
    Log,
    ended,
    fail,
    fails_times,
    forever,
    node_of,
    ok,
    reasons,
    statuses,
    turns,
)
from tests.recording.ledger import Ledger
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    FinishedParentError,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class Recorded:
    """A run whose ends are answered by hand."""

    def __init__(self, tree: TaskTree, ledger: Ledger | None = None, config: TreeTaskConfig | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self.tree = tree
        self.executor = AsyncExecutor(tree, store=self.ledger, config=config)
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            await self.executor.run()
        except (TreeFailed, TreeCancelled, OSError) as error:
            self.error = error

    async def until_asked(self, *ids: str) -> None:
        """Wait until the ledger was asked for the ends of these nodes, and of no others."""
        deadline = time.monotonic() + 10  # a thread opens the journal, whose time is the world's
        while sorted(node.id for node, _ in self.ledger.asked) != sorted(ids) and time.monotonic() < deadline:
            await anyio.lowlevel.checkpoint()
        await turns()
        assert sorted(node.id for node, _ in self.ledger.asked) == sorted(ids)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run it; an answer that the test still owes at the end is given at once."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.run)
            try:
                yield
            finally:
                self.ledger.answers_at_once = True
                self.ledger.answer()


async def test_dependents_start_when_an_end_is_on_record() -> None:
    """Until then the node is at work, and who depends on it waits."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=log.body(), depends_on=["a"]).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a")
        assert (statuses(tree), log) == ({"root": "working", "a": "working", "b": "pending"}, [])
        run.ledger.answer()
        await run.until_asked("b")
        assert (statuses(tree)["a"], log) == ("done", ["b begins", "b ends"])
        assert not run.ledger.is_closed
        run.ledger.answer()
    assert (statuses(tree), run.error) == ({"root": "done", "a": "done", "b": "done"}, None)
    assert run.ledger.is_closed


async def test_end_on_record_holds_no_slot() -> None:
    """Others begin while an end is being written."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=log.body()).build()
    run = Recorded(tree, config=TreeTaskConfig(max_concurrency=1))
    async with run.running():
        await run.until_asked("a", "b")
        assert log == ["b begins", "b ends"]
        run.ledger.answer()
    assert run.error is None


async def test_next_in_a_sequence_waits_for_the_record() -> None:
    """So does what stands behind it in line."""
    log = Log()
    tree = TreeBuilder("root", parallel=False).add_child("a", task=ok).add_child("b", task=log.body()).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a")
        assert log == []
        run.ledger.answer()
        await run.until_asked("b")
        run.ledger.answer()
    assert log == ["b begins", "b ends"]


async def test_bad_end_is_on_record_before_anybody_hears_of_it() -> None:
    """A failure stops nobody, and lets nobody go on, until it is on record."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_child("a", task=fail)
        .add_child("b", task=forever)
        .add_child("c", task=log.body(), depends_on=[optional("a")], allow_failure=True)
        .build()
    )
    run = Recorded(tree, config=TreeTaskConfig(max_retries=0, on_failure="continue"))
    async with run.running():
        await run.until_asked("a")
        assert (statuses(tree)["a"], log) == ("working", [])
        run.ledger.answer()
        await run.until_asked("c")
        run.executor.cancel()
        run.ledger.answer()
        await run.until_asked("b")
        run.ledger.answer()
    assert statuses(tree) == {"root": "cancelled", "a": "failed", "b": "cancelled", "c": "done"}


async def test_parent_with_a_body_is_recorded_after_its_children() -> None:
    """Its end is the end of its subtree; a group without a body is recorded by its children."""
    tree = TreeBuilder("root", task_fn=ok).add_node("group").add_child("a", task=ok).add_child("b", task=ok).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a", "b")
        run.ledger.answer("b")
        await run.until_asked("a")
        assert statuses(tree)["group"] == "working"
        run.ledger.answer()
        await run.until_asked("root")
        assert statuses(tree) == {"root": "working", "group": "done", "a": "done", "b": "done"}
        run.ledger.answer()
    assert run.ledger.recorded == ["b", "a", "root"]
    assert run.error is None


async def test_spawner_gets_a_result_that_is_on_record() -> None:
    """`await child` and JOIN wait for the record as well."""
    tree = Registry("t")
    seen: list[object] = []

    @tree.task
    async def page(n: int) -> int:
        return n

    @tree.group
    async def crawl() -> Spawns[None]:
        yield (one := page.child(1))
        seen.append(await one)
        yield page.child(2)
        seen.append((yield JOIN))

    run = Recorded(tree.build())
    async with run.running():
        await run.until_asked("t/crawl/page[1]")
        assert seen == []
        run.ledger.answer()
        await run.until_asked("t/crawl/page[2]")
        assert seen == [1]
        run.ledger.answer()
        await run.until_asked("t/crawl")
        run.ledger.answer()
    assert (seen, run.error) == ([1, [1, 2]], None)


async def test_attempt_that_is_repeated_asks_for_nothing() -> None:
    """Only the last attempt has an end that counts."""
    tree = TreeBuilder("root").add_child("a", task=fails_times(2), max_retries=2).build()
    run = Recorded(tree, Ledger(answers_at_once=True))
    await run.run()
    assert (run.error, run.ledger.recorded) == (None, ["a"])
    assert run.ledger.changes == [
        "root working",
        *("a working", "a retrying", "a working", "a retrying", "a working", "a done"),
        "root done",
    ]


async def test_cancel_meets_an_end_that_is_being_recorded() -> None:
    """What was done stays done: its body is over, and the record is on its way."""
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=forever).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a")
        run.executor.cancel("enough")
        await run.until_asked("a", "b")
        node_of(tree, "a").cancel()
        run.executor.hurry()
        await turns()
        run.ledger.answer()
    assert isinstance(run.error, TreeCancelled)
    assert statuses(tree) == {"root": "cancelled", "a": "done", "b": "cancelled"}


async def test_time_is_up_while_an_end_is_being_recorded(virtual_clock: VirtualClock) -> None:
    """That end came in time: it stands, for a body alone as for a group, and nothing ends twice."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", task=ok, timeout=5)
        .add_child("a", task=ok, timeout=5)
        .build()
    )
    run = Recorded(tree)
    async with run.running():
        for name in ("a", "group"):
            await run.until_asked(name)
            virtual_clock.advance(10 if name == "group" else 1)
            await turns()
            run.ledger.answer()
    assert (statuses(tree), run.error) == ({"root": "done", "group": "done", "a": "done"}, None)


async def test_child_comes_too_late_for_an_end_that_is_being_recorded() -> None:
    """It is refused, as by one that has ended."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a")
        with pytest.raises(FinishedParentError, match=r"^node 'b' cannot be added: its parent 'a' is already done;"):
            node_of(tree, "a").add_child(TaskNode("b", task_fn=ok))
        run.ledger.answer()
    assert statuses(tree) == {"root": "done", "a": "done"}


async def test_nothing_starts_that_a_failure_is_about_to_stop() -> None:
    """Neither beside it nor elsewhere; where nothing will be stopped, others go on."""
    for policy, starts in (("cancel", []), ("finish", []), ("continue", ["b begins", "b ends"])):
        log = Log()
        config = TreeTaskConfig(max_concurrency=1, max_retries=0, on_failure=policy)
        tree = TreeBuilder("root").add_child("a", task=fail).add_child("b", task=log.body()).build()
        run = Recorded(tree, config=config)
        async with run.running():
            await run.until_asked(*("a", "b") if starts else "a")
            assert log == starts
            run.ledger.answer()
        assert log == starts
        assert statuses(tree)["a"] == "failed"


async def test_full_journal_holds_starts_back() -> None:
    """Bodies wait while too much is to be written, and say for what; then they go on."""
    log = Log()
    tree = TreeBuilder("root")
    for name in "abc":
        tree.add_child(name, task=log.body())
    run = Recorded(tree.build(), Ledger(capacity=1), TreeTaskConfig(max_concurrency=1))
    async with run.running():
        await run.until_asked("a")
        assert log == ["a begins", "a ends"]
        assert reasons(run.tree) == {"b": "waits for the journal", "c": "waits for the journal"}
        run.ledger.answer()
        await run.until_asked("b")
        run.ledger.answer()
        await run.until_asked("c")
        run.ledger.answer()
    assert run.error is None


async def test_journal_that_stays_full_holds_nothing_back_for_ever() -> None:
    """What fills it may need no answer: when none is owed any more, nobody would let bodies begin."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=log.body()).build()
    run = Recorded(tree, Ledger(capacity=0), TreeTaskConfig(max_concurrency=1))
    async with run.running():
        await run.until_asked("a")
        assert log == []
        run.ledger.answer()
        await run.until_asked("b")
        assert log == ["b begins", "b ends"]
        run.ledger.answer()
    assert run.error is None


async def test_more_ends_than_are_told_in_one_turn() -> None:
    """All of them count, the later ones in later turns."""
    ids = [f"n{number}" for number in range(2500)]
    builder = TreeBuilder("root")
    for name in ids:
        builder.add_child(name, task=ok)
    run = Recorded(builder.build(), Ledger(capacity=10_000))
    async with anyio.create_task_group() as group:
        group.start_soon(run.run)
        await run.until_asked(*ids)
        run.ledger.answer(*ids[:1500])
        run.ledger.answer()
    assert (run.error, set(statuses(run.tree).values())) == (None, {"done"})


async def test_journal_that_fails_ends_the_run_with_its_error() -> None:
    """What is not on record was not done, and what still runs is cancelled."""
    tree = (
        TreeBuilder("root", parallel=True)
        .add_child("a", task=ok)
        .add_child("b", task=ok)
        .add_child("c", task=forever)
        .add_child("d", task=ok, depends_on=["b"])
        .build()
    )
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a", "b")
        run.ledger.answer("a")
        await turns()
        run.ledger.fail(OSError("disk full"))
    assert isinstance(run.error, OSError)
    assert statuses(tree) == {"root": "cancelled", "a": "done", "b": "cancelled", "c": "cancelled", "d": "skipped"}
    assert reasons(tree)["b"] == "not on record: disk full"
    assert run.ledger.is_closed


async def test_answer_that_came_before_the_failure_counts() -> None:
    """Though the run had not been told of it yet."""
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=ok).build()
    run = Recorded(tree)
    async with run.running():
        await run.until_asked("a", "b")
        run.ledger.answer("a")
        run.ledger.fail(OSError("disk full"))
    assert statuses(tree) == {"root": "cancelled", "a": "done", "b": "cancelled"}


async def test_what_is_on_record_does_not_run_again() -> None:
    """Static nodes and spawned ones come in as they were, with their results."""
    tree = Registry("t")
    ran: list[str] = []

    @tree.task
    async def first() -> str:
        ran.append("first")
        return "new"

    @tree.task
    async def page(n: int) -> str:
        ran.append(f"page {n}")
        return f"new {n}"

    @tree.group
    async def crawl(start: str = first.output) -> Spawns[list[str]]:
        pages: list[Child[str]] = [page.child(n) for n in range(3)]
        yield pages
        results = [await each for each in pages]
        yield JOIN
        ran.append(f"{start}: {results}")

    ledger = Ledger(answers_at_once=True)
    ledger.known = {"t/first": "old", "t/crawl/page[1]": "old 1"}
    result = await tree.run(store=ledger)
    assert ran == ["page 0", "page 2", "old: ['new 0', 'old 1', 'new 2']"]
    assert result.success


async def test_spawned_children_on_record_do_in_a_sequence_and_by_add_child() -> None:
    """Whatever way they come in."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("a", task_fn=log.body()))
        node.add_child(TaskNode("b", task_fn=log.body()))

    async def pages(node: TaskNode) -> AsyncGenerator[Child[None], None]:
        yield page.child(1)
        yield page.child(2)

    tree = Registry("t", parallel=False)

    @tree.task
    async def page(n: int) -> None:
        log.append(f"page {n}")

    tree.group(parallel=False, id="pages")(pages)
    tree.task(id="add")(add)
    ledger = Ledger(answers_at_once=True)
    ledger.known = {"t/pages/page[1]": None, "a": None}
    result = await tree.run(store=ledger)
    assert (log, result.success) == (["page 2", "b begins", "b ends"], True)


async def test_many_children_on_record_let_others_have_their_turns() -> None:
    """And are folded where that is said: the loop does not stand still for them, nor does memory grow."""
    tree = Registry("t")
    turns_taken, is_through = 0, False

    @tree.task
    async def watch() -> None:
        nonlocal turns_taken
        while not is_through:
            await anyio.lowlevel.checkpoint()
            turns_taken += 1

    @tree.task(static=False)
    async def page(n: int) -> None:
        raise AssertionError(f"page {n} is on record")

    async def pages(node: TaskNode) -> Spawns[None]:
        nonlocal is_through
        most = 0
        for n in range(3000):
            yield page.child(n)
            most = max(most, len(node.children))
        is_through = True
        assert (turns_taken > 10, most < 2500) == (True, True)

    tree.group(keep_done="rollup", id="pages")(pages)
    ledger = Ledger(answers_at_once=True)
    ledger.known = {f"t/pages/page[{n}]": None for n in range(3000)}
    assert (await tree.run(store=ledger)).success


async def test_run_without_a_store_asks_nobody() -> None:
    """Nothing is recorded unless asked for."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    assert await ended(tree) is None


async def test_what_is_no_store_is_refused() -> None:
    """Before anything runs, with what was expected."""
    with pytest.raises(
        TypeError, match=r"^AsyncExecutor: store is 3; expected a path, a URL or a treetask.store.Store$"
    ):
        AsyncExecutor(TreeBuilder("root").build(), store=cast("Any", 3))
    tree = Registry("t")
    with pytest.raises(TypeError, match=r"^registry 't': run\(\): store is 3; expected a path, a URL or a treetask"):
        await tree.run(store=cast("Any", 3))
    with pytest.raises(TypeError, match=r"^registry 't': build\(\) runs nothing, so there is nothing to store"):
        tree.build(store="x")


async def test_retried_group_records_each_end_of_its_children() -> None:
    """A second attempt asks again for what has run again, and for that alone."""
    tree = (
        TreeBuilder("root")
        .add_node("group", retry=Retry(on=Exception, attempts=2, wait_initial=0, wait_jitter=0))
        .add_child("a", task=ok)
        .add_child("b", task=_fails_once(), max_retries=0)
        .build()
    )
    run = Recorded(tree, Ledger(answers_at_once=True))
    await run.run()
    assert (run.error, run.ledger.recorded) == (None, ["a", "b", "b"])


def _fails_once() -> AsyncBody:
    calls: list[int] = []

    async def body(node: TaskNode) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("once")

    return body
