"""What is read of the runs on record, in every store."""

from __future__ import annotations

import pytest

from treetask import Registry, Retry, Spawns, TaskNode, TaskStatus, TreeFailed
from treetask.store import RunEndings, Store, find_run, node_records, status_counts, tasks_done

LONG = "x" * 2_000


@pytest.fixture
def run(store: Store) -> int:
    """A run with every kind of end; the number of it."""
    tree = Registry("site", on_failure="continue")

    @tree.task(retry=Retry(on=OSError, attempts=2, wait_initial=0, wait_max=0))
    async def fetch(node: TaskNode, page: str) -> str:
        if page == "bad":
            raise OSError(f"503 \0 {node.retry_count}")
        return page

    @tree.group
    async def crawl() -> Spawns[None]:
        yield [fetch.child(page) for page in ("index", "bad", LONG)]

    @tree.task(depends_on=[crawl])
    async def publish() -> None: ...

    @tree.task(timeout=0)
    async def late(node: TaskNode) -> None:
        import anyio

        await anyio.sleep_forever()

    with pytest.raises(TreeFailed):
        tree.run_sync(store=store)
    with store.reading() as connection:
        return find_run(connection).id


def test_nodes_are_read_as_they_were(store: Store, run: int) -> None:
    """In the order in which they began, with the attempts before the last one."""
    with store.reading() as connection:
        nodes = {node.id: node for node in node_records(connection, run)}
        counts = status_counts(connection, run)
        done = tasks_done(connection, run)

    assert next(iter(nodes)) == "site"
    assert nodes["site/crawl"].parent == "site"
    bad = nodes["site/crawl/fetch[bad]"]
    assert (bad.name, bad.status, bad.attempts, bad.error) == ("fetch[bad]", TaskStatus.FAILED, 2, r"503 \x00 1")
    assert [(each.number, each.error) for each in bad.earlier] == [(1, r"503 \x00 0")]
    assert nodes["site/publish"].reason == "'site/crawl' failed"
    assert nodes["site/publish"].started_at is None
    assert counts == {"done": 2, "failed": 1, "skipped": 1, "timed_out": 1}
    assert done == 2


def test_endings_mean_what_ended_so_by_itself(store: Store, run: int) -> None:
    """Not what failed because something below it did; what timed out has failed as well."""
    with store.reading() as connection:
        endings = RunEndings(connection, run)
        ids = [node.id for node in node_records(connection, run)]

    def meant(status: TaskStatus) -> set[str]:
        return {each for each in ids if endings.means(status, each)}

    assert meant(TaskStatus.FAILED) == {"site/crawl/fetch[bad]", "site/late"}
    assert meant(TaskStatus.TIMED_OUT) == {"site/late"}
    assert meant(TaskStatus.SKIPPED) == {"site/publish"}
    assert "site/crawl/fetch[index]" in meant(TaskStatus.DONE)
    assert meant(TaskStatus.CANCELLED) == set()
    assert meant(TaskStatus.PENDING) == set()
    assert endings.means(TaskStatus.PENDING, "site/never")
    assert endings.run == f"run {run}"


def test_endings_know_below_what_they_are(store: Store, run: int) -> None:
    """So that a body is run which may spawn what is meant."""
    with store.reading() as connection:
        endings = RunEndings(connection, run)

    assert endings.means_below(TaskStatus.FAILED, "site")
    assert endings.means_below(TaskStatus.FAILED, "site/crawl")
    assert not endings.means_below(TaskStatus.FAILED, "site/crawl/fetch[bad]")
    assert not endings.means_below(TaskStatus.SKIPPED, "site/crawl")
    assert endings.means_below(TaskStatus.PENDING, "site/crawl")
