"""From a declaration to its result: trees that are run, on both event loops."""

from __future__ import annotations

import pytest

from treetask import (
    JOIN,
    InternalError,
    Registry,
    Return,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.dsl import HowToRun, Runner, install_runner
from treetask.dsl import _run as run_module
from treetask.model import ExecutionResult, TaskTree

pytestmark = pytest.mark.anyio


async def test_pipeline_runs_in_order_with_its_data() -> None:
    """Async and plain bodies take each other's outputs, whatever the order of their ends."""
    tree = Registry("nightly")

    @tree.task
    async def extract(node: TaskNode) -> bytes:
        node.progress = (1, 1)
        return b"a b c"

    @tree.task
    def count(raw: bytes = extract.output) -> int:
        return len(raw.split())

    with tree.group("checks") as checks:

        @checks.task(depends_on=[extract])
        async def positive(words: int = count.output) -> bool:
            return words > 0

    @tree.task
    async def publish(words: int = count.output, fine: bool = positive.output) -> str:
        return f"{words} {fine}"

    result = await tree.run()

    assert result.success
    assert (result[extract], result[count], result[positive], result[publish]) == (b"a b c", 3, True, "3 True")
    assert result[checks] is None
    assert result.tree.root.id == "nightly"


async def test_spawners_of_every_sort_run() -> None:
    """Async and plain ones, tasks and groups, with children placed, yielded one by one and in lists."""
    tree = Registry("t")

    @tree.task
    async def double(number: int) -> int:
        return 2 * number

    @tree.group
    async def evens(count: int = 3) -> Spawns[list[int]]:
        yield (first := double.child(100))
        children = [double.child(number) for number in range(count)]
        yield children
        yield JOIN
        yield Return([await first, *(child.result for child in children)])

    with evens.group("placed") as placed:

        @placed.task
        def also() -> str:
            return "also"

    @tree.task
    def stepper(node: TaskNode, numbers: list[int] = evens.output) -> SyncSpawns[int]:
        children = [double.child(number) for number in numbers]
        yield children
        yield JOIN
        return sum(child.result for child in children)

    result = await tree.run()

    assert result[evens] == [200, 0, 2, 4]
    assert result[stepper] == 412
    assert result[also] == "also"
    assert sorted(result.all(double)) == sorted([200, 0, 2, 4, 400, 0, 4, 8])
    assert [node.id for node in double.nodes_in(result.tree)][:2] == ["t/evens/double[100]", "t/evens/double[0]"]


async def test_spawned_groups_run_with_what_is_below_them() -> None:
    """Each with its own nodes and its own data."""
    tree = Registry("t")

    @tree.group
    async def folder(name: str) -> str:
        return name

    @folder.task
    async def read() -> str:
        return "read"

    @folder.task
    def parse(text: str = read.output) -> str:
        return f"{text} and parsed"

    @tree.task
    async def both() -> Spawns[None]:
        yield [folder.child("a"), folder.child("b")]

    result = await tree.run()

    assert (result.all(folder), result.all(parse)) == (["a", "b"], ["read and parsed"] * 2)


async def test_node_can_spawn_a_declared_task() -> None:
    """Typed like a call, awaited like one."""
    tree = Registry("t")

    @tree.task
    async def fetch(url: str) -> str:
        return url.upper()

    @tree.task
    async def crawl(node: TaskNode) -> str:
        return await node.spawn(fetch, "u")

    result = await tree.run()

    assert result[crawl] == "U"
    assert result.tree.find("t/crawl/fetch[u]") is not None


async def test_task_runs_alone_with_its_arguments() -> None:
    """A task, a template, a group and a spawner as the root."""
    tree = Registry("t")

    @tree.task
    async def extract() -> bytes:
        return b"ran"

    @tree.task
    async def parse(word: str, raw: bytes = extract.output) -> str:
        return f"{word} {raw.decode()}"

    @tree.group
    def folder(node: TaskNode, name: str) -> str:
        return f"{node.id} {name}"

    @folder.task
    async def inside() -> int:
        return 1

    @tree.task
    async def spawner(number: int) -> Spawns[int]:
        yield (child := folder.child(str(number)))
        await child
        yield Return(number)

    assert (await parse.run("w", raw=b"given")).value == "w given"
    alone = await folder.run("docs")
    assert (alone.value, alone[inside]) == ("t/folder docs", 1)
    assert (await spawner.run(number=4)).value == 4


async def test_part_that_spawns_what_needs_more_names_what_has_both() -> None:
    """What a spawner needs is known when its children come in; the fix is the same as for declared ones."""
    tree = Registry("t")

    with tree.group("in") as sources:

        @sources.task
        async def load() -> str:
            return "raw"

        @sources.task
        async def fetch(url: str, raw: str = load.output) -> str:
            return url + raw

        @sources.group
        async def crawl() -> Spawns[str]:
            yield (page := fetch.child("u "))
            yield Return(await page)

    assert (await sources.run())[crawl] == "u raw"
    with pytest.raises(TreeFailed) as caught:
        await crawl.run()
    assert [str(error) for error in caught.value.exceptions] == [
        "task 't/in/crawl/fetch[u ]' depends on 't/in/load', which is not part of this run; run 't/in', which has both"
    ]


async def test_failure_is_raised_with_the_result() -> None:
    """What depends on the failed task is skipped; a body that catches a child's failure goes on."""
    tree = Registry("t", on_failure="continue")

    @tree.task
    async def fails() -> int:
        raise ValueError("503")

    @tree.task
    async def after(number: int = fails.output) -> int:
        return number

    @tree.task(static=False)
    async def breaks() -> None:
        raise OSError("gone")

    @tree.task
    async def catches() -> Spawns[str]:
        yield (child := breaks.child())
        try:
            await child
        except TaskFailed as failure:
            yield Return(f"caught {failure.__cause__}")

    with pytest.raises(TreeFailed) as failed:
        await tree.run()

    result = failed.value.result
    assert [str(error) for error in failed.value.exceptions] == ["503"]
    assert [node.status for node in after.nodes_in(result.tree)] == ["skipped"]
    assert result[catches] == "caught gone"


async def test_declared_task_is_not_retried_unless_it_says_so() -> None:
    """The config's retries are for trees that are built directly."""
    tree = Registry("t", on_failure="continue")
    attempts: list[str] = []

    @tree.task
    async def once() -> None:
        attempts.append("once")
        raise ValueError

    @tree.task(max_retries=2)
    async def thrice() -> None:
        attempts.append("thrice")
        raise ValueError

    with pytest.raises(TreeFailed):
        await tree.run(config=TreeTaskConfig(max_retries=5))

    assert sorted(attempts) == ["once", "thrice", "thrice", "thrice"]


def test_run_sync_runs_outside_a_loop() -> None:
    """The same, for plain code; a group and a registry alike."""
    tree = Registry("t")
    with tree.group("checks") as checks:

        @checks.task
        async def lint() -> float:
            return 9.5

    assert tree.run_sync()[lint] == 9.5
    assert checks.run_sync(config=TreeTaskConfig(max_concurrency=1))[lint] == 9.5


class Recording:
    """A runner that notes what it was handed."""

    def __init__(self) -> None:
        self.told: list[tuple[str, TreeTaskConfig | None]] = []

    async def run(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[object]:
        return self.run_sync(tree, how)

    def run_sync(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[object]:
        self.told.append((tree.root.id, how.config))
        return ExecutionResult(tree)


async def test_runner_is_handed_the_tree_and_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is installed runs the trees of registries and of tasks."""
    recording = Recording()
    runner: Runner = recording
    monkeypatch.setattr(run_module, "_runner", run_module._runner)
    install_runner(runner)
    tree = Registry("t")
    config = TreeTaskConfig()

    @tree.task
    async def fetch(url: str = "") -> None: ...

    tree.run_sync()
    await tree.run(config=config)
    fetch.run_sync("u")
    fetch.run_sync("u", config=config)
    await fetch.run(config=config)

    assert recording.told == [
        ("t", None),
        ("t", config),
        ("t/fetch", None),
        ("t/fetch", config),
        ("t/fetch", config),
    ]


async def test_package_without_an_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can only be our own mistake."""
    monkeypatch.setattr(run_module, "_runner", run_module._NoRunner())

    with pytest.raises(InternalError, match=r"^'t' cannot run: `import treetask` installed no engine$"):
        await Registry("t").run()
