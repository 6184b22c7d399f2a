"""A pipeline that uses all there is to declare; both type checkers accept it, and a test runs it."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio

from treetask import JOIN, Outcome, Registry, Retry, Return, Spawns, TaskFailed, TaskNode

tree = Registry("app")  # the module's registry


@dataclass(frozen=True)
class Settings:  # -> the command line: --env prod --pages 5, or --set env=prod
    env: str = "dev"
    pages: int = 3


settings = tree.params(Settings)
api = tree.limit("api", max_concurrency=4, per_second=10)


@tree.resource
async def session() -> AsyncGenerator[list[str], None]:  # opened for its first user, closed after the last
    opened: list[str] = []
    yield opened
    opened.clear()


@tree.task(retry=Retry(on=OSError, attempts=4), timeout=30.0, limits=[api], tags=["net"])
async def fetch(node: TaskNode, url: str, *, conn: list[str] = session.output, tries: int = 1) -> bytes:
    node.progress = (1, 1)
    conn.append(url)
    return f"{url} {tries}".encode()


@tree.task
def count_words(page: bytes) -> int:  # plain def: runs in a worker thread
    return len(page.split())


@tree.group(parallel=False, on_failure="finish")  # `python -m treetask app:release` runs it alone
async def release(node: TaskNode) -> None:
    node.data["who"] = sys.argv[0]


@release.group(parallel=True, on_failure="continue", max_parallel=8, max_queued=32)
async def crawl(node: TaskNode, pages: int = settings.output.pages) -> Spawns[dict[str, int]]:
    words: dict[str, int] = {}
    urls = [f"https://example.com/{i}" for i in range(pages)]
    try:
        jobs = [fetch.child(u).keyed(u) for u in urls]
        yield jobs  # attach and start all, held back by `max_queued`
        for url, job in zip(urls, jobs, strict=True):
            try:
                page = await job  # bytes, statically; awaiting claims its failure
            except TaskFailed:
                continue  # handled: the group goes on
            yield (n := count_words.child(page).keyed(url))
            words[url] = await n
        yield JOIN  # run static children, wait for everything so far
    finally:
        await anyio.lowlevel.checkpoint()  # teardown: after every child is down
    yield Return(words)


with release.group("checks", parallel=True) as checks:

    @checks.task(depends_on=[crawl])
    async def non_empty(words: dict[str, int] = crawl.output) -> None:
        assert words

    @checks.task(allow_failure=True, priority=5)
    async def lint() -> float:
        return 9.5


def in_prod(env: str = settings.output.env) -> bool:
    return env == "prod"


@release.task(when=in_prod, depends_on=[checks, lint.optional])
async def publish(
    words: dict[str, int] = crawl.output, score: float | None = lint.maybe, env: str = settings.output.env
) -> str:
    return f"{env}: {len(words)} pages, lint {score}"


@release.task(always=True)  # finalizer: runs whatever happened before
async def notify(out: Outcome[str] = publish.outcome) -> None:
    print("ok" if out.ok else out.error)


async def test_publish() -> None:  # call it: no engine, no mocks
    assert await publish(words={"a": 1}, score=None, env="x") == "x: 1 pages, lint None"


async def fake(url: str, *, conn: list[str] = session.output, tries: int = 1) -> bytes:
    return b"one two"


def test_release() -> None:
    with fetch.override(fake):
        run = release.run_sync()
    total: dict[str, int] = run[crawl]  # results by handle, typed
    assert run.success and sum(total.values()) == 6 and run.all(fetch) == [b"one two"] * 3
