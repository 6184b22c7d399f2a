"""Random programs for the whole engine: bodies that sleep, fail, yield, wait and are cancelled, as a seed says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from random import Random
from typing import Any

import anyio

from treetask import (
    JOIN,
    Child,
    DependencyCycleError,
    DuplicateChildError,
    OnFailure,
    Registry,
    Retry,
    Return,
    TaskFailed,
    TaskNode,
    TaskTree,
    TreeTaskConfig,
    optional,
)
from treetask.model import RetryOn, dependencies_of

MAX_NODES = 12
MAX_SPAWNED = 15

registry = Registry("registry")


class Chance:
    """Decides everything, from a seed. One for all: the bodies of a run share it."""

    random = Random()
    spawned = 0

    @classmethod
    def begin(cls, seed: int) -> None:
        """Decide as this seed does from now on."""
        cls.random, cls.spawned = Random(seed), 0

    @classmethod
    def once_in(cls, among: int) -> bool:
        """Return True once in so many times."""
        return cls.random.randrange(among) == 0


async def misbehave() -> None:
    """Sleep, fail, clean up slowly, or do nothing of it."""
    for _ in range(Chance.random.randint(0, 2)):
        await anyio.sleep(Chance.random.choice([0, 0, 0.5, 1, 2]))
    if Chance.once_in(4):
        raise Chance.random.choice([OSError, TimeoutError])("by chance")
    if Chance.once_in(10):
        try:
            await anyio.sleep(3)
        finally:
            with anyio.CancelScope(shield=Chance.once_in(2)):
                await anyio.sleep(1)
    if Chance.once_in(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 2)
            tasks.start_soon(fail_soon)


async def fail_soon() -> None:
    """Fail, after a while."""
    await anyio.sleep(1)
    raise OSError("in a group")


@registry.task
async def leaf(number: int) -> int:
    """Misbehave and return."""
    await misbehave()
    return number


@registry.task
def plain(number: int) -> int:
    """Fail in a thread, or return."""
    if Chance.once_in(3):
        raise OSError("in a thread")
    return number


async def spawn_and_wait(node: TaskNode, number: int) -> AsyncGenerator[Any, Any]:
    """Yield children in every way there is, and handle some of what they do."""
    for _ in range(Chance.random.randint(0, 4)):
        try:
            match Chance.random.randrange(8):
                case 0:
                    yield a_child()
                case 1:
                    yield [a_child() for _ in range(Chance.random.randint(0, 3))]
                case 2:
                    yield JOIN
                case 3:
                    with anyio.move_on_after(Chance.random.choice([0, 0.5, 2])):
                        yield a_child()
                        yield JOIN
                case 4:
                    await (yield a_child())
                case 5:
                    node.add_child(TaskNode(f"{node.id}+{Chance.random.random()}", task_fn=added))
                case 6:
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(Chance.random.choice([fail_soon, misbehave]))
                        yield a_child()
                case _:
                    await misbehave()
        except (TaskFailed, DuplicateChildError, OSError, TimeoutError):
            if Chance.once_in(3):
                raise
    yield Return(number)


def spawn_in_threads(node: TaskNode, number: int) -> Generator[Any, Any, int]:
    """Yield children from worker threads."""
    for _ in range(Chance.random.randint(0, 3)):
        try:
            yield Chance.random.choice([JOIN, a_child(), [a_child(), a_child()]])
        except TaskFailed:
            if Chance.once_in(3):
                raise
    return number


@registry.task
async def await_children(node: TaskNode, number: int) -> None:
    """Spawn children and wait for them, in one task or in several, with more or less patience."""
    children = [node.spawn(leaf, Chance.random.randrange(10**9)) for _ in range(Chance.random.randint(0, 3))]
    async with anyio.create_task_group() as tasks:
        for child in children:
            if Chance.once_in(2):
                tasks.start_soon(await_one, child)
            else:
                await await_one(child)
    await misbehave()


async def await_one(child: Child[int]) -> None:
    """Wait for a child, for a while."""
    try:
        with anyio.move_on_after(Chance.random.choice([0.5, 1, 3, 100])):
            await child
    except TaskFailed:
        if Chance.once_in(3):
            raise


async def added(node: TaskNode) -> None:
    """Misbehave, as a node that was added."""
    await misbehave()


KINDS: list[Any] = [
    leaf,
    plain,
    await_children,
    registry.group(id="parallel", static=False)(spawn_and_wait),
    registry.group(id="sequential", static=False, parallel=False)(spawn_and_wait),
    registry.group(id="continues", static=False, on_failure="continue")(spawn_and_wait),
    registry.group(id="finishes", static=False, on_failure="finish")(spawn_and_wait),
    registry.group(id="threads", static=False)(spawn_in_threads),
]


def a_child() -> Child[Any]:
    """Return a child of some kind; of a simple one when there are many."""
    Chance.spawned += 1
    kind = leaf if Chance.spawned > MAX_SPAWNED else Chance.random.choice(KINDS)
    # Of few numbers, so that an attempt asks for what an earlier one has done; of many, so that most are new.
    child: Child[Any] = kind.child(Chance.random.randrange(Chance.random.choice([3, 10**9])))
    return child.with_options(**options())


def wait_by_chance(error: Exception) -> bool | float:
    """Repeat an attempt or not, and after a time that chance decides."""
    return Chance.random.choice([True, False, 0, 0.5])


WORTH_A_RETRY: list[RetryOn] = [OSError, (OSError, TimeoutError), wait_by_chance]


def options() -> dict[str, Any]:
    """Return options that bound or repeat a node, or let it fail, or run always."""
    chosen: dict[str, Any] = {}
    if Chance.once_in(3):
        chosen["max_retries"] = Chance.random.randint(0, 2)
    elif Chance.once_in(4):
        chosen["retry"] = Retry(
            on=Chance.random.choice(WORTH_A_RETRY),
            attempts=Chance.random.choice([1, 2, 3, None]),
            timeout=Chance.random.choice([0, 1, 5]),
            wait_initial=Chance.random.choice([0, 0.5, 1]),
            wait_jitter=0,  # the rest is the same for the same seed
        )
    if Chance.once_in(3):
        chosen["timeout"] = Chance.random.choice([0.5, 1, 2, 5])
    if Chance.once_in(6):
        chosen["allow_failure"] = True
    if Chance.once_in(6):
        chosen["always"] = True
    return chosen


def a_tree() -> TaskTree:
    """Return a tree with bodies of all kinds. What would close a cycle is left out."""
    config = TreeTaskConfig(
        max_retries=Chance.random.randint(0, 1),
        max_concurrency=Chance.random.choice([None, 1, 2, 3]),
        max_threads=Chance.random.randint(1, 2),
        on_failure=Chance.random.choice(list(OnFailure)),
        global_timeout=6 if Chance.once_in(4) else None,
        default_task_timeout=4 if Chance.once_in(3) else None,
        grace=Chance.random.choice([0, 0.5, 1, 5]),
    )
    tree = TaskTree(TaskNode("root", parallel=Chance.once_in(2)), config)
    for number in range(Chance.random.randint(1, MAX_NODES)):
        nodes = list(tree.walk())
        kind = Chance.random.choice([None, *KINDS])
        said = options()
        wanted = [Chance.random.choice(nodes).id] if Chance.once_in(3) else []
        depends_on = [optional(one) if said.get("always") or Chance.once_in(3) else one for one in wanted]
        node = TaskNode(
            f"n{number}",
            parallel=Chance.once_in(2),
            task_fn=None if kind is None else kind.make_node(kind.child(number), "template").task_fn,
            depends_on=depends_on,
            on_failure=Chance.random.choice([None, *OnFailure]),
            **said,
        )
        tree.add(node, Chance.random.choice(nodes))
        try:
            dependencies_of(tree)
        except DependencyCycleError:
            tree.remove(node)
    return tree
