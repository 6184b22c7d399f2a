"""Lines that both type checkers accept, and what they take them for. Checked, never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from treetask import (
    JOIN,
    Child,
    ExecutionResult,
    Group,
    Limit,
    OnFailure,
    ProcessResult,
    Registry,
    Retry,
    Return,
    Spawns,
    SyncSpawns,
    Task,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
    optional,
)
from treetask.dsl import AsyncGroup, AsyncTask, Runner, Scope, SyncGroup, SyncTask
from treetask.model import Handle, Spawnable, Template

# -- registries and groups --------------------------------------------------------------------------------------------

tree = Registry("app")
named = Registry("app", name="The app", parallel=False, on_failure="continue", max_retries=1, timeout=60, tags=("a",))
strict = Registry("app", on_failure=OnFailure.FINISH, timeout=None)

with tree.group("checks", name="Checks", parallel=True, on_failure="finish", timeout=5.0) as checks:
    assert_type(checks, Group[[], None])

scopes: list[Scope] = [tree, checks]
api = tree.limit("api", max_concurrency=4, per_second=10)
assert_type(api, Limit)


def is_worth_it(error: Exception) -> float:
    return 0.5


with tree.group("nets", max_parallel=8, priority=0, cost=3.5, allow_failure=True, tags=["net"]) as nets:

    @nets.task(limits=[api, Limit("db", per_second=0.5)], retry=Retry(on=OSError, attempts=4, timeout=None))
    async def limited() -> int:
        return 1

    @nets.task(retry=Retry(on=is_worth_it), depends_on=[limited.optional, checks], keep_done="rollup")
    async def repeated() -> int:
        return 1

    @nets.task(always=True, depends_on=[repeated.optional], tags={"net", "slow"})
    def tidied() -> None: ...


builder = (
    TreeBuilder("b")
    .add_child("x", tags=["net"])
    .add_child("y", depends_on=["x", optional("x")], retry=Retry(on=(OSError,)))
)
builder.build().select(only=["+x"], skip=("y",))
handles: Mapping[str, Task[..., Any]] = tree.handles


# -- every kind of body, with the node and without --------------------------------------------------------------------


@tree.task
async def with_node(node: TaskNode, url: str) -> bytes:
    return url.encode()


@tree.task
async def without_node(url: str, *, times: int = 1) -> bytes:
    return url.encode() * times


@tree.task
async def only_node(node: TaskNode) -> None:
    node.progress = (1, 2)
    node.data["seen"] = True


@tree.task
def in_thread(page: bytes) -> int:
    return len(page)


@tree.task
def in_thread_with_node(node: TaskNode, page: bytes) -> int:
    return len(page)


@tree.task
async def spawner(node: TaskNode, count: int) -> Spawns[list[bytes]]:
    yield (first := with_node.child("u"))
    assert_type(await first, bytes)
    pages = [without_node.child(str(number), times=2) for number in range(count)]
    yield pages
    yield (with_node.child(str(number)) for number in range(count))
    yield [in_thread.child(b""), spawner.child(1)]
    yield JOIN
    yield Return([page.result for page in pages])


@tree.task
async def spawner_without_node(count: int) -> Spawns[None]:
    yield spawner.child(count)


@tree.task
def stepper(node: TaskNode, word: str) -> SyncSpawns[int]:
    yield in_thread.child(b"").keyed(word)
    yield JOIN
    return 3


@tree.task
def stepper_without_node() -> SyncSpawns[str]:
    yield [in_thread.child(b"")]
    return ""


async def an_awaitable(task: Callable[[], Awaitable[int]]) -> int:
    return await task()


coroutine = assert_type(with_node("u"), Coroutine[Any, Any, bytes])
assert_type(in_thread(b"u"), int)
assert_type(in_thread_with_node(b"u"), int)
children = (
    assert_type(with_node.child("u"), Child[bytes]),
    assert_type(stepper.child("u"), Child[int]),
    assert_type(spawner_without_node.child(1), Child[None]),
    assert_type(with_node.child("u").keyed("k").with_options(timeout=3), Child[bytes]),
)


# -- groups -----------------------------------------------------------------------------------------------------------


@tree.group
async def outer(node: TaskNode) -> int:
    return 1


@outer.group(parallel=False, on_failure="continue", id="inner", name="Inner", max_queued=8)
async def inner(node: TaskNode, depth: int = 1) -> Spawns[int]:
    yield Return(depth)


@inner.group
def plain_group(word: str) -> str:
    return word


@inner.group(static=False)
def stepping_group(word: str = "") -> SyncSpawns[str]:
    yield JOIN
    return word


assert_type(outer, AsyncGroup[[], int])
of_a_group = assert_type(outer(), Coroutine[Any, Any, int])
assert_type(plain_group("w"), str)
groups = (
    assert_type(stepping_group.child("w"), Child[str]),
    assert_type(inner.child(depth=3), Child[int]),
    assert_type(checks.child(), Child[None]),
)


# -- options, and handles of all kinds in one list --------------------------------------------------------------------


@checks.task(
    id="last",
    name="Last",
    static=True,
    max_retries=2,
    timeout=3,
    depends_on=[with_node, in_thread, spawner, stepper, outer, inner, checks],
)
async def after_all() -> None: ...


@checks.task(timeout=None, depends_on=())
def without_limit() -> None: ...


any_of_them: list[Task[..., Any]] = [with_node, in_thread, spawner, stepper, outer, plain_group, checks]
covariant: Task[[str], object] = with_node
callable_one: AsyncTask[[str], bytes] = with_node
sync_one: SyncTask[[bytes], int] = in_thread
sync_group: SyncGroup[[str], str] = plain_group
seconds = tree.task(timeout=5)
with_seconds: AsyncTask[[Callable[[], Awaitable[int]]], int] = seconds(an_awaitable)


# -- data by handle ---------------------------------------------------------------------------------------------------


@tree.task
async def joined(
    raw: bytes = with_node.output,
    number: int = in_thread.output,
    *,
    pages: list[bytes] = spawner.output,
    depth: int = inner.output,
    word: str = "",
) -> str:
    return word


async def calls(node: TaskNode) -> None:
    assert_type(await joined(b"", 1, pages=[], depth=2), str)
    assert_type(await joined(), str)  # accepted: only at run time is it known that nothing fills the parameters in
    spawned = assert_type(node.spawn(with_node, "u"), Child[bytes])
    assert_type(await spawned, bytes)
    assert_type(await node.spawn(without_node, "u", times=2), bytes)
    assert_type(await node.spawn(stepper, "u"), int)


async def processes(node: TaskNode, path: Path, *, captured: bool) -> None:
    plain = await node.run_process("make all")
    assert_type(plain, ProcessResult)
    assert_type(plain.stdout, bytes | None)
    words = await node.run_process(["make", b"all", path], capture_output=True, cwd=path, env={"A": "b"}, check=False)
    assert_type(words, ProcessResult[bytes])
    assert_type(words.stdout, bytes)
    assert_type((await node.run_process(("cat",), input=b"", capture_output=captured)).stderr, bytes | None)
    assert_type(node.log, list[str])


# -- building and running ---------------------------------------------------------------------------------------------


async def runs(config: TreeTaskConfig, runner: Runner) -> None:
    assert_type(tree.build(), TaskTree)
    assert_type(tree.build(config), TaskTree)
    assert_type(tree.build(config=config), TaskTree)
    assert_type(with_node.build("u"), TaskTree)
    assert_type(with_node.build("u", config=config), TaskTree)
    assert_type(await tree.run(), ExecutionResult[None])
    assert_type(tree.run_sync(config=config), ExecutionResult[None])
    assert_type(await with_node.run("u"), ExecutionResult[bytes])
    assert_type(await with_node.run("u", config=config), ExecutionResult[bytes])
    assert_type(stepper.run_sync("u").value, int)
    assert_type((await inner.run(depth=2)).value, int)
    assert_type((await checks.run()).value, None)
    assert_type((await runner.run(tree.build(), config=config)).success, bool)


def results(result: ExecutionResult[None]) -> None:
    assert_type(result[with_node], bytes)
    assert_type(result[spawner], list[bytes])
    assert_type(result.all(in_thread), list[int])
    assert_type(with_node.nodes_in(result.tree), list[TaskNode])


handle: Handle[bytes] = with_node
spawnable: Spawnable[[str], bytes] = with_node
template: Template = with_node
