"""What keeps the event loop from turning is named while it does, with the line it is at.

Bodies here block in earnest, until they are reported; the loop's own time is virtual.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from tests.engine.block_warnings import DEADLINE, Reports
from tests.engine.support import ok, sleeps
from treetask import AsyncExecutor, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig
from treetask.engine import _watchdog
from treetask.engine._watchdog import Watchdog
from treetask.model import TaskFunction

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock", "watchdog")]

ROOT = Path(__file__).resolve().parents[2]
FIX = "  use anyio.to_thread.run_sync, or declare the body with plain def"
#: Not sooner: on a busy machine the loop may have to wait for its turn in the middle of any line.
SOON = TreeTaskConfig(block_warning=0.1, max_retries=0)


def tree_of(body: TaskFunction, config: TreeTaskConfig = SOON) -> TaskTree:
    """Return a tree in which one body runs beside others."""
    builder = TreeBuilder("root", config=config)
    return builder.add_child("one", task=sleeps(9)).add_child("slow", task=body).add_child("two", task=ok).build()


def place(mark: str) -> str:
    """Return where a mark stands in this file, as a report shows it."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))
    return f"  {os.path.relpath(__file__)}:{number}"


# -- who is named ------------------------------------------------------------------------------------------------------


async def test_body_that_blocks_is_reported_with_its_node_its_lines_and_the_fix(reports: Reports) -> None:
    """While it still does; of the stack it is the user's own frames that are shown."""

    async def slow(node: TaskNode) -> None:
        fetch()  # calls

    def fetch() -> None:
        assert reports.some.wait(DEADLINE)  # blocks

    await AsyncExecutor(tree_of(slow)).run()

    assert reports.said[0] == (
        "'slow' has blocked the event loop for over … s:\n"
        f"{place('calls')} in slow\n"
        "    fetch()  # calls\n"
        f"{place('blocks')} in fetch\n"
        "    assert reports.some.wait(DEADLINE)  # blocks\n"
        f"{FIX}"
    )


def after_a_wait(block: Callable[[], None]) -> TaskFunction:
    """Return a body that blocks in a later step."""

    async def body(node: TaskNode) -> None:
        await anyio.sleep(1)
        block()

    return body


def in_a_task(block: Callable[[], None]) -> TaskFunction:
    """Return a body that blocks in a task that it has started."""

    async def blocks() -> None:
        await anyio.lowlevel.checkpoint()
        block()

    async def body(node: TaskNode) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(blocks)

    return body


def between_yields(block: Callable[[], None]) -> TaskFunction:
    """Return a body that yields, and blocks before it goes on to."""

    async def body(node: TaskNode) -> AsyncGenerator[None, None]:
        yield
        block()
        yield

    return body


@pytest.mark.parametrize("make_body", [after_a_wait, in_a_task, between_yields])
async def test_node_is_named_wherever_its_body_blocks(
    reports: Reports, make_body: Callable[[Callable[[], None]], TaskFunction]
) -> None:
    """Also where the engine did not start what runs, or has run other bodies in the same task."""
    await AsyncExecutor(tree_of(make_body(reports.wait))).run()

    assert reports.accused()[0] == "'slow'"


async def test_what_is_no_body_is_reported_as_that(reports: Reports) -> None:
    """A task of the program, beside the run, and a callback of the run: no node is blamed for them."""

    async def beside() -> None:
        await anyio.sleep(1)
        reports.wait()

    def on_node_start(node: TaskNode) -> None:
        if node.id == "later":
            reports.some.clear()
            reports.wait()

    tree = (
        TreeBuilder("root", parallel=False, config=SOON)
        .add_child("waits", task=sleeps(2))
        .add_child("later", task=ok)
        .build()
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree, on_node_start=on_node_start).run)
        tasks.start_soon(beside)

    assert set(reports.accused()) == {"something that is no task of 'root'"}
    assert {one.splitlines()[1].split(" in ")[1] for one in reports.said if "\n" in one} == {"beside", "on_node_start"}


async def test_of_two_runs_on_one_loop_the_one_with_the_body_is_asked(reports: Reports) -> None:
    """One report for one blockage, by the shorter patience of the two."""

    async def slow(node: TaskNode) -> None:
        await anyio.sleep(1)
        reports.wait()

    other = TreeBuilder("other", config=SOON).add_child("waits", task=sleeps(5)).build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(other).run)
        tasks.start_soon(AsyncExecutor(tree_of(slow, TreeTaskConfig(block_warning=60))).run)

    assert set(reports.accused()) == {"'slow'"}


def test_each_of_several_loops_is_watched(reports: Reports) -> None:
    """In several threads at once, on both kinds of loop; each body blocks until all were named."""
    names = {"asyncio", "trio", "another"}
    threads: list[threading.Thread] = []
    all_named = threading.Event()

    class Names(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if {f"'{name}'" for name in names} <= set(reports.accused()):
                all_named.set()

    async def slow(node: TaskNode) -> None:
        assert all_named.wait(DEADLINE)

    def run(name: str) -> None:
        tree = TreeBuilder("root", config=SOON).add_child(name, task=slow).build()
        anyio.run(AsyncExecutor(tree).run, backend=name if name != "another" else "asyncio")

    handler = Names()
    logging.getLogger("treetask").addHandler(handler)
    for name in names:
        threads.append(threading.Thread(target=run, args=(name,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    logging.getLogger("treetask").removeHandler(handler)

    assert all_named.is_set()


# -- when it is told ---------------------------------------------------------------------------------------------------


async def test_deep_stack_is_cut_in_the_middle(reports: Reports) -> None:
    """The line of the body and the one that blocks are there, the recursion between them is counted."""

    def sink(depth: int) -> None:
        if depth:
            sink(depth - 1)
        else:
            reports.wait()

    async def slow(node: TaskNode) -> None:
        sink(50)

    await AsyncExecutor(tree_of(slow)).run()

    lines = reports.said[0].splitlines()
    assert [line.split(" in ")[1] for line in lines if " in " in line] == ["slow", *["sink"] * 4, "wait"]
    assert "  … 47 more frames" in lines


# -- the thread --------------------------------------------------------------------------------------------------------


async def test_none_turns_it_off(watchdog: Watchdog) -> None:
    """What is not wanted costs nothing: there is no thread."""
    await AsyncExecutor(tree_of(ok, TreeTaskConfig(block_warning=None))).run()
    assert watchdog._thread is None

    await AsyncExecutor(tree_of(ok, TreeTaskConfig())).run()
    assert watchdog._thread is not None


async def test_thread_ends_after_the_last_run_and_begins_with_the_next(
    reports: Reports, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has no run has no thread of ours, and no line about what blocks it."""
    monkeypatch.setattr(_watchdog, "_PATIENCE", 0)
    await AsyncExecutor(tree_of(ok)).run()
    first = watchdog._thread
    assert first is not None
    first.join(DEADLINE)
    assert (first.is_alive(), watchdog._thread, reports.said) == (False, None, [])

    async def slow(node: TaskNode) -> None:
        reports.wait()

    await AsyncExecutor(tree_of(slow)).run()
    assert reports.accused()[0] == "'slow'"


async def test_run_that_needs_more_looks_than_the_one_before_gets_them(reports: Reports) -> None:
    """The thread may be in a long nap then."""

    async def slow(node: TaskNode) -> None:
        reports.wait()

    await AsyncExecutor(tree_of(ok, TreeTaskConfig(block_warning=100_000))).run()
    await AsyncExecutor(tree_of(slow)).run()

    assert reports.accused()[0] == "'slow'"


async def test_run_does_without_where_no_thread_can_be_started(
    watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter, or where there are no threads at all."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tree = tree_of(ok)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    await AsyncExecutor(tree).run()

    assert (tree.root.status, watchdog._thread) == ("done", None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_handler_that_raises_ends_the_thread_and_no_run(reports: Reports, watchdog: Watchdog) -> None:
    """It is shown as any exception in a thread is, and the next run is watched again."""
    raised = threading.Event()

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raised.set()
            raise OSError("the log is full")

    async def first(node: TaskNode) -> None:
        assert raised.wait(DEADLINE)
        thread = watchdog._thread
        if thread is not None:
            thread.join(DEADLINE)

    async def second(node: TaskNode) -> None:
        reports.some.clear()
        reports.wait()

    handler = Broken()
    logging.getLogger("treetask").addHandler(handler)
    try:
        await AsyncExecutor(tree_of(first)).run()
    finally:
        logging.getLogger("treetask").removeHandler(handler)
    await AsyncExecutor(tree_of(second)).run()

    assert reports.accused()[-1] == "'slow'"


PROGRAM = """
import logging, os, sys, threading
import anyio
from treetask import AsyncExecutor, TreeBuilder, TreeTaskConfig

told = threading.Event()

class Say(logging.Handler):
    def emit(self, record):
        os.write(1, record.getMessage().split(" for over")[0].encode() + b"\\n")
        told.set()

logging.getLogger("treetask").addHandler(Say())

async def slow(node):
    assert told.wait(20)
    told.clear()

def run(name):
    tree = TreeBuilder("root", config=TreeTaskConfig(block_warning=0.1)).add_child(name, task=slow).build()
    anyio.run(AsyncExecutor(tree).run)

run("parent")
if hasattr(os, "fork"):
    child = os.fork()
    run("child" if child == 0 else "parent again")
    if child:
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.slow
def test_forked_process_and_the_end_of_one_are_quiet() -> None:
    """A child has a watchdog of its own, whatever the parent's was doing; the thread ends no process with an error."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(PROGRAM)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "ResourceWarning" not in done.stderr
    names = ("parent", "child", "parent again") if hasattr(os, "fork") else ("parent",)
    assert set(done.stdout.splitlines()) == {f"'{name}' has blocked the event loop" for name in names}
