"""A journal is neither half open nor half closed, whatever becomes of who waits for it; no clock runs meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio
import pytest

from tests.engine.support import forever, ok, statuses, turns
from tests.recording.ledger import Ledger
from treetask import AsyncExecutor, TaskTree, TreeBuilder
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

asyncio_alone = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Slow(Ledger):
    """One that is opened and closed when the test says so."""

    def __init__(self) -> None:
        super().__init__(answers_at_once=True)
        self.opens, self.closes = threading.Event(), threading.Event()
        self.is_being_closed = threading.Event()

    def open_journal(self, tree: TaskTree, /) -> Ledger:
        assert self.opens.wait(10)
        return super().open_journal(tree)

    def close(self) -> None:
        self.is_being_closed.set()
        assert self.closes.wait(10)
        super().close()


def one() -> TaskTree:
    """Return a tree of one task."""
    return TreeBuilder("root").add_child("a", task=ok).build()


async def until(event: threading.Event) -> None:
    """Wait for a thread."""
    deadline = time.monotonic() + 10  # of a thread, whose time is the world's
    while not event.is_set() and time.monotonic() < deadline:
        await anyio.lowlevel.checkpoint()


@asyncio_alone
async def test_native_cancel_while_the_journal_is_opened() -> None:
    """`task.cancel()`, twice: the run is cancelled in order as soon as it has a journal, which is closed."""
    tree, ledger = one(), Slow()
    task = asyncio.ensure_future(AsyncExecutor(tree, store=ledger).run())
    for _ in range(2):
        await turns()
        task.cancel()
    await turns()
    assert not task.done()
    ledger.opens.set()
    ledger.closes.set()
    await asyncio.wait([task])
    assert (task.cancelled(), ledger.is_closed) == (True, True)
    assert statuses(tree) == {"root": "cancelled", "a": "cancelled"}


@asyncio_alone
async def test_native_cancel_while_the_journal_is_closed() -> None:
    """`task.cancel()`, twice: the run returns when its journal is closed, and not before."""
    tree, ledger = one(), Slow()
    ledger.opens.set()
    task = asyncio.ensure_future(AsyncExecutor(tree, store=ledger).run())
    await until(ledger.is_being_closed)
    for _ in range(2):
        task.cancel()
        await turns()
    assert (task.done(), ledger.is_closed) == (False, False)
    ledger.closes.set()
    await asyncio.wait([task])
    assert (task.cancelled(), ledger.is_closed) == (True, True)
    assert statuses(tree) == {"root": "done", "a": "done"}


@asyncio_alone
async def test_native_cancel_while_a_journal_cannot_be_opened() -> None:
    """The task ends as cancelled."""

    class Broken(Slow):
        def open_journal(self, tree: TaskTree, /) -> Ledger:
            super().open_journal(tree)
            raise OSError("no such disk")

    ledger = Broken()
    task = asyncio.ensure_future(AsyncExecutor(one(), store=ledger).run())
    await turns()
    task.cancel()
    ledger.opens.set()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_cancelled_scope_waits_for_the_journal() -> None:
    """One that is cancelled while it is opened cancels the run once that has begun."""
    tree, ledger = TreeBuilder("root").add_child("a", task=forever).build(), Slow()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(AsyncExecutor(tree, store=ledger).run)
            await turns()
            scope.cancel()
            ledger.opens.set()
            ledger.closes.set()
    assert (scope.cancelled_caught, ledger.is_closed, tree.root.status) == (True, True, "cancelled")


async def test_clock_stands_still_while_the_journal_is_opened_and_closed(virtual_clock: VirtualClock) -> None:
    """As while a body works in a thread: no deadline around the run passes by that."""
    ledger = Slow()
    timers = [threading.Timer(0.05, ledger.opens.set), threading.Timer(0.1, ledger.closes.set)]
    for timer in timers:
        timer.start()
    with anyio.fail_after(5):
        await AsyncExecutor(one(), store=ledger).run()
    assert (ledger.is_closed, virtual_clock.now()) == (True, 0)


async def test_journal_needs_no_thread_that_bodies_hold() -> None:
    """Who has all of anyio's threads can still begin a run, and end it."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    ends = threading.Event()
    ledger = Slow()
    ledger.opens.set()
    ledger.closes.set()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, ends.wait, 10)
        await turns()
        await AsyncExecutor(one(), store=ledger).run()
        ends.set()
    assert ledger.is_closed


async def test_run_that_cannot_begin_to_record_gives_its_tree_back() -> None:
    """Its journal is closed, and another executor may run the tree."""

    class Refusing(Ledger):
        def begin(self, *_: object, **__: object) -> None:
            raise RuntimeError("can't start new thread")

    tree, ledger = one(), Refusing()
    with pytest.raises(RuntimeError, match=r"^can't start new thread$"):
        await AsyncExecutor(tree, store=ledger).run()
    assert (ledger.is_closed, tree.is_running) == (True, False)
