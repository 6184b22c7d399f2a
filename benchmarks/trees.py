"""The bodies and the trees that are measured: built before, run once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

import anyio

from treetask import Registry, Spawns, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig

Body = Callable[[Any], Coroutine[Any, Any, None]]


async def noop(_: object) -> None:
    """Do nothing."""


async def pause(_: object) -> None:
    """Let others run once."""
    await anyio.sleep(0)


async def compute(_: object) -> None:
    """Use the processor for a millisecond, without a pause."""
    end = perf_counter() + 0.001
    while perf_counter() < end:
        pass


def meeting(count: int) -> Body:
    """Return a body that waits until `count` of them wait."""
    everybody = anyio.Event()
    here = 0

    async def body(_: object) -> None:
        nonlocal here
        here += 1
        if here == count:
            everybody.set()
        await everybody.wait()

    return body


def flat(count: int, body: Body = noop, *, parallel: bool = True, limit: int | None = None) -> TaskTree:
    """Return a root with `count` children."""
    builder = TreeBuilder("root", parallel=parallel, config=TreeTaskConfig(max_concurrency=limit))
    for number in range(count):
        builder.add_child(f"node{number}", task=body)
    return builder.build()


def declared(count: int) -> TaskTree:
    """Return the tree of as many tasks, declared by decorator one after another."""
    registry = Registry("root")

    async def body(node: TaskNode) -> None:
        """Do nothing."""

    for number in range(count):
        registry.task(id=f"node{number}")(body)
    return registry.build()


def chain(count: int) -> TaskTree:
    """Return a tree in which every node has one child."""
    builder = TreeBuilder("root")
    for number in range(count):
        builder.add_node(f"node{number}", task=noop)
    return builder.build()


def balanced(width: int, depth: int) -> TaskTree:
    """Return a tree in which every node above the leaves has `width` children."""
    builder = TreeBuilder("root")

    def grow(above: str, level: int) -> None:
        for number in range(width):
            name = f"{above}.{number}"
            if level == depth:
                builder.add_child(name, task=noop)
            else:
                builder.add_node(name, task=noop)
                grow(name, level + 1)
                builder.up()

    grow("root", 1)
    return builder.build()


def layers(count: int) -> TaskTree:
    """Return a flat tree in which every node depends on two before it."""
    builder = TreeBuilder("root")
    for number in range(count):
        needed = {number - 1, number - 100} if number >= 100 else set[int]()
        builder.add_child(f"node{number}", task=noop, depends_on=[f"node{other}" for other in sorted(needed)])
    return builder.build()


def adding(count: int) -> TaskTree:
    """Return a tree of one node, whose body adds `count` children."""

    async def add(node: TaskNode) -> None:
        for number in range(count):
            node.add_child(TaskNode(f"node{number}", task_fn=noop))

    return TreeBuilder("root", task_fn=add).build()


def yielding(count: int, *, folds: bool = False) -> TaskTree:
    """Return a tree of one node, whose body yields `count` children; they may be folded, a hundred at once."""
    registry = Registry("registry")
    group = registry.group(keep_done="rollup", max_parallel=100) if folds else registry.group

    @registry.task
    async def work(number: int) -> None:
        """Do nothing."""

    @group
    async def root() -> Spawns[None]:
        for number in range(count):
            yield work.child(number)

    return root.build()
