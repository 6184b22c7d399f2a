"""Who may run processes: bodies of all kinds, while they run, and as many as they like."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import anyio
import anyio.from_thread
import pytest

from tests.engine.support import ended, node_of, statuses, turns, until
from tests.processes.support import FOREVER, failure_of, posix, python, result_of, run, saying, tree_of
from tests.sentences import exactly
from treetask import AsyncExecutor, ProcessFailed, TaskNode, TreeBuilder, TreeRunningError, TreeTaskConfig
from treetask.engine import busy_threads
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class TestVirtualTime:
    async def test_stands_still_while_a_process_runs(self, tmp_path: Path, virtual_clock: VirtualClock) -> None:
        """What a process will do is not over yet, so nobody's deadline passes meanwhile."""
        go = tmp_path / "go"
        code = (
            "import os, sys, time; print('runs', flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.001)"
        )

        async def sleeper(node: TaskNode) -> None:
            await anyio.sleep(3_600)

        tree = (
            TreeBuilder("root").add_child("work", task=run(python(code, go))).add_child("sleeper", task=sleeper).build()
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node_of(tree, "work"))
            await turns(100)
            assert virtual_clock.now() == 0
            assert virtual_clock.is_standing()
            go.touch()

        assert node_of(tree, "work").ended_at == 0
        assert virtual_clock.now() == 3_600


class TestThreads:
    """Bodies with `def`."""

    async def test_run_processes_by_way_of_the_loop(self) -> None:
        """With the result, the failure and the log of any other body."""

        def body(node: TaskNode) -> bytes:
            ordered = partial(node.run_process, python("print('from a thread')"), capture_output=True)
            return anyio.from_thread.run(ordered).stdout.strip()

        result, log = await result_of(body)

        assert (result, log) == (b"from a thread", ["from a thread"])

        def failing(node: TaskNode) -> None:
            anyio.from_thread.run(node.run_process, python("import sys; sys.exit(3)"))

        assert isinstance(await failure_of(failing), ProcessFailed)

    async def test_that_are_given_up_run_no_more_processes(self) -> None:
        """The process ends with the body's time, though the thread cannot be stopped; then another one is refused."""
        told: list[str] = []

        def body(node: TaskNode) -> None:
            for _ in range(2):
                try:
                    anyio.from_thread.run(node.run_process, python(FOREVER))
                except BaseException as error:  # noqa: BLE001 - a cancellation, in the words of either loop
                    told.append(str(error))

        async def as_long_as_that(node: TaskNode) -> None:
            await until(lambda: len(told) == 2)

        tree = TreeBuilder("root").add_child("work", task=body).add_child("other", task=as_long_as_that).build()
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()
        await until(lambda: busy_threads().count == 0)

        assert statuses(tree)["work"] == "cancelled"
        assert told[1] == "node 'work': run_process works only while the node's body runs"
        assert node.log == ["runs"]

    async def test_of_an_attempt_that_was_given_up_run_no_more_processes(self, virtual_clock: VirtualClock) -> None:
        """Though the node's next attempt runs."""
        inside = threading.Event()
        given_up = threading.Event()
        refused = threading.Event()

        def body(node: TaskNode) -> str:
            if node.retry_count:
                given_up.set()
                refused.wait()
                return "second"
            inside.set()
            given_up.wait()
            try:
                anyio.from_thread.run(node.run_process, python("print('runs')"))
            finally:
                refused.set()
            return "first"

        tree = TreeBuilder("root").add_child("work", task=body, timeout=5, max_retries=1).build()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await until(inside.is_set)
            virtual_clock.advance(5)
        await until(lambda: busy_threads().count == 0)

        assert (node_of(tree, "work").result, node_of(tree, "work").log) == ("second", [])


class TestRefusals:
    async def test_outside_of_a_run(self) -> None:
        """A node that nothing runs has no log to write."""
        node = TaskNode("work")

        with pytest.raises(TreeRunningError, match=exactly("node 'work': run_process works only while the tree runs")):
            await node.run_process("true")

    async def test_by_another_body(self) -> None:
        """The log, the failure and the cancel would be those of two nodes."""

        async def body(node: TaskNode) -> None:
            assert node.parent is not None
            await node.parent.run_process("true")

        assert str(await failure_of(body)) == (
            "node 'root': run_process was called by the body of 'work'; only the node's own body may"
        )

    async def test_outside_of_any_body(self) -> None:
        """Nothing would end the process with the node."""
        tree = tree_of(run(python(FOREVER)))
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            with pytest.raises(
                TreeRunningError,
                match=exactly("node 'work': run_process was called outside of a body; only the node's own body may"),
            ):
                await node.run_process("true")
            node.cancel()

    async def test_after_the_body(self) -> None:
        """A task that a body leaves behind does not run processes in its name."""
        over = anyio.Event()
        refused: list[str] = []

        async def late(node: TaskNode) -> None:
            await over.wait()
            try:
                await node.run_process("true")
            except TreeRunningError as error:
                refused.append(str(error))

        async with anyio.create_task_group() as outside:

            async def body(node: TaskNode) -> None:
                outside.start_soon(late, node)

            async def other(node: TaskNode) -> None:
                await until(node_of(tree, "work").is_done)
                over.set()
                await until(lambda: bool(refused))

            tree = TreeBuilder("root").add_child("work", task=body).add_child("other", task=other).build()
            await AsyncExecutor(tree).run()

        assert refused == ["node 'work': run_process works only while the node's body runs"]

    async def test_command_that_is_none(self) -> None:
        """Before anything is started; all of them are in the tests of the model."""
        assert str(await failure_of(run([]))) == (
            "node 'work': run_process: command is []; "
            "expected a line for the shell, or a sequence: the program and its arguments"
        )


@posix
@pytest.mark.slow
@pytest.mark.usefixtures("pipes")
async def test_many_processes_at_once() -> None:
    """As many as there are bodies; each has its own log and its own end."""
    builder = TreeBuilder("root", config=TreeTaskConfig(on_failure="continue", max_retries=0))
    for number in range(40):
        builder.add_child(f"work{number}", task=run(f"echo {number}; exit $(({number} % 2))"))
    tree = builder.build()
    threads = threading.active_count()

    await ended(tree)

    assert [node.log for node in tree.root.children] == [[str(number)] for number in range(40)]
    assert [node.status for node in tree.root.children] == ["done", "failed"] * 20
    await until(lambda: threading.active_count() <= threads + 40)
