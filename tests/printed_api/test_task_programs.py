"""What the tutorial on trees of tasks shows runs as printed, its import changed; and programs of our own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.printed_api.programs import run_program
from tests.printed_api.task_programs import OWN, PRINTED
from tests.printed_api.task_reading import printed_tutorial, read_fragments, read_helper, read_programs
from treetask.store import Store, TaskManager, TaskRecord, TaskTreeNode, build_tree_from_tasks

#: The programs leave their store to the end of the process, which Python 3.13 remarks on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def tutorial() -> str:
    """The printed tutorial."""
    text = printed_tutorial()
    if text is None:
        pytest.skip("TREETASK_SHARED names no folder with the tutorial")
    return text


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs a program in a folder of its own, with `asyncio.run` on either event loop."""
    monkeypatch.chdir(tmp_path)
    backend: str = request.param

    def run_on_trio(main: Coroutine[Any, Any, None]) -> None:
        async def call() -> None:
            await main

        anyio.run(call, backend=backend)

    if backend == "trio":
        monkeypatch.setattr(asyncio, "run", run_on_trio)

    def run_as_program(source: str) -> None:
        namespace: dict[str, Any] = {"__name__": "__main__", "build_tree_from_tasks": build_tree_from_tasks}
        exec(compile(source, "<program>", "exec"), namespace)

    return run_as_program


async def statuses_in(folder: Path) -> set[str]:
    """The statuses of all tasks in the default place."""
    with Store(folder / ".treetask" / "journal.db", create=False) as store:
        return {str(task.status) for task in await TaskManager(store).task_repository.list_tasks()}


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_printed_program_runs(
    tutorial: str, number: int, run: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Word by word, but for its import; all its tasks are completed, in the store of the project's folder."""
    programs = read_programs(tutorial)
    assert len(programs) == len(PRINTED)
    run(programs[number])

    assert re.fullmatch(PRINTED[number], capsys.readouterr().out)
    assert anyio.run(statuses_in, tmp_path) == {"completed"}


@pytest.mark.parametrize(("source", "printed"), OWN)
def test_own_program_runs(
    source: str, printed: str, run: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """And prints what it should."""
    run(source)

    assert capsys.readouterr().out == printed


def test_printed_helper_is_no_python(tutorial: str) -> None:
    """So `build_tree_from_tasks` stands in for it, of the same name and with the same arguments."""
    with pytest.raises(SyntaxError, match=r"^'await' outside async function"):
        compile(read_helper(tutorial), "<helper>", "exec")


@pytest.mark.anyio
async def test_printed_fragments_run(tutorial: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The patterns of trees and the operations on one, with the tasks that they speak of."""
    with Store(tmp_path / "tasks.db") as store:
        manager = TaskManager(store)

        async def made(*names: str) -> dict[str, TaskRecord]:
            tasks = await manager.task_repository.create_tasks({"name": name} for name in names)
            return dict(zip(names, tasks, strict=True))

        names: dict[str, Any] = await made(
            "root_task", "child1", "child2", "child3", "grandchild1", "great_grandchild1"
        )
        names["children"] = [*(await made("a", "b", "c")).values()]
        names["grandchildren"] = [*(await made("1", "2", "3", "4", "5", "6")).values()]
        names["TaskTreeNode"] = TaskTreeNode
        flat, deep, balanced, progress, status, traverse = read_fragments(tutorial)

        shapes = [shape_of((await run_program(fragment, **names))["root"]) for fragment in (flat, deep, balanced)]
        assert shapes == [
            "root_task(child1 child2 child3)",
            "root_task(child1(grandchild1(great_grandchild1)))",
            "root_task(a(1 2) b(3 4) c(5 6))",
        ]

        root = (await run_program(flat, **names))["root"]
        for name in ("child1", "child2", "child3"):
            await manager.task_repository.update_task(names[name].id, name="system_info_executor")
        await manager.distribute_task_tree(root)
        for fragment in (progress, status, traverse):
            await run_program(fragment, root=root)

    assert capsys.readouterr().out == (
        "Overall progress: 100.0%\n"
        "Overall status: completed\n"
        "- root_task (status: completed)\n" + 3 * " - system_info_executor (status: completed)\n"
    )


def shape_of(node: TaskTreeNode) -> str:
    """A tree in one line."""
    below = " ".join(shape_of(child) for child in node.children)
    return f"{node.task.name}({below})" if below else node.task.name
