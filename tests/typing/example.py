"""A pipeline that uses all there is to declare; both type checkers accept it, and a test runs it."""

from __future__ import annotations

import sys

import anyio

from treetask import JOIN, Registry, Return, Spawns, TaskFailed, TaskNode

tree = Registry("app")  # the module's registry


@tree.task(max_retries=3, timeout=30.0)
async def fetch(node: TaskNode, url: str, *, tries: int = 1) -> bytes:
    node.progress = (1, 1)
    return f"{url} {tries}".encode()


@tree.task
def count_words(page: bytes) -> int:  # plain def: runs in a worker thread
    return len(page.split())


@tree.group(parallel=False, on_failure="finish")  # can be run alone
async def release(node: TaskNode) -> None:
    node.data["who"] = sys.argv[0]


@release.group(parallel=True, on_failure="continue", max_queued=32)
async def crawl(node: TaskNode, pages: int = 3) -> Spawns[dict[str, int]]:
    words: dict[str, int] = {}
    urls = [f"https://example.com/{i}" for i in range(pages)]
    try:
        jobs = [fetch.child(u).keyed(u) for u in urls]
        yield jobs  # attach and start all
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

    @checks.task
    async def lint() -> float:
        return 9.5


@release.task(depends_on=[checks, lint])
async def publish(words: dict[str, int] = crawl.output, score: float = lint.output, env: str = "dev") -> str:
    return f"{env}: {len(words)} pages, lint {score}"


@release.task
def notify(said: str = publish.output) -> None:
    print(said)


async def publish_alone() -> None:  # call it: no engine, no mocks
    assert await publish(words={"a": 1}, score=9.5, env="x") == "x: 1 pages, lint 9.5"


def run_release() -> None:
    run = release.run_sync()
    total: dict[str, int] = run[crawl]  # results by handle, typed
    assert run.success and sum(total.values()) == 6 and len(run.all(fetch)) == 3
