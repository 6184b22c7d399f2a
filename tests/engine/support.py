"""What the tests of the engine are written with: bodies, and ways to run a tree and to look at it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import anyio

from treetask import AsyncExecutor, TaskNode, TaskTree, TreeCancelled, TreeFailed

AsyncBody: TypeAlias = Callable[[TaskNode], Coroutine[Any, Any, Any]]


async def ok(node: TaskNode) -> None:
    """Do nothing, well."""


async def fail(node: TaskNode) -> None:
    """Fail."""
    raise OSError(f"{node.id} is broken")


async def forever(node: TaskNode) -> None:
    """Wait until cancelled."""
    await anyio.sleep_forever()


def sleeps(seconds: float) -> AsyncBody:
    """Return a body that takes its time."""

    async def sleep(node: TaskNode) -> None:
        await anyio.sleep(seconds)

    return sleep


def fails_after(seconds: float) -> AsyncBody:
    """Return a body that fails after a while."""

    async def sleep_and_fail(node: TaskNode) -> None:
        await anyio.sleep(seconds)
        raise OSError(f"{node.id} is broken")

    return sleep_and_fail


def fails_times(count: int, error: type[Exception] = OSError) -> AsyncBody:
    """Return a body that fails in each of its first attempts."""

    async def fail_often(node: TaskNode) -> str:
        if node.retry_count < count:
            raise error(f"attempt {node.retry_count + 1}")
        return f"attempt {node.retry_count + 1}"

    return fail_often


class Log(list[str]):
    """What happened, in order, as the bodies tell it."""

    def body(self, seconds: float = 0) -> AsyncBody:
        """Return a body that tells when it begins and how it ends."""

        async def tell(node: TaskNode) -> None:
            self.append(f"{node.id} begins")
            try:
                await anyio.sleep(seconds)
            except BaseException:
                self.append(f"{node.id} is cancelled")
                raise
            self.append(f"{node.id} ends")

        return tell


def cleans_up(log: Log, seconds: float = 2) -> AsyncBody:
    """Return a body that waits for ever and takes a while to clean up."""

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append(f"{node.id} cleans up")
            with anyio.CancelScope(shield=True):
                await anyio.sleep(seconds)
            log.append(f"{node.id} is down")

    return clean_up


async def ended(run: TaskTree | AsyncExecutor) -> TreeFailed | TreeCancelled | None:
    """Run a tree and return the error that its run raised for it, if any."""
    executor = AsyncExecutor(run) if isinstance(run, TaskTree) else run
    try:
        await executor.run()
    except (TreeFailed, TreeCancelled) as error:
        return error
    return None


async def cancelled_after(
    seconds: float, run: TaskTree | AsyncExecutor, *, hurried_after: float | None = None
) -> TreeFailed | TreeCancelled | None:
    """Run a tree, cancel it after a while, and perhaps hurry after another; return the error as `ended` does."""
    executor = AsyncExecutor(run) if isinstance(run, TaskTree) else run
    errors: list[TreeFailed | TreeCancelled | None] = []

    async def wait_for_the_end() -> None:
        errors.append(await ended(executor))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_for_the_end)
        await anyio.sleep(seconds)
        executor.cancel("enough")
        if hurried_after is not None:
            await anyio.sleep(hurried_after)
            executor.hurry()
    return errors[0]


def statuses(tree: TaskTree) -> dict[str, str]:
    """Return the status of each node by id."""
    return {node.id: node.status.value for node in tree.walk()}


def reasons(tree: TaskTree) -> dict[str, str]:
    """Return the reasons of the nodes that have one."""
    return {node.id: node.reason for node in tree.walk() if node.reason is not None}


def node_of(tree: TaskTree, node_id: str) -> TaskNode:
    """Return the node of that id, which is there."""
    node = tree.find(node_id)
    assert node is not None, f"there is no '{node_id}' among {tree.ids()}"
    return node


async def turns(count: int = 10) -> None:
    """Let the event loop turn a few times, at the same time."""
    for _ in range(count):
        await anyio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop turn until something holds, at the same time."""
    while not holds():  # noqa: ASYNC110 - what is waited for happens in threads and sets no event
        await anyio.sleep(0)
