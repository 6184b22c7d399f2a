"""Runs to make reports of, told by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from treetask.events import Attempt, Fault, Frame, Story, StoryNode
from treetask.model import TaskStatus

PENDING, WORKING, RETRYING, DONE, FAILED, CANCELLED, SKIPPED, TIMED_OUT = TaskStatus

#: A day on which nothing happened.
WALL = 1_767_614_400.0


def node(
    name: str,
    parent: int = 0,
    times: tuple[float, float] | None = None,
    *,
    status: TaskStatus = DONE,
    needs: Sequence[int] = (),
    attempts: Sequence[Attempt] | None = None,
    has_body: bool = True,
    faults: Sequence[Fault] = (),
    failed_below: bool = False,
    log: Sequence[str] = (),
    reason: str | None = None,
    progress: tuple[float, float] | None = None,
    id: str | None = None,
    max_retries: int | None = 0,
) -> StoryNode:
    """A node with one attempt, if it has times and a body and nothing else was said."""
    if attempts is None:
        attempts = [Attempt(1, *times, status, tuple(faults))] if times is not None and has_body else []
    return StoryNode(
        id=name if id is None else id,
        name=name,
        parent=parent,
        has_body=has_body,
        status=status,
        started_at=times[0] if times else None,
        ended_at=times[1] if times else None,
        attempts=tuple(attempts),
        max_retries=max_retries,
        progress=progress,
        reason=reason,
        faults=tuple(faults),
        failed_below=failed_below,
        log=tuple(log),
        depends_on=tuple(needs),
    )


def story(*nodes: StoryNode, log: Sequence[str] = (), name: str | None = None) -> Story:
    """A run of these nodes, the root first; ids are paths, and it took as long as the root."""
    placed: list[StoryNode] = []
    for each in nodes:
        path = each.name if each.parent < 0 else f"{placed[each.parent].id}/{each.name}"
        placed.append(replace(each, id=path) if each.id == each.name else each)
    return Story(
        name=nodes[0].name if name is None else name,
        run=7,
        target="app:tree",
        wall=WALL,
        elapsed=max((each.ended_at or 0.0 for each in nodes), default=0.0),
        status=nodes[0].status,
        nodes=tuple(placed),
        log=tuple(log),
        counts=dict(Counter(each.status for each in nodes)),
    )


def nightly(*, failing: bool = True) -> Story:
    """A small pipeline with a bit of everything: retries, a limit, an error met twice, what was skipped for it."""
    frames = (Frame("app.py", 41, "fetch", "response.raise_for_status()"),)
    fault = Fault("HTTPStatusError", "503 Service Unavailable", frames)
    nodes = [node("nightly", -1, (0.0, 9.4), has_body=False, status=FAILED if failing else DONE, failed_below=failing)]
    nodes.append(node("extract", 0, (0.0, 2.6)))
    dice = random.Random(5)
    for number, table in enumerate(("customers", "orders", "invoices", "returns")):
        start = 0.1 + 0.3 * (number // 2)
        nodes.append(node(f"table[{table}]", 1, (start, start + 0.6 + 1.5 * dice.random()), progress=(4_000, 4_000)))
    crawl = len(nodes)
    nodes.append(node("crawl", 0, (2.6, 8.0), status=FAILED if failing else DONE, failed_below=failing, needs=[1]))
    free = [2.65] * 4
    for number, page in enumerate(("index", "news", "blog", "about", "jobs", "team", "press", "docs", "faq", "terms")):
        slot = min(range(4), key=lambda each: free[each])
        start, length = free[slot], 0.4 + 1.3 * dice.random()
        if failing and page in {"news", "press"}:
            attempts = [Attempt(1, start, start + length, FAILED, (fault,))]
            attempts.append(Attempt(2, start + length + 0.4, start + length + 1.2, FAILED, (fault,)))
            log = [f"GET https://example.com/{page}", "503 Service Unavailable", f"retrying {page} in 0.4 s"]
            times = (start, start + length + 1.2)
            nodes.append(
                node(
                    f"fetch[{page}]",
                    crawl,
                    times,
                    status=FAILED,
                    attempts=attempts,
                    faults=[fault],
                    log=log,
                    max_retries=1,
                )
            )
            free[slot] = times[1]
        else:
            log = [f"GET https://example.com/{page}", f"200 OK, {1000 + 37 * number} bytes"]
            nodes.append(node(f"fetch[{page}]", crawl, (start, start + length), log=log))
            free[slot] = start + length
    nodes.append(node("checks", 0, (2.6, 5.2), has_body=False, needs=[1]))
    checks = len(nodes) - 1
    nodes += [node("lint", checks, (2.6, 3.9)), node("types", checks, (2.6, 5.2))]
    if failing:
        nodes.append(node("publish", 0, status=SKIPPED, reason="'nightly/crawl' failed", needs=[crawl, checks]))
    else:
        nodes.append(node("publish", 0, (8.0, 9.1), needs=[crawl, checks]))
    nodes.append(node("notify", 0, (9.1, 9.4), needs=[len(nodes) - 1], log=["mail sent to 3 people"]))
    return story(*nodes, log=["warming up", "deprecated option 'speed'"])


def large(size: int = 100_000) -> Story:
    """Groups of a hundred nodes each, on sixty-four slots; some of them fail."""
    dice = random.Random(1)
    fault = Fault("TimeoutError", "no answer in 5 s", (Frame("app.py", 12, "fetch", "await answer"),))
    nodes = [node("large", -1, (0.0, 0.0), has_body=False, status=FAILED, failed_below=True)]
    free = [0.0] * 64
    group = 0
    for number in range(1, size):
        if number % 101 == 1:
            group = number
            begin = min(free)
            nodes.append(node(f"batch[{number // 101}]", 0, (begin, begin), has_body=False))
            continue
        slot = number % 64
        length = 0.05 + dice.random() * (0.4 if number % 7 else 1.2)
        failed = number % 997 == 0
        node_ = node(
            f"fetch[page-{number}]",
            group,
            (free[slot], free[slot] + length),
            status=FAILED if failed else DONE,
            faults=[fault] if failed else (),
            log=[f"GET /{number}", "200 OK"] if number % 3 == 0 else (),
        )
        free[slot] += length
        nodes.append(node_)
        parent = nodes[group]
        is_failed = failed or parent.status is FAILED
        nodes[group] = replace(
            parent,
            started_at=min(parent.started_at or 0.0, node_.started_at or 0.0),
            ended_at=max(parent.ended_at or 0.0, node_.ended_at or 0.0),
            status=FAILED if is_failed else DONE,
            failed_below=is_failed,
        )
    nodes[0] = replace(nodes[0], ended_at=max(free))
    return story(*nodes)
