"""Lines that both type checkers accept, and what they take them for. Checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
    Outcome,
    Params,
    ProcessResult,
    Registry,
    Resource,
    Retry,
    Return,
    Secret,
    Spawns,
    SyncSpawns,
    Task,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
from treetask.dsl import AsyncGroup, AsyncTask, HowToRun, OptionalEdge, Runner, Scope, SyncGroup, SyncTask
from treetask.model import Handle, Spawnable, Template
from treetask.store import (
    Store,
    TaskDependency,
    TaskManager,
    TaskRecord,
    TaskState,
    TaskTreeNode,
    build_tree_from_tasks,
    create_session,
)
from treetask.testing import RecordedResult, Recorder, TreeTaskRun

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
kept = tree.task(cache="inputs", version=2)
kept_by_key = tree.task(cache=len)
with_seconds: AsyncTask[[Callable[[], Awaitable[int]]], int] = seconds(an_awaitable)


# -- data by handle ---------------------------------------------------------------------------------------------------


@tree.resource
async def client() -> AsyncIterator[list[str]]:
    yield []


@tree.resource
async def cursor(names: list[str] = client.output, *, size: int = 3) -> AsyncGenerator[Path, None]:
    yield Path()


async def fake_cursor(names: list[str]) -> AsyncGenerator[Path, None]:
    yield Path()


assert_type(client, Resource[list[str]])
wide: Resource[object] = cursor
swapped: AbstractContextManager[None] = cursor.override(fake_cursor)


@tree.task
async def with_resources(node: TaskNode, path: Path = cursor.output, *, name: str = cursor.output.name) -> str:
    return name


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


@dataclass(frozen=True)
class Settings:
    env: str = "dev"
    pages: int = 3
    token: Secret[str] = Secret("")


settings = tree.params(Settings)
assert_type(settings, Params[Settings])
assert_type(settings.output.token, Secret[str])
assert_type(Secret(b"").reveal(), bytes)
assert_type(settings.output, Settings)
assert_type(settings.output.env, str)
assert_type(with_node.output, bytes)
assert_type(with_node.maybe, bytes | None)
assert_type(with_node.outcome, Outcome[bytes])
assert_type(in_thread.maybe, int | None)
assert_type(spawner.maybe, list[bytes] | None)
assert_type(stepper.outcome, Outcome[int])
assert_type(plain_group.maybe, str | None)
assert_type(checks.outcome, Outcome[None])
assert_type(stepping_group.optional, OptionalEdge)


def is_prod(node: TaskNode, env: str = settings.output.env, size: int | None = in_thread.maybe) -> bool:
    return env == "prod" and bool(size)


def has_pages(pages: list[bytes] = spawner.output, out: Outcome[int] = stepper.outcome) -> bool:
    return out.ok and bool(pages)


@tree.task(when=is_prod, depends_on=[stepper.optional, checks.optional, in_thread])
async def published(
    whole: Settings = settings.output,
    number: int = settings.output.pages,
    *,
    raw: bytes | None = with_node.maybe,
    out: Outcome[list[bytes]] = spawner.outcome,
    size: float = in_thread.output,
) -> str:
    assert_type(out.value, list[bytes])
    assert_type(out.error, BaseException | None)
    return whole.env


@tree.group(when=has_pages, max_parallel=3, max_queued=3)
def steps_of_a_group(node: TaskNode, word: str = published.output) -> SyncSpawns[dict[str, int]]:
    yield [in_thread.child(b"")]
    return {word: 1}


@tree.group(when=is_prod)
def named_group(node: TaskNode, word: str) -> str:
    return word


@tree.group
async def spawning_group(count: int) -> Spawns[int]:
    yield spawner_without_node.child(count)
    yield Return(count)


sync_group_with_node: SyncGroup[[str], str] = named_group
async_spawning_group: Group[[int], int] = spawning_group
assert_type(named_group("w"), str)
children_of_groups = (
    assert_type(steps_of_a_group.child(), Child[dict[str, int]]),
    assert_type(spawning_group.child(3).with_options(tags=["x"]), Child[int]),
)


# -- bodies swapped for a test ----------------------------------------------------------------------------------------


async def fake_page(url: str) -> bytes:
    return b""


async def fake_page_with_node(node: TaskNode, url: str) -> bytes:
    return b""


def fake_count(page: bytes) -> int:
    return 0


async def fake_count_with_node(node: TaskNode, page: bytes) -> int:
    return 0


async def fake_pages(count: int) -> list[bytes]:
    return []


def without_a_node(word: str) -> str:
    return word


def overrides() -> None:
    assert_type(with_node.override(fake_page), AbstractContextManager[None])
    with with_node.override(fake_page), with_node.override(fake_page_with_node):
        assert_type(with_node.run_sync("u").value, bytes)
    with in_thread.override(fake_count), in_thread.override(fake_count_with_node):
        assert_type(in_thread(b""), int)
    with spawner.override(fake_pages):
        assert_type(spawner.run_sync(3).value, list[bytes])
    with named_group.override(without_a_node):
        pass


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
    assert_type(await tree.run(env="prod", pages=5), ExecutionResult[None])
    assert_type(tree.build(env="prod"), TaskTree)
    assert_type(await checks.run(env="prod", config=None), ExecutionResult[None])
    assert_type(plain_group.run_sync("w").value, str)
    assert_type((await plain_group.run("w")).success, bool)
    assert_type(spawning_group.build(3), TaskTree)
    assert_type(steps_of_a_group.run_sync().value, dict[str, int])
    assert_type(named_group.build(word="w"), TaskTree)
    assert_type((await runner.run(tree.build(), HowToRun(config, None))).success, bool)


def results(result: ExecutionResult[None]) -> None:
    assert_type(result[with_node], bytes)
    assert_type(result[spawner], list[bytes])
    assert_type(result.all(in_thread), list[int])
    assert_type(result[checks], None)
    assert_type(result[plain_group], str)
    assert_type(result.all(steps_of_a_group), list[dict[str, int]])
    assert_type(result.value, None)
    assert_type(result.failed_nodes, list[TaskNode])
    assert_type(with_node.nodes_in(result.tree), list[TaskNode])
    assert_type(spawning_group.label, str)


async def runs_of_tests(treetask_run: TreeTaskRun, builder: TreeBuilder) -> None:
    assert_type(treetask_run(tree, env="prod"), RecordedResult[None])
    assert_type(treetask_run(with_node, "u").value, bytes)
    assert_type(treetask_run(spawning_group, 3, env="prod", config=TreeTaskConfig()).value, int)
    assert_type(treetask_run(builder).recorder, Recorder)
    assert_type((await treetask_run.async_(builder.build())).failure, TreeFailed | TreeCancelled | None)
    assert_type((await treetask_run.async_(stepper, "w"))[with_node], bytes)


handle: Handle[bytes] = with_node
spawnable: Spawnable[[str], bytes] = with_node
template: Template = with_node


# -- stored tasks -----------------------------------------------------------------------------------------------------


async def stored_tasks(config: list[dict[str, Any]]) -> None:
    """The task manager, as the programs that it is for use it."""
    session = create_session()
    assert_type(session, Store)
    manager = TaskManager(session, executors=tree, params={"env": "prod"}, config=TreeTaskConfig(max_concurrency=4))
    repository = manager.task_repository
    root = await repository.create_task(name="root", user_id="ada", priority=1)
    assert_type(root, TaskRecord)
    needed: list[TaskDependency] = [{"id": root.id, "required": True}, {"id": root.id, "as": "raw"}]
    child = await repository.create_task(name="child", parent_id=root.id, inputs={"a": 1}, dependencies=needed)
    await repository.create_task(name="child", dependencies=[root.id, {"id": child.id}])
    node = TaskTreeNode(root)
    assert_type(node.add_child(TaskTreeNode(child)), TaskTreeNode)
    assert_type(await manager.distribute_task_tree(node, on_update=lambda tree: None), TaskTreeNode)
    assert_type((await repository.get_task_by_id(child.id)).status, TaskState)
    is_done: bool = node.task.status == "completed"
    assert_type(node.calculate_progress(), float)
    assert_type(node.calculate_status(), TaskState)
    assert_type(await repository.list_tasks(status="failed", roots=is_done), list[TaskRecord])
    assert_type(await repository.update_task(child.id, status="pending", inputs=None), TaskRecord)
    assert_type(await repository.delete_task(root.id, subtree=True), int)
    assert_type(await build_tree_from_tasks(manager, config), TaskTreeNode)
