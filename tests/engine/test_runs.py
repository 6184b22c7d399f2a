"""Runs beside and inside of each other, and what is left of one."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import anyio
import pytest

from tests.engine.misbehaving import KEEP_GOING
from tests.engine.support import ended, fail, node_of, sleeps
from treetask import AsyncExecutor, TaskNode, TreeBuilder, TreeTaskConfig

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_run_inside_of_a_body_is_a_run_of_its_own() -> None:
    """A body may run another tree; neither knows of the other."""
    inner = TreeBuilder("inner", config=TreeTaskConfig(max_concurrency=1)).add_child("a", task=sleeps(2)).build()

    async def run_inner(node: TaskNode) -> str:
        await AsyncExecutor(inner).run()
        return str(inner.root.status)

    tree = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1)).add_child("runs", task=run_inner).build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "runs").result == "done"


async def test_two_runs_on_one_loop_do_not_meet() -> None:
    """Each has its own workers, slots and failures."""
    good = TreeBuilder("good").add_child("a", task=sleeps(5)).build()
    bad = TreeBuilder("bad", config=KEEP_GOING).add_child("a", task=fail).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, good)
        tasks.start_soon(ended, bad)

    assert (good.root.status, bad.root.status) == ("done", "failed")


async def test_run_leaves_no_task_behind() -> None:
    """When `run()` returns, whatever it started has ended."""
    before = len(anyio.get_running_tasks())
    builder = TreeBuilder("root", config=TreeTaskConfig(global_timeout=99))
    for number in range(50):
        builder.add_child(f"{number}", task=sleeps(number % 3), timeout=9)
    await AsyncExecutor(builder.build()).run()

    assert len(anyio.get_running_tasks()) == before


async def test_finished_run_is_not_held_by_anything() -> None:
    """A tree that nobody refers to any more can go, with all that its bodies held."""

    class Payload:
        pass

    references: list[weakref.ref[Payload]] = []

    async def hold(node: TaskNode) -> Payload:
        held = Payload()
        references.append(weakref.ref(held))
        await anyio.sleep(1)
        return held

    await AsyncExecutor(TreeBuilder("root").add_child("holds", task=hold).build()).run()
    gc.collect()

    assert references[0]() is None


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_body_that_waits_keeps_few_objects() -> None:
    """A run of many bodies that wait at once takes as long as the garbage collector, so each object more is felt."""
    count = 200
    everybody = anyio.Event()
    kept: Counter[str] = Counter()

    async def wait(node: TaskNode) -> None:
        if node.id == f"{count - 1}":
            kept.update(type(each).__name__ for each in gc.get_objects())
            everybody.set()
        await everybody.wait()

    builder = TreeBuilder("root")
    for number in range(count):
        builder.add_child(f"{number}", task=wait)
    tree = builder.build()
    gc.collect()
    kept.subtract(type(each).__name__ for each in gc.get_objects())
    await AsyncExecutor(tree).run()

    per_body = {name: round(kept[name] / count) for name in ("Worker", "generator", "Context", "method", "partial")}
    # The contexts are that of the task and that of the body.
    assert per_body == {"Worker": 1, "generator": 2, "Context": 2, "method": 0, "partial": 0}
