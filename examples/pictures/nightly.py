"""A night's work for the README's pictures: pages that are slow, pages that fail, and what waits for them.

    python -m treetask examples/pictures/nightly.py:tree

It fetches nothing: the same pages are slow, and fail, each time.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from urllib.error import URLError

import anyio

from treetask import Child, Registry, Retry, Spawns

SECTIONS = ("archive", "blog", "docs", "news", "shop")
PAGES = 80

tree = Registry("nightly")
#: How often each page was asked for.
tries: Counter[str] = Counter()


@tree.task(retry=Retry(on=URLError, attempts=3, wait_initial=2.0))
async def fetch(page: str) -> int:
    """Fetch one page, or fail as pages do."""
    tries[page] += 1
    chance = Random(f"{page} {tries[page]}")  # noqa: S311 - chance, not a secret
    await anyio.sleep(chance.expovariate(1.2))
    if page.endswith("/7.html") or chance.random() < 0.02:
        raise URLError("503 Service Unavailable")
    return 1


@tree.group(max_parallel=16, on_failure="continue")
async def crawl() -> Spawns[int]:
    """Fetch all pages of all sections."""
    pages: list[Child[int]] = [
        fetch.child(f"{section}/{number}.html") for number in range(PAGES) for section in SECTIONS
    ]
    yield pages


@tree.task
async def row(number: int) -> None:
    """Read one row."""
    await anyio.sleep(0.015)


@tree.group(max_parallel=8)
async def extract() -> Spawns[None]:
    """Read what was there before."""
    yield [row.child(number) for number in range(1_000)]


@tree.task(depends_on=[crawl])
async def checks() -> None:
    """Look for broken links."""
    await anyio.sleep(0.3)


@tree.task(depends_on=[checks, extract])
async def publish() -> None:
    """Put it online."""
    print("published")
