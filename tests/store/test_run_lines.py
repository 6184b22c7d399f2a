"""A run on record, as lines: they tell what the events told while it lasted, as far as that is on record."""

from __future__ import annotations

import anyio
import pytest

from treetask import AsyncExecutor, Registry, Retry, Spawns, TaskNode, TaskStatus, TreeFailed
from treetask.events import EndLine, EventWriter, Replay, StartLine, StoryNode, lines_of, story_of
from treetask.store import NewRun, Origin, Store, UnknownRunError, run_lines


def pipeline() -> Registry:
    """A pipeline with every kind of end, attempts that are repeated, a spawner and a log."""
    tree = Registry("site", on_failure="continue")

    @tree.task(retry=Retry(on=OSError, attempts=3, wait_initial=0.01, wait_max=0.01))
    async def fetch(node: TaskNode, page: str) -> None:
        if page == "bad" or (page == "flaky" and not node.retry_count):
            raise OSError(f"503 {page}")

    @tree.group
    async def crawl() -> Spawns[None]:
        yield [fetch.child(page) for page in ("index", "bad", "flaky")]

    @tree.task(depends_on=[crawl])
    async def publish() -> None: ...

    @tree.task(max_retries=0)
    async def shout(node: TaskNode) -> None:
        await node.run_process("echo loud; exit 3")

    @tree.task(timeout=0, max_retries=0)
    async def late() -> None:
        await anyio.sleep_forever()

    return tree


def told(node: StoryNode) -> tuple[object, ...]:
    """What a node has come to, but for its times."""
    attempts = [(each.number, each.status, [fault.message for fault in each.faults]) for each in node.attempts]
    return node.id, node.name, node.has_body, node.status, attempts, node.failed_below, node.log


def test_lines_agree_with_the_events_of_the_run(store: Store) -> None:
    """In statuses, attempts, times, errors, logs and counts; who was repeated began when it did."""
    written: list[bytes] = []
    tree = pipeline().build()
    executor = AsyncExecutor(tree, store=NewRun(store, Origin(target="app:tree")))
    executor.subscribe(writer := EventWriter(written.append))
    with pytest.raises(TreeFailed):
        anyio.run(executor.run)
    writer.close()

    with store.reading() as connection:
        lines = list(run_lines(connection))
    events, record = story_of(lines_of(written, "events")), story_of(lines)

    assert isinstance(lines[0], StartLine)
    assert isinstance(lines[-1], EndLine)
    assert (record.name, record.run, record.target) == ("site", 1, "app:tree")
    assert (record.status, record.counts) == (events.status, events.counts)
    recorded = {node.id: node for node in record.nodes}
    assert len(recorded) == len(events.nodes)
    shift = events.nodes[0].started_at
    begun = record.nodes[0].started_at
    assert shift is not None
    assert begun is not None
    for node in events.nodes:
        other = recorded[node.id]
        assert told(other) == told(node)
        for one, again in zip(node.attempts, other.attempts, strict=True):
            assert one.started_at - shift == pytest.approx(again.started_at - begun, abs=0.001)
            # It is over when its body is; that counts, and is told, when it is on record.
            assert one.ended_at is not None
            assert again.ended_at is not None
            assert -0.001 <= (one.ended_at - shift) - (again.ended_at - begun) < 10
    replay = Replay(lambda: 0.0)
    for line in lines:
        replay.hear(line)
    assert replay.tree is not None
    assert replay.tree.get_stats() == tree.get_stats()


def test_run_that_was_lost_is_told_as_far_as_it_came(store: Store) -> None:
    """Nothing of it is made up: what ran then runs still, and there is no end."""
    tree = pipeline().build()
    tree.root.name = "The site"
    NewRun(store).open_journal(tree)
    with store.transaction() as connection:
        connection.execute(
            "insert into nodes (run, key, parent, status, attempts, started_at)"
            " values (1, 'site/crawl', 'site', 'working', 1, 5)"
        )
        story = story_of(run_lines(connection, 1))

    assert (story.name, story.status) == ("The site", TaskStatus.WORKING)
    assert [(node.id, node.status, node.parent) for node in story.nodes] == [
        ("site", TaskStatus.PENDING, -1),
        ("site/crawl", TaskStatus.WORKING, 0),
    ]


def test_run_that_is_not_there_is_refused(store: Store) -> None:
    """As everywhere."""
    with store.reading() as connection, pytest.raises(UnknownRunError, match="no run 7"):
        run_lines(connection, 7)
