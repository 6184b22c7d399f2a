"""A pipeline with something of everything, which notes what it does in a file that outlives its process."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import anyio

from treetask import (
    JOIN,
    Child,
    Event,
    Registry,
    Retry,
    Return,
    Spawns,
    StatusChanged,
    SyncSpawns,
    TaskNode,
    TaskStatus,
)

#: What `night/total` comes to.
TOTAL = 2_536

#: Nodes whose bodies may run again after they were done, as they always do.
ALWAYS = frozenset({"night/clean_up"})


class Flaky(Exception):
    """What a body raises whose next attempt goes well."""


class Notes:
    """Lines in a file, each of them safe before the next thing happens."""

    def __init__(self, path: Path) -> None:
        #: As long as this is there, no run comes to its end.
        self.hold = path.with_suffix(".hold")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, what: str, about: str) -> None:
        """Note something."""
        os.write(self._file, f"{what} {about}\n".encode())
        os.fsync(self._file)

    def on_event(self, event: Event) -> None:
        """Note what was acknowledged."""
        if isinstance(event, StatusChanged) and event.new.is_terminal:
            word = "ack" if event.new is TaskStatus.DONE and event.node.task_fn is not None else str(event.new)
            self.add(word, event.node.id)


def declared(notes: Notes, seed: int) -> Registry:  # noqa: C901, PLR0915 - a function holds many small ones
    """Return the pipeline, whose bodies take as long as the seed says."""
    chance = Random(seed)
    tries: Counter[str] = Counter()

    def begin(node: TaskNode) -> float:
        notes.add("begin", node.id)
        tries[node.id] += 1
        return chance.choice((0, 0, 0.001, 0.004, 0.02))

    async def work(node: TaskNode) -> None:
        pause = begin(node)
        if pause:
            await anyio.sleep(pause)

    def fail_once(node: TaskNode) -> None:
        if tries[node.id] == 1:
            raise Flaky(node.id)

    again = Retry(on=Flaky, attempts=3, wait_initial=0.002, wait_max=0.01, wait_jitter=0)
    tree = Registry("night")

    @tree.task
    async def load(node: TaskNode) -> list[int]:
        await work(node)
        return [1, 2, 3]

    @tree.task(retry=again)
    def count(node: TaskNode, sites: list[int] = load.output) -> int:
        time.sleep(begin(node))
        fail_once(node)
        return len(sites)

    with tree.group("line", parallel=False) as line:

        @line.task
        async def first(node: TaskNode) -> str:
            await work(node)
            return "one"

        @line.task(retry=again)
        async def second(node: TaskNode, before: str = first.output) -> str:
            await work(node)
            fail_once(node)
            return f"{before} two"

        @line.task(allow_failure=True)
        async def third(node: TaskNode, before: str = second.output) -> None:
            await work(node)
            raise OSError(before)

        @line.task
        async def fourth(node: TaskNode, before: str = second.output) -> int:
            await work(node)
            return len(before)

    @tree.task
    async def page(node: TaskNode, site: int, number: int) -> int:
        await work(node)
        return site * 100 + number

    @tree.task
    async def batch(node: TaskNode, parts: list[int]) -> int:
        await work(node)
        total = 0
        while parts:  # its argument is not what it was
            total += parts.pop()
        return total

    @tree.group(static=False, retry=again)
    async def site(node: TaskNode, number: int) -> Spawns[int]:
        await work(node)
        pages: list[Child[int]] = [page.child(number, each) for each in range(4)]
        yield pages
        yield JOIN
        fail_once(node)
        yield (parts := batch.child([number, number]).keyed("parts"))
        yield Return(sum([await each for each in pages]) + await parts)

    @tree.group
    async def crawl(node: TaskNode, sites: list[int] = load.output) -> Spawns[int]:
        await work(node)
        found: list[Child[int]] = []
        for number in sites:
            yield (one := site.child(number))
            found.append(one)
        yield Return(sum([await each for each in found]))

    @crawl.task
    async def index(node: TaskNode) -> None:
        await work(node)

    @tree.group(parallel=False)
    def steps(node: TaskNode) -> SyncSpawns[int]:
        time.sleep(begin(node))
        total = 0
        for number in range(4):
            one: Child[int] = page.child(0, number)
            yield one
            total += one.result
        return total

    @tree.task
    async def late(node: TaskNode) -> None:
        await work(node)
        node.add_child(TaskNode("night/late/a", task_fn=work))
        node.add_child(TaskNode("night/late/b", task_fn=work, depends_on=["night/late/a"]))

    @tree.task(depends_on=[line, late])
    async def total(
        node: TaskNode,
        counted: int = count.output,
        crawled: int = crawl.output,
        stepped: int = steps.output,
        long: int = fourth.output,
    ) -> int:
        await work(node)
        while notes.hold.exists():  # noqa: ASYNC110 - another process takes it away
            await anyio.sleep(0.005)
        return counted + crawled + stepped + long + 90

    @tree.task(always=True)
    async def clean_up(node: TaskNode) -> None:
        await work(node)

    return tree
