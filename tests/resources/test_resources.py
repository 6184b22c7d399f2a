"""Resources: opened at first use, closed at the end of the run, each in a task of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextvars import ContextVar

import anyio
import pytest

from tests.engine.support import Log, cancelled_after, ended, reasons, statuses
from tests.resources.resources import noted, told_of
from treetask import (
    AsyncExecutor,
    Registry,
    Retry,
    Return,
    Spawns,
    SyncSpawns,
    TaskNode,
    TreeCancelled,
    TreeFailed,
)

if sys.version_info < (3, 11):
    pass

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


# -- opening and closing ----------------------------------------------------------------------------------------------


async def test_who_waits_for_an_opening_says_so() -> None:
    """It is at work, but its body has not begun."""
    tree = Registry("t")
    session = tree.resource(noted(Log(), "session", opening=3))

    @tree.task
    async def use(conn: str = session.output) -> None:
        await anyio.sleep(2)

    @tree.task
    def use_in_thread(conn: str = session.output) -> None:
        pass

    built = tree.build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, built)
        await anyio.sleep(1)
        waits = f"waits for {session._given}"
        assert reasons(built) == {"t/use": waits, "t/use_in_thread": waits}
        assert statuses(built) == {"t": "working", "t/use": "working", "t/use_in_thread": "working"}
        await anyio.sleep(3)
        assert reasons(built) == {}


async def test_is_opened_at_first_use_once_and_closed_after_the_last_node() -> None:
    """Who comes while it is opened waits for the same opening; what always runs is before its end."""
    log, tree = Log(), Registry("t", parallel=False)
    session = tree.resource(noted(log, "session", opening=3))

    @tree.task
    async def before() -> None:
        log.append("before")

    with tree.group("work") as work:

        @work.task
        async def one(conn: str = session.output) -> None:
            log.append(f"one has {conn}")

        @work.task
        async def other(conn: str = session.output) -> None:
            log.append(f"other has {conn}")

    @tree.task(always=True)
    async def tidy(conn: str = session.output) -> None:
        log.append(f"tidy has {conn}")

    await tree.run()

    assert log[:3] == ["before", "session opens", "session is open"]
    assert sorted(log[3:5]) == ["one has session", "other has session"]
    assert log[5:] == ["tidy has session", "session closes", "session is closed"]


async def test_that_nobody_takes_is_not_opened() -> None:
    """Nor where its value is given by hand."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session"))

    @tree.task
    async def use(conn: str = session.output) -> str:
        return conn

    assert (await use.run(conn="mine")).value == "mine"
    assert log == []


async def test_every_kind_of_body_takes_them() -> None:
    """On the loop and in threads, those that yield too, and what these spawn."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", opening=1))
    pool = tree.resource(noted(log, "pool", opening=2))

    @tree.task
    async def on_loop(node: TaskNode, conn: str = session.output) -> str:
        return f"{node.name} {conn}"

    @tree.task
    def in_thread(conn: str = session.output) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return conn

    @tree.task
    async def spawner(conn: str = session.output) -> Spawns[str]:
        yield (child := spawned.child(1))
        yield Return(f"{conn} {await child}")

    @tree.task
    def in_thread_spawner(node: TaskNode, *, conn: str = pool.output) -> SyncSpawns[str]:
        yield spawned.child(2)
        return conn

    @tree.task
    async def spawned(number: int, conn: str = session.output, size: Callable[[], str] = pool.output.upper) -> str:
        return f"{size()} {conn} {number}"

    result = await tree.run()

    assert result[on_loop] == "on_loop session"
    assert result[in_thread] == "session"
    assert result[spawner] == "session POOL session 1"
    assert result[in_thread_spawner] == "pool"
    assert sorted(result.all(spawned)) == ["POOL session 1", "POOL session 2"]


async def test_are_closed_in_reverse_users_before_what_they_use() -> None:
    """Also where what is used is opened by its user."""
    log, tree = Log(), Registry("t", parallel=False)
    config = tree.resource(noted(log, "config"))

    @tree.resource
    async def pool(given: str = config.output) -> AsyncGenerator[str, None]:
        log.append(f"pool opens with {given}")
        yield "pool"
        log.append("pool closes")

    last = tree.resource(noted(log, "last"))

    @tree.task
    async def use(conn: str = pool.output, other: str = last.output, again: str = config.output) -> None:
        log.append("used")

    await tree.run()

    assert log == [
        *("config opens", "config is open", "pool opens with config", "last opens", "last is open", "used"),
        *("last closes", "last is closed", "pool closes", "config closes", "config is closed"),
    ]


async def test_each_run_has_its_own() -> None:
    """One registry, two runs; and a tree that runs again."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session"))

    @tree.task
    async def use(conn: str = session.output) -> str:
        return conn

    built = tree.build()
    await AsyncExecutor(built).run()
    built.reset()
    await AsyncExecutor(built).run()
    await tree.run()

    assert log.count("session opens") == log.count("session is closed") == 3


async def test_one_task_opens_holds_and_closes_it() -> None:
    """Scopes, task groups and ContextVars around its `yield` are left where they were entered."""
    tree, log, name = Registry("t"), Log(), ContextVar("name", default="none")

    @tree.resource
    async def beats() -> AsyncGenerator[list[int], None]:
        token = name.set("beats")
        found: list[int] = []

        async def beat() -> None:
            while True:
                await anyio.sleep(1)
                found.append(len(found))

        with anyio.move_on_after(1_000):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(beat)
                yield found
                tasks.cancel_scope.cancel()
        log.append(name.get())
        name.reset(token)

    @tree.task
    async def use(heard: list[int] = beats.output) -> int:
        assert name.get() == "none"
        await anyio.sleep(3.5)
        return len(heard)

    assert (await tree.run())[use] == 3
    assert log == ["beats"]


# -- failing to open --------------------------------------------------------------------------------------------------


async def test_that_fails_to_open_fails_who_asked_and_the_next_one_tries_again() -> None:
    """The error is that of the bodies, told once, and says where it comes from."""
    tree, openings = Registry("t", on_failure="continue"), [0]

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        openings[0] += 1
        await anyio.sleep(1)
        if openings[0] == 1:
            raise ConnectionError("no answer")
        yield "open"

    @tree.task
    async def one(conn: str = session.output) -> str:
        return conn

    @tree.task
    async def two(conn: str = session.output) -> str:
        return conn

    @tree.task(depends_on=[one.optional])
    async def later(conn: str = session.output) -> str:
        return conn

    built = tree.build()
    failure = await ended(built)

    assert told_of(failure) == ["no answer"]
    assert isinstance(failure, TreeFailed)
    first, *others = vars(failure.exceptions[0])["__notes__"]
    assert first.startswith("when resource 'session' (")
    assert first.endswith(") was opened")
    assert sorted(others) == ["in task 't/one'", "in task 't/two'"]
    assert statuses(built) == {"t": "failed", "t/one": "failed", "t/two": "failed", "t/later": "done"}
    assert openings == [2]


async def test_retry_opens_anew() -> None:
    """It is a failure of the body like any other."""
    tree, openings = Registry("t"), [0]

    @tree.resource
    async def session() -> AsyncGenerator[int, None]:
        openings[0] += 1
        if openings[0] < 3:
            raise ConnectionError("no answer")
        yield openings[0]

    @tree.task(retry=Retry(on=ConnectionError, attempts=3))
    async def use(conn: int = session.output) -> int:
        return conn

    assert (await tree.run())[use] == 3


async def test_that_yields_nothing_is_refused_by_name() -> None:
    """To those who asked."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        if openings:
            yield "never"

    openings: list[str] = []

    @tree.task
    async def use(conn: str = session.output) -> None:
        raise AssertionError(conn)

    assert told_of(await ended(tree.build())) == [f"{session._given} yielded nothing; it has to yield its value, once"]


async def test_body_that_stops_waiting_leaves_the_opening_to_the_others() -> None:
    """Its timeout counts the wait."""
    log, tree = Log(), Registry("t", on_failure="continue")
    session = tree.resource(noted(log, "session", opening=10))

    @tree.task(timeout=2)
    async def hasty(conn: str = session.output) -> None:
        raise AssertionError

    @tree.task(timeout=2)
    def hasty_in_thread(conn: str = session.output) -> None:
        raise AssertionError

    @tree.task(timeout=2)
    async def hasty_spawner(conn: str = session.output) -> Spawns[None]:
        yield hasty.child()

    @tree.task
    async def patient(conn: str = session.output) -> None:
        log.append("patient")

    built = tree.build()
    await ended(built)

    assert log == ["session opens", "session is open", "patient", "session closes", "session is closed"]
    assert statuses(built) == {
        "t": "failed",
        "t/hasty": "timed_out",
        "t/hasty_in_thread": "timed_out",
        "t/hasty_spawner": "timed_out",
        "t/patient": "done",
    }


async def test_opening_that_nobody_waits_for_is_given_up() -> None:
    """One that hangs does not hang the next attempt as well, which begins when the first is down."""
    tree, log = Registry("t"), Log()

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        log.append("opens")
        if len(log) == 1:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(5)
                log.append("is down")
        yield "open"

    @tree.task(timeout=10, max_retries=1)
    async def use(conn: str = session.output) -> str:
        return conn

    assert (await tree.run())[use] == "open"
    assert log == ["opens", "is down", "opens"]


async def test_opening_that_does_not_hear_that_it_is_given_up() -> None:
    """What it gives is closed at once, and the next attempt has its own."""
    tree, log = Registry("t"), Log()

    @tree.resource
    async def session() -> AsyncGenerator[int, None]:
        number = len(log) + 1
        log.append(f"{number} opens")
        if number == 1:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(15)
        yield number
        log.append(f"{number} closes")

    @tree.task(timeout=10, max_retries=1)
    async def use(conn: int = session.output) -> int:
        return conn

    assert (await tree.run())[use] == 2
    assert log == ["1 opens", "2 opens", "2 closes"]


async def test_cancelled_run_gives_up_what_is_being_opened() -> None:
    """And waits for it."""
    log, tree = Log(), Registry("t")

    @tree.resource
    async def needed() -> AsyncGenerator[str, None]:
        log.append("needed opens")
        yield "needed"
        log.append("needed closes")

    @tree.resource
    async def session(given: str = needed.output) -> AsyncGenerator[str, None]:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2)
            log.append("session is down")
        yield given

    @tree.task
    async def use(conn: str = session.output) -> None:
        raise AssertionError

    assert isinstance(await cancelled_after(1, tree.build()), TreeCancelled)
    assert log == ["needed opens", "session is down", "needed closes"]


async def test_opening_that_ends_as_cancelled_by_itself() -> None:
    """Who asked for it was not cancelled."""
    tree = Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                await anyio.sleep(1)
            except anyio.get_cancelled_exc_class() as error:
                cancelled.append(error)
        if cancelled:
            raise cancelled[0]
        yield ""

    cancelled: list[BaseException] = []

    @tree.task
    async def use(conn: str = session.output) -> None:
        raise AssertionError

    assert told_of(await ended(tree.build())) == [
        f"{session._given} ended as cancelled before it yielded; nothing here stopped it"
    ]
