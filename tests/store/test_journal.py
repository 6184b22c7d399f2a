"""What a run leaves on record, the same in both stores and on both event loops."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import ended, fail, fails_times, node_of, ok, statuses
from treetask import (
    AsyncExecutor,
    DefinitionError,
    Registry,
    Spawns,
    TaskNode,
    TaskStatus,
    TreeBuilder,
    TreeCancelled,
    TreeTaskConfig,
    optional,
)
from treetask.store import JournalError, NewRun, Origin, RunStatus, Store

#: The attempts that were repeated; of the last one there is only the beginning.
OVER = "select key, number, status, error from attempts where ended_at is not null order by key, number"

pytestmark = pytest.mark.anyio


def nodes(store: Store, *columns: str) -> dict[str, tuple[Any, ...]]:
    """Return what is on record of the nodes of the newest run."""
    with store.reading() as connection:
        rows = connection.rows(f"select key, {', '.join(columns)} from nodes where run = ?", (store.run().id,))
    return {row[0]: tuple(row[1:]) for row in rows}


async def test_every_end_is_on_record(store: Store) -> None:
    """Statuses, attempts, errors and reasons of all nodes that came to an end."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(on_failure="continue", max_retries=0))
        .add_child("good", task=ok)
        .add_child("bad", task=fail)
        .add_child("third", task=fails_times(2), max_retries=2)
        .add_child("after", task=ok, depends_on=["bad"])
        .add_child("anyway", task=ok, depends_on=[optional("bad"), "good"])
        .build()
    )
    await ended(AsyncExecutor(tree, store=store))
    assert nodes(store, "parent", "status", "attempts", "error", "reason") == {
        "root": (None, "failed", 1, None, "'bad' failed"),
        "good": ("root", "done", 1, None, None),
        "bad": ("root", "failed", 1, "bad is broken", None),
        "third": ("root", "done", 3, None, None),
        "after": ("root", "skipped", 0, None, "'bad' failed"),
        "anyway": ("root", "done", 1, None, None),
    }
    with store.reading() as connection:
        attempts = connection.rows(OVER)
        needs = connection.rows("select key, needs, optional from dependencies order by key, needs")
    assert attempts == [("third", 1, "retrying", "attempt 1"), ("third", 2, "retrying", "attempt 2")]
    assert needs == [("after", "bad", 0), ("anyway", "bad", 1), ("anyway", "good", 0)]


async def test_run_is_on_record_with_where_it_came_from(store: Store) -> None:
    """Who drove it, how it ended and how many nodes came to what."""
    tree = TreeBuilder("root", "The root").add_child("a", task=ok).build()
    origin = Origin(target="app:tree", folder="/work", params='{"n":1}', options={"only": ["a"]})
    await AsyncExecutor(tree, store=NewRun(store, origin)).run()
    record = store.run()
    assert (record.root, record.name, record.status, record.error) == ("root", "The root", RunStatus.DONE, None)
    assert (record.origin, record.resumes) == (origin, 0)
    assert record.counts is not None
    assert {name: count for name, count in record.counts.items() if count} == {"done": 1, "total": 1}
    assert record.ended_at is not None
    assert record.started_at <= record.ended_at
    assert [each.id for each in store.runs()] == [record.id]


async def test_done_means_on_record(store: Store) -> None:
    """Whoever is told that a node is done finds it so in the store."""
    found: list[tuple[str, str]] = []

    def look(node: TaskNode) -> None:
        if node.task_fn is not None:
            found.append((node.id, nodes(store, "status")[node.id][0]))

    tree = TreeBuilder("root", parallel=False).add_child("a", task=ok).add_child("b", task=ok).build()
    await AsyncExecutor(tree, on_node_complete=look, store=store).run()
    assert found == [("a", "done"), ("b", "done")]


async def test_spawned_children_are_on_record_by_key(store: Store) -> None:
    """With what tells their arguments, and the log that they have left."""
    tree = Registry("t")

    @tree.task
    async def page(url: str) -> int:
        return len(url)

    @tree.group
    async def crawl() -> Spawns[None]:
        yield page.child("a")
        yield page.child("bb")

    await tree.run(store=store)
    assert nodes(store, "declaration", "fingerprint", "is_stored") == {
        "t": ("t", None, 1),
        "t/crawl": ("t/crawl", None, 1),
        "t/crawl/page[a]": ("t/crawl/page", "str", 1),
        "t/crawl/page[bb]": ("t/crawl/page", "str", 1),
    }
    with store.reading() as connection:
        durations = connection.rows("select declaration, count from durations order by declaration")
    assert durations == [("t/crawl/page", 2)]


async def test_result_that_cannot_be_stored_is_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The node is done, and one warning says for all of its kind what to do."""
    tree = Registry("t")

    @tree.task
    async def odd(n: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as users write
        return {n: object()}

    @tree.group
    async def all_of_them() -> Spawns[None]:
        for n in range(5):
            yield odd.child(n)

    with caplog.at_level(logging.WARNING, "treetask"):
        assert (await tree.run(store=store)).success
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("the result of 't/all_of_them/odd[0]' is not stored: ")
    assert said.endswith(". Should the run be resumed, it runs again if that is needed")
    assert nodes(store, "status", "is_stored")["t/all_of_them/odd[3]"] == ("done", 0)


async def test_log_of_a_process_is_on_record(store: Store) -> None:
    """The last lines that a body has put out, with characters that no database takes made visible."""

    async def talk(node: TaskNode) -> None:
        await node.run_process("printf 'one\\ntwo \\000 three\\n'")

    tree = TreeBuilder("root").add_child("a", task=talk).build()
    await AsyncExecutor(tree, store=store).run()
    with store.reading() as connection:
        assert connection.rows("select key, lines from logs") == [("a", "one\ntwo \\x00 three")]


@pytest.mark.parametrize(
    "name", ["tab\there", "nul\0", "lone \udc80 surrogate", "emoji 🎉 and 漢字", "x" * 5000, "'; drop table nodes"]
)
async def test_hostile_id_is_on_record(store: Store, name: str) -> None:
    """Whatever an id, an error or a reason holds, it is written, and found again."""

    async def complain(node: TaskNode) -> None:
        raise OSError(f"{node.id} is broken")

    tree = TreeBuilder("root", name).add_child(name, task=complain, max_retries=0).build()
    await ended(AsyncExecutor(tree, store=store))
    assert store.run().status is RunStatus.FAILED
    again = TreeBuilder("root", name).add_child(name, task=ok).build()
    await AsyncExecutor(again, store=store.resume()).run()
    assert len(nodes(store, "status")) == 2


async def test_cancelled_run_is_on_record(store: Store) -> None:
    """As it ended, with its reason."""

    async def cancel(node: TaskNode) -> None:
        executor.cancel("enough")

    tree = TreeBuilder("root").add_child("a", task=cancel).build()
    executor = AsyncExecutor(tree, store=store)
    with pytest.raises(TreeCancelled):
        await executor.run()
    assert (store.run().status, store.run().error) == (RunStatus.CANCELLED, "enough")


async def test_writer_that_fails_stops_the_run(tmp_path: Path) -> None:
    """With the store's own error; what was on record is kept, and nothing else counts as done."""
    store = Store(tmp_path / "store.db")

    async def sabotage(node: TaskNode) -> None:
        with store.transaction() as connection:
            connection.execute("drop table nodes")

    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("a", task=ok)
        .add_child("b", task=sabotage)
        .add_child("c", task=ok)
        .build()
    )
    with pytest.raises(Exception, match=r"no such table") as caught:
        await AsyncExecutor(tree, store=store).run()
    assert isinstance(caught.value, JournalError)
    assert statuses(tree) == {"root": "cancelled", "a": "done", "b": "cancelled", "c": "cancelled"}
    assert node_of(tree, "b").reason == f"not on record: {caught.value}"


async def test_store_that_cannot_be_opened_is_refused_before_the_run(tmp_path: Path) -> None:
    """Nothing has run then."""
    (tmp_path / "notes.db").write_text("this is no database, but it is somebody's text" * 100)
    ran: list[str] = []

    async def body(node: TaskNode) -> None:
        ran.append(node.id)

    tree = TreeBuilder("root").add_child("a", task=body).build()
    with pytest.raises(Exception, match=r"notes\.db") as caught:
        await AsyncExecutor(tree, store=tmp_path / "notes.db").run()
    assert (type(caught.value).__name__, ran) == ("StoreCorruptedError", [])


async def test_tree_that_cannot_run_leaves_no_run_that_seems_to_last(store: Store) -> None:
    """What is refused is on record as failed."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    tree.root.add_child(TaskNode("b", task_fn=ok, depends_on=["nowhere"]))
    with pytest.raises(DefinitionError):
        await AsyncExecutor(tree, store=store).run()
    assert [each.status for each in store.runs()] == [RunStatus.FAILED]


async def test_run_in_a_place_closes_what_it_opened(tmp_path: Path) -> None:
    """A path is enough; the file is there afterwards, and free."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(tree, store=str(tmp_path / "runs.db")).run()
    with Store(tmp_path / "runs.db", create=False) as store:
        assert store.run().status is RunStatus.DONE


async def test_node_is_on_record_with_the_parent_that_it_had(store: Store) -> None:
    """Though it is out of the tree when its row is made, as what a failed attempt has added."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    node = node_of(tree, "a")
    journal = NewRun(store).open_journal(tree)
    with store.transaction():  # the writer waits for it, in SQLite
        journal.begin(lambda: 0.0, lambda _nodes: None, lambda _error: None)
        tree.move(node, TaskStatus.CANCELLED, 0.0)
        journal.status_changed(node, TaskStatus.PENDING, TaskStatus.CANCELLED, 0.0)
        tree.root.remove_child(node)
    journal.close()
    assert nodes(store, "parent", "status") == {"a": ("root", "cancelled")}


@pytest.mark.parametrize("folder", ["/srv/\udcff", "/a\\id:b", "\\id:\x00", "/" + "long/" * 800])
async def test_folder_of_any_name_comes_back(store: Store, folder: str) -> None:
    """The name of a folder is any bytes, on Linux."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(tree, store=NewRun(store, Origin(target=f"{folder}/app.py:tree", folder=folder))).run()
    assert (store.run().origin.folder, store.run().origin.target) == (folder, f"{folder}/app.py:tree")
