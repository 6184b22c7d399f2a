"""A group of which only numbers are kept."""

from __future__ import annotations

import anyio

from treetask import Registry, Spawns

MANY = 300
MOST_KEPT = 120
"""Done children that are left of many, while few are live: as many as one batch, and what came in its last turn."""


def crawler(count: int = MANY, *, max_queued: int = 5, timeout: float | None = None) -> Registry:
    """A registry with a group that spawns many pages."""
    tree = Registry("nightly")

    @tree.task
    async def page(number: int) -> int:
        await anyio.sleep(number % 3)
        return number

    @tree.group(keep_done="rollup", max_queued=max_queued, max_parallel=3, timeout=timeout)
    async def crawl() -> Spawns[None]:
        for number in range(count):
            yield page.child(number)

    return tree
