"""How resources end: closed after the last node, whatever happened; or before their time, which fails the run."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator

import anyio
import pytest

from tests.engine.support import Log, cancelled_after, ended, statuses
from tests.resources.resources import noted, told_of
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    Outcome,
    Registry,
    ResourceError,
    RunTimeoutError,
    TaskNode,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.testing import VirtualClock

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


# -- ends of runs -----------------------------------------------------------------------------------------------------


async def test_are_closed_when_a_body_fails() -> None:
    """In their own time."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=100))

    @tree.task
    async def use(conn: str = session.output) -> None:
        raise OSError("down")

    assert told_of(await ended(tree.build())) == ["down"]
    assert log[-2:] == ["session closes", "session is closed"]


async def test_are_closed_after_the_clean_ups_of_a_cancelled_run(virtual_clock: VirtualClock) -> None:
    """Bodies first; closing is shielded from the cancel."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=4))

    @tree.task
    async def use(node: TaskNode, conn: str = session.output) -> None:
        await log.body(10)(node)

    assert isinstance(await cancelled_after(1, tree.build()), TreeCancelled)
    assert log[-3:] == ["t/use is cancelled", "session closes", "session is closed"]
    assert virtual_clock.now() == 5


async def test_closing_after_a_cancel_is_bounded_by_the_grace(
    virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """For all of them together, and told by name."""
    log, tree = Log(), Registry("t")
    first = tree.resource(noted(log, "first", closing=1))
    second = tree.resource(noted(log, "second", closing=100))

    @tree.task
    async def use(one: str = first.output, two: str = second.output) -> None:
        await anyio.sleep_forever()

    executor = AsyncExecutor(tree.build(TreeTaskConfig(grace=3)))
    assert isinstance(await cancelled_after(1, executor), TreeCancelled)
    assert log[-2:] == ["second closes", "first closes"]
    assert virtual_clock.now() == 4
    assert [each.getMessage() for each in caplog.records] == [
        f"{second._given} was not closed within the grace of 3 s",
        f"{first._given} was not closed within the grace of 3 s",
    ]


async def test_closing_that_swallows_its_cancellation_is_named_and_waited_for(
    virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As a body that does so."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        yield ""
        with anyio.CancelScope(shield=True):
            await anyio.sleep(20)

    @tree.task
    async def use(conn: str = session.output) -> None:
        await anyio.sleep_forever()

    assert isinstance(await cancelled_after(1, tree.build()), TreeCancelled)
    assert virtual_clock.now() == 21
    assert [each.getMessage() for each in caplog.records] == [
        f"still waiting for {session._given}, which did not end when cancelled"
    ]


async def test_hurry_skips_the_grace(virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    """The second Ctrl-C; what it has cut short says so."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=4))

    @tree.task
    async def use(conn: str = session.output) -> None:
        await anyio.sleep_forever()

    await cancelled_after(1, tree.build(), hurried_after=1)

    assert log[-1] == "session closes"
    assert virtual_clock.now() == 2
    assert [each.getMessage() for each in caplog.records] == [
        f"{session._given} was not closed before the run was hurried"
    ]


async def test_cancel_while_they_are_closed(virtual_clock: VirtualClock) -> None:
    """All nodes are done, but the run is not green: a closing was cut off."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=100))

    @tree.task
    async def use(conn: str = session.output) -> None:
        log.append("used")

    built = tree.build()
    failure = await cancelled_after(1, built)

    assert told_of(failure) == [f"{session._given} was not closed within the grace of 5.0 s"]
    assert statuses(built) == {"t": "done", "t/use": "done"}
    assert virtual_clock.now() == 6


async def test_caller_that_is_cancelled_while_they_are_closed() -> None:
    """They are closed all the same, and the cancellation is raised."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=3))

    @tree.task
    async def use(conn: str = session.output) -> None:
        log.append("used")

    with anyio.move_on_after(1) as scope:
        await tree.run()

    assert scope.cancelled_caught
    assert log[-1] == "session is closed"


async def test_timeout_of_the_run_counts_their_closing() -> None:
    """It is then bounded by the grace."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=100))

    @tree.task
    async def use(conn: str = session.output) -> None:
        log.append("used")

    failure = await ended(tree.build(TreeTaskConfig(global_timeout=2)))

    assert told_of(failure) == ["'t' timed out after 2 s", f"{session._given} was not closed within the grace of 5.0 s"]
    assert isinstance(failure, TreeFailed)
    assert isinstance(failure.exceptions[0], RunTimeoutError)


# -- closing badly, and ending early ----------------------------------------------------------------------------------


async def test_closing_that_raises_fails_the_run_and_all_others_are_closed() -> None:
    """Though every node is done."""
    log, tree = Log(), Registry("t")
    first = tree.resource(noted(log, "first"))

    @tree.resource
    async def second() -> AsyncGenerator[str, None]:
        yield "second"
        raise OSError("cannot flush")

    @tree.task
    async def use(one: str = first.output, two: str = second.output) -> None:
        log.append("used")

    built = tree.build()
    failure = await ended(built)

    assert told_of(failure) == [f"{second._given} raised when it was closed: OSError: cannot flush"]
    assert isinstance(failure, TreeFailed)
    assert isinstance(failure.exceptions[0], ResourceError)
    assert isinstance(failure.exceptions[0].__cause__, OSError)
    assert log[-1] == "first is closed"
    assert statuses(built) == {"t": "done", "t/use": "done"}


async def test_closing_that_raises_beside_a_failure() -> None:
    """Both are told."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        yield ""
        raise OSError("cannot flush")

    @tree.task
    async def use(conn: str = session.output) -> None:
        raise ValueError("wrong")

    assert told_of(await ended(tree.build())) == [
        "wrong",
        f"{session._given} raised when it was closed: OSError: cannot flush",
    ]


async def test_closing_that_raises_after_a_cancel_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the caller gets is that it was cancelled."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        yield ""
        raise OSError("cannot flush")

    @tree.task
    async def use(conn: str = session.output) -> None:
        await anyio.sleep_forever()

    assert isinstance(await cancelled_after(1, tree.build()), TreeCancelled)
    (record,) = caplog.records
    assert record.getMessage() == f"{session._given} raised when it was closed: OSError: cannot flush"
    assert record.levelno == logging.ERROR


async def test_that_yields_twice_is_refused_by_name() -> None:
    """And what it would do after that is not done."""
    tree, log = Registry("t"), Log()

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        try:
            yield "once"
            yield "twice"
            log.append("goes on")
        finally:
            log.append("is closed")

    @tree.task
    async def use(conn: str = session.output) -> None:
        log.append(conn)

    assert told_of(await ended(tree.build())) == [
        f"{session._given} yielded a second time; it has to yield its value once, and to close it after that"
    ]
    assert log == ["once", "is closed"]


async def test_task_group_that_crashes_while_it_is_open_fails_the_run() -> None:
    """With what it raised; bodies are cancelled, and who asks later is refused."""
    tree, log = Registry("t"), Log()

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        async def watch() -> None:
            await anyio.sleep(2)
            raise ConnectionError("lost")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            yield "open"

    @tree.task
    async def use(node: TaskNode, conn: str = session.output) -> None:
        await log.body(100)(node)

    @tree.task(always=True)
    async def tidy(conn: str = session.output) -> None:
        raise AssertionError(conn)

    built = tree.build()
    failure = await ended(built)

    name = str(session._given)
    assert isinstance(failure, TreeFailed)
    assert told_of(failure) == [
        f"{name} is there no more: it ended while it was in use",
        f"{name} raised while it was in use: ConnectionError: lost",
    ]
    assert isinstance(failure.exceptions[1].__cause__, ExceptionGroup)
    assert log == ["t/use begins", "t/use is cancelled"]
    assert statuses(built) == {"t": "cancelled", "t/use": "cancelled", "t/tidy": "failed"}


async def test_crash_for_many_reasons_names_some() -> None:
    """The errors themselves, not the groups around them."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        yield "open"
        errors = [OSError(f"disk {number}") for number in range(3)]
        raise ExceptionGroup("all", [ValueError("wrong"), ExceptionGroup("disks", errors)])

    @tree.task
    async def use(conn: str = session.output) -> str:
        return conn

    told = "ValueError: wrong; OSError: disk 0; OSError: disk 1 and 1 more"
    assert told_of(await ended(tree.build())) == [f"{session._given} raised when it was closed: {told}"]


async def test_crash_of_one_that_bodies_alone_use() -> None:
    """The root is cancelled, but the run has failed."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        with anyio.move_on_after(2):
            yield "open"

    @tree.task
    async def use(conn: str = session.output) -> None:
        await anyio.sleep(100)

    built = tree.build()
    problem = "ended while it was in use; a scope or a task group around its `yield` was cancelled"
    assert told_of(await ended(built)) == [f"{session._given} {problem}"]
    assert built.root.reason == f"{session._given} {problem}"
    assert statuses(built) == {"t": "cancelled", "t/use": "cancelled"}


async def test_scope_that_is_left_open() -> None:
    """Refused by name, as in a body."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        anyio.CancelScope().__enter__()
        yield "open"

    @tree.task
    async def use(conn: str = session.output) -> str:
        return conn

    assert told_of(await ended(tree.build())) == [
        f"{session._given} left a cancel scope open, or cancelled its own task; close what it opens"
    ]


@pytest.mark.parametrize("when", ["opening", "closing"])
async def test_error_that_is_no_exception_ends_the_run_in_order(when: str) -> None:
    """What runs is cancelled, what always runs does so, and it is raised as it is."""
    tree, log = Registry("t"), Log()
    other = tree.resource(noted(log, "other"))

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        await anyio.sleep(1)
        if when == "opening":
            raise SystemExit(3)
        yield "open"
        raise SystemExit(3)

    @tree.task
    async def use(one: str = other.output, conn: str = session.output) -> None:
        log.append("used")

    @tree.task(always=True)
    async def tidy(out: Outcome[None] = use.outcome) -> None:
        log.append("tidied")

    built = tree.build()
    with pytest.raises(SystemExit, match=r"^3$"):
        await AsyncExecutor(built).run()

    assert "tidied" in log
    assert log[-1] == "other is closed"
    assert built.root.is_done()


async def test_tree_that_no_run_has_is_told_so() -> None:
    """A body that is called by hand has nobody who opens."""
    tree = Registry("t")
    session = tree.resource(noted(Log(), "session"))

    @tree.task
    async def use(conn: str = session.output) -> str:
        return conn

    node = tree.build().find("t/use")
    assert node is not None
    assert node.task_fn is not None
    with pytest.raises(
        TypeError,
        match=exactly("'t/use' takes 'conn' from <output of 'session'>, which its tree was not given"),
    ):
        await node.task_fn(node)
