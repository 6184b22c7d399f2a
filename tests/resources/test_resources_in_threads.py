"""Resources that a thread uses whose body was given up: nothing is closed under it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import pytest

from tests.conftest import BACKENDS, Backend
from tests.engine.gate import Gate
from tests.engine.support import Log, ended, turns, until
from tests.resources.resources import noted
from treetask import AsyncExecutor, Registry, SyncSpawns, TreeTaskConfig
from treetask.testing import VirtualClock


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What TreeTask has logged."""
    return [each.getMessage() for each in caplog.records if each.name == "treetask"]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["plain", "spawner"])
@pytest.mark.parametrize("way", ["cancel", "timeout"])
async def test_is_closed_after_the_thread_has_returned(
    gate: Gate, way: str, kind: str, virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The run waits for it, and nobody is warned."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session", closing=1))

    if kind == "plain":

        @tree.task(timeout=2)
        def use(conn: str = session.output) -> None:
            gate.wait()
            log.append("used")
    else:

        @tree.group(timeout=2)
        def spawn(conn: str = session.output) -> SyncSpawns[None]:
            gate.wait()
            log.append("used")
            yield []

    built = tree.build()
    executor = AsyncExecutor(built)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await gate.has(1)
        if way == "cancel":
            executor.cancel()
        else:
            virtual_clock.advance(2)
        await until(built.root.is_done)
        await turns()
        gate.open.set()

    assert log[-3:] == ["used", "session closes", "session is closed"]
    assert messages(caplog) == []


@pytest.mark.anyio
async def test_is_left_open_after_the_grace_with_what_it_needs(
    gate: Gate, virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """All others are closed before that."""
    log, tree = Log(), Registry("t")
    engine = tree.resource(noted(log, "engine"))
    other = tree.resource(noted(log, "other"))

    @tree.resource
    async def session(base: str = engine.output) -> AsyncGenerator[str, None]:
        yield base
        log.append("session closes")

    @tree.task
    def use(conn: str = session.output) -> None:
        gate.wait()

    @tree.task
    async def wait(one: str = other.output) -> None:
        await anyio.sleep_forever()

    executor = AsyncExecutor(tree.build(TreeTaskConfig(grace=3)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await gate.has(1)
        await until(lambda: "other is open" in log)
        executor.cancel()
        await until(lambda: "other is closed" in log)
        virtual_clock.advance(3)

    assert gate.inside == 1
    assert [each for each in log if "close" in each] == ["other closes", "other is closed"]
    assert messages(caplog) == [
        f"{session._given} is left open while the thread of 't/use' uses it still",
        f"{engine._given} is left open while the thread of 't/use' uses it still",
    ]


@pytest.mark.anyio
async def test_hurry_waits_for_no_thread(
    gate: Gate, virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The second Ctrl-C; all threads are named."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session"))

    @tree.task
    def use(conn: str = session.output) -> None:
        gate.wait()

    @tree.task
    def use_too(conn: str = session.output) -> None:
        gate.wait()

    executor = AsyncExecutor(tree.build(TreeTaskConfig(max_threads=2)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await gate.has(2)
        executor.cancel()
        await until(executor.tree.root.is_done)
        executor.hurry()

    assert log[-1] == "session is open"
    assert virtual_clock.now() == 0
    assert messages(caplog) == [f"{session._given} is left open while the threads of 't/use', 't/use_too' use it still"]


@pytest.mark.anyio
async def test_run_that_goes_well_waits_for_the_thread_of_an_earlier_attempt(
    gate: Gate, virtual_clock: VirtualClock
) -> None:
    """Its node is done, but it has a thread too many."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session"))
    attempts: list[int] = []

    @tree.task(timeout=2, max_retries=1)
    def use(conn: str = session.output) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            gate.wait()
            log.append("used")

    built = tree.build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, built)
        await gate.has(1)
        virtual_clock.advance(2)
        await until(built.root.is_done)
        await turns()
        gate.open.set()

    assert log[-3:] == ["used", "session closes", "session is closed"]
    assert built.root.status == "done"


@pytest.mark.anyio
async def test_that_holds_a_task_group_is_closed_after_the_grace(
    gate: Gate, virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its tasks cannot outlive the run."""
    log, tree = Log(), Registry("t")

    @tree.resource
    async def session() -> AsyncGenerator[str, None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            yield "open"
            log.append("closes")
            tasks.cancel_scope.cancel()

    @tree.task(timeout=2)
    def use(conn: str = session.output) -> None:
        gate.wait()

    built = tree.build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, built)
        await gate.has(1)
        virtual_clock.advance(2)
        await until(built.root.is_done)
        await turns()
        virtual_clock.advance(5)

    assert log == ["closes"]
    assert messages(caplog) == [
        f"{session._given} holds a scope or a task group, and is closed while the thread of 't/use' uses it still"
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_loop_that_ends_closes_none_that_is_left_open(gate: Gate, backend: Backend) -> None:
    """It would close all async generators that it knows."""
    log, tree = Log(), Registry("t")
    session = tree.resource(noted(log, "session"))

    @tree.task(timeout=2)
    def use(conn: str = session.output) -> None:
        gate.wait()

    async def run() -> None:
        built = tree.build()
        with VirtualClock() as clock:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ended, built)
                await gate.has(1)
                clock.advance(2)
                await until(built.root.is_done)
                await turns()
                clock.advance(5)

    name, options = backend
    anyio.run(run, backend=name, backend_options=options)

    assert log == ["session opens", "session is open"]
