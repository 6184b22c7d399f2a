"""Processes that are stopped: none outlives whoever waits for it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

import anyio
import anyio.abc
import pytest

from tests.engine.support import ended, node_of, turns, until
from tests.processes.support import FOREVER, LONG, NAP, STUBBORN, Pulse, posix, python, result_of, run, saying, tree_of
from treetask import AsyncExecutor, TaskNode, TreeBuilder, TreeTaskConfig
from treetask.engine import _pipes, _process, busy_threads
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


@pytest.mark.usefixtures("pipes")
class TestCancel:
    async def test_ends_the_process(self) -> None:
        """It is asked to end, what it says at last is logged, and nothing of it is left, not even a zombie."""
        code = (
            "import os, signal, sys, time; "
            "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'last words\\n'), sys.exit(0))); "
            f"print('runs', flush=True); print(os.getpid(), flush=True)\n{NAP}"
        )
        tree = tree_of(run(python(code)))
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await until(lambda: len(node.log) == 2)
            node.cancel()

        assert (node.status, node.exception, busy_threads().count) == ("cancelled", None, 0)
        if sys.platform != "win32":
            assert node.log[2:] == ["last words"]
            with pytest.raises(ProcessLookupError):
                os.kill(int(node.log[1]), 0)

    @posix
    async def test_kills_what_does_not_end_within_the_grace(self) -> None:
        """The grace is one of the world's time: the virtual clock, which waits for the process, cannot measure it."""
        tree = tree_of(run(python(STUBBORN)), grace=0.01)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()

        assert node.status == "cancelled"

    @posix
    async def test_ends_what_the_process_has_started(self, pulse: Pulse) -> None:
        """The whole group, whether it listens or not."""
        child = python(f"import signal; signal.signal(15, signal.SIG_IGN); {Pulse.HOLD} import time; time.sleep(1000)")
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *child, pulse.path)), grace=0.01)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await pulse.begins()
            node_of(tree, "work").cancel()

        await pulse.stops()

    @posix
    async def test_waits_for_what_cleans_up_in_the_group(self, pulse: Pulse) -> None:
        """A shell ends at once; what it runs gets the grace all the same, and is heard."""
        child = (
            "import os, signal, sys, time\n"
            "def clean_up(*_):\n"
            "    while os.getppid() == parent: time.sleep(0.001)\n"
            "    time.sleep(0.05)\n"
            "    os.write(1, b'cleaned up\\n')\n"
            "    sys.exit(0)\n"
            "parent = os.getppid()\n"
            f"signal.signal(15, clean_up); {Pulse.HOLD}\n{NAP}"
        )
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *python(child, pulse.path))), grace=LONG)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await pulse.begins()
            node.cancel()

        assert node.log == ["cleaned up"]

    @posix
    async def test_does_not_wait_for_who_has_left_the_group(
        self, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A daemon may hold the pipe open, and cannot be found; the body ends after the grace."""
        monkeypatch.setattr(_pipes, "_LAST_READ", 0.01)
        child = f"{Pulse.HOLD} os.setsid(); print('runs', flush=True); import time; time.sleep(1000)"
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *python(child, pulse.path))), grace=0.01)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()

        assert node.status == "cancelled"
        assert pulse.beats()

    async def test_of_the_run_ends_every_process(self) -> None:
        """`executor.cancel` reaches all of them."""
        builder = TreeBuilder("root")
        for number in range(3):
            builder.add_child(f"work{number}", task=run(python(FOREVER)))
        tree = builder.build()
        executor = AsyncExecutor(tree)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            for node in tree.root.children:
                await saying(node)
            executor.cancel()

        assert {node.status for node in tree.walk()} == {"cancelled"}

    async def test_of_a_scope_in_the_body_ends_the_process_alone(self, virtual_clock: VirtualClock) -> None:
        """A body that waits no longer goes on."""

        async def body(node: TaskNode) -> str:
            with anyio.move_on_after(5) as scope:
                await node.run_process(python(FOREVER))
            return f"cancelled: {scope.cancelled_caught}"

        tree = tree_of(body)
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node)
            virtual_clock.advance(5)

        assert node.result == "cancelled: True"

    async def test_by_a_timeout_ends_the_process(self, virtual_clock: VirtualClock) -> None:
        """Time is up for the process as well."""
        tree = (
            TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
            .add_child("work", task=run(python(FOREVER)), timeout=5)
            .build()
        )
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            virtual_clock.advance(5)

        assert (node.status, node.error) == ("timed_out", "'work' timed out after 5 s")

    async def test_before_the_start_starts_nothing(self) -> None:
        """A body that is cancelled already runs no process; it does not even look for the program."""

        async def body(node: TaskNode) -> bool:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await node.run_process(["no-such-program"])
            return scope.cancelled_caught

        result, _ = await result_of(body)

        assert result is True

    @posix
    @pytest.mark.slow
    async def test_at_any_moment_of_the_start_leaves_nothing(self, pulse: Pulse) -> None:
        """Whatever the event loop was about to do: what has been started is ended."""
        for moment in range(20):
            tree = tree_of(run(python(f"{Pulse.HOLD} import time; time.sleep(1000)", pulse.path)))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ended, tree)
                await turns(moment)
                tree.root.cancel() if tree.is_running else tasks.cancel_scope.cancel()

            assert busy_threads().count == 0
            await pulse.stops()

    async def test_in_asyncios_own_way_ends_the_process(
        self, virtual_clock: VirtualClock, anyio_backend_name: str
    ) -> None:
        """`asyncio.wait_for` knows no scopes."""
        if anyio_backend_name != "asyncio":
            pytest.skip("asyncio's own")

        async def body(node: TaskNode) -> str:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(node.run_process(python(FOREVER)), 5)
            return "too late"

        tree = tree_of(body)
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node)
            virtual_clock.advance(5)

        assert node.result == "too late"

    @posix
    async def test_that_is_repeated_in_asyncios_own_way_kills_at_once(
        self, pulse: Pulse, anyio_backend_name: str
    ) -> None:
        """No shield holds against the second one, but nothing is left behind all the same."""
        if anyio_backend_name != "asyncio":
            pytest.skip("asyncio's own")
        code = (
            "import os, signal, time; signal.signal(15, lambda *_: os.write(1, b'asked\\n'))\n"
            f"{Pulse.HOLD}\n"
            f"print('runs', flush=True)\n{NAP}"
        )

        async def body(node: TaskNode) -> None:
            task = asyncio.ensure_future(node.run_process(python(code, pulse.path)))
            await saying(node)
            task.cancel()
            await saying(node, "asked")
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert task.cancelled()
            with pytest.raises(ProcessLookupError):
                os.kill(pulse.pids[0], 0)

        await result_of(body)

    async def test_that_interrupts_the_wait_for_what_was_killed_is_told_after_it(self, anyio_backend_name: str) -> None:
        """However often: who is killed ends soon, and is no zombie then."""
        if anyio_backend_name != "asyncio":
            pytest.skip("the shields of trio hold")

        class Killed:
            returncode: int | None = None
            interruptions = 3

            async def wait(self) -> None:
                if self.interruptions:
                    self.interruptions -= 1
                    raise asyncio.CancelledError
                self.returncode = -9

        killed = Killed()
        with pytest.raises(asyncio.CancelledError):
            await _process._Process._reap(cast("anyio.abc.Process", killed))

        assert killed.returncode == -9

    @posix
    @pytest.mark.parametrize("patience", [0, 20])
    async def test_that_is_hurried_kills_at_once(self, patience: int) -> None:
        """A second Ctrl-C has no more patience, with what is asked to end after it as well."""
        tree = tree_of(run(python(STUBBORN)), grace=LONG)
        executor = AsyncExecutor(tree)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await saying(node)
            executor.cancel()
            await turns(patience)
            assert not node.is_done()
            executor.hurry()

        assert node.status == "cancelled"

    @posix
    async def test_who_leaves_at_once_kills_all(self) -> None:
        """The third Ctrl-C leaves nothing behind."""
        tree = tree_of(run(python(STUBBORN)))
        executor = AsyncExecutor(tree)
        executor.kill_processes()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await saying(node_of(tree, "work"))
            executor.kill_processes()

        assert (node_of(tree, "work").error or "").endswith("was killed by SIGKILL")
