"""`replay`: what was seen of a run is seen again, from its file or from the store, and nothing runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Project
from tests.cli.in_terminal import Command, in_terminal
from treetask import TaskStatus
from treetask.events import read_events, story_of
from treetask.text import duration

#: Attempts that are repeated, failures, what is skipped for them, a spawner, progress and logs.
SITE = """
import anyio
from treetask import Registry, Retry, TaskNode

tree = Registry("site", on_failure="continue")
print("something runs")

@tree.task(retry=Retry(on=OSError, attempts=3, wait_initial=0.02, wait_max=0.02))
async def fetch(node: TaskNode, page: str) -> None:
    await node.run_process(f"echo fetching {page}")
    await anyio.sleep(len(page) / 100)
    if page == "bad" or (page == "flaky" and not node.retry_count):
        raise ConnectionError(f"503 {page}")

@tree.group
async def crawl():
    yield [fetch.child(page) for page in ("index", "bad", "flaky")]

@tree.task(depends_on=[crawl])
async def publish() -> None: ...

@tree.task(timeout=0.05, max_retries=0)
async def late() -> None:
    await anyio.sleep_forever()

@tree.task
async def count(node: TaskNode) -> None:
    for number in range(20):
        node.progress = (number, 20)
        await anyio.sleep(0.01)
"""

TAKES = "'replay' takes the number of a run, which 'treetask runs' shows, or a file that --events wrote"

#: What of the plain lines depends on when the tree was looked at, not on what happened.
ON_THE_WAY = ("started:", "retry ", "%)")


@pytest.fixture
def site(project: Project) -> Project:
    """A project with a run on record and in a file."""
    project.write("pages.py", SITE)
    return project


def ends(outcome: Outcome) -> list[str]:
    """What is said of ends and failures, without the times of day, in an order that tells nothing."""
    lines = [line.partition(" ")[2] if line[2:3] == ":" else line for line in outcome.err.splitlines()]
    return sorted(line for line in lines if not any(words in line for words in ON_THE_WAY))


@pytest.mark.slow
def test_all_that_tells_of_a_run_agrees(site: Project) -> None:
    """Plain lines, events, the replay of these on any display, the story: the same ends, counts and times."""
    ran = site.treetask("pages:tree", "--display", "plain", "--events", "run.jsonl")
    again = site.treetask("replay", "run.jsonl", "--display", "plain", "--speed", "max")
    as_json = site.treetask("replay", "run.jsonl", "--display", "json", "--speed", "max")
    on_record = site.treetask("replay", "--display", "plain", "--speed=max")
    story = story_of(read_events("run.jsonl"))

    assert (ran.code, again.code, as_json.code, on_record.code) == (1, 0, 0, 0)
    assert (ran.out, again.out, as_json.out, on_record.out) == ("something runs\n", "", "", "")
    # The whole of it, down to the summary with frames, attempts, times and the last lines of logs.
    said = "treetask: this was a replay of run.jsonl; nothing has run"
    assert ends(again) == sorted([*ends(ran), said])
    assert any("fetch[bad]  failed after 3 attempts in" in line for line in ends(again))
    # Byte for byte what the run has written.
    assert as_json.err == Path("run.jsonl").read_text(encoding="utf-8")
    assert json.loads(as_json.err.splitlines()[-1])["counts"] == dict(story.counts)
    # Each node as the plain lines have it, and as the store has it.
    by_name = {node.name: node for node in story.nodes}
    assert {name: node.status.value for name, node in by_name.items()} == {
        "site": "failed",
        "crawl": "failed",
        "fetch[index]": "done",
        "fetch[bad]": "failed",
        "fetch[flaky]": "done",
        "publish": "skipped",
        "late": "timed_out",
        "count": "done",
    }
    assert len(by_name["fetch[bad]"].attempts) == 3
    assert list(by_name["count"].progress or ()) == [19, 20]
    for name in ("fetch[index]", "fetch[flaky]", "count"):
        node = by_name[name]
        assert node.started_at is not None
        assert node.ended_at is not None
        assert any(line.endswith(f"{name}  done in {node.ended_at - node.started_at:.1f}s") for line in ends(ran))
    words = [line.split("  ")[1].split(" ")[0] for line in ends(on_record) if "  " in line and " in " in line]
    assert words.count("done") == sum(node.status is TaskStatus.DONE for node in story.nodes)
    assert "treetask: this was a replay of run 1 of pages:tree; nothing has run" in on_record.err


#: The signs of statuses on a terminal.
ICONS = {"✅": "done", "❌": "failed", "⏩": "skipped", "⏰": "timed_out"}


def shown_tree(command: Command) -> list[str]:
    """The rows of the tree that a command leaves behind, down to what has become of it."""
    rows = command.everything()
    last = max(number for number, row in enumerate(rows) if row.startswith("Failed in "))
    first = max(number for number, row in enumerate(rows[:last]) if row[:1] in ICONS)
    return rows[first : last + 1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.slow
def test_screen_and_report_tell_the_same(site: Project) -> None:
    """What a terminal shows of a run, and of its replay, and what its report has: statuses, counts and times."""
    with in_terminal(site.folder, "pages:tree", "--events", "run.jsonl", "--report", "run.html", "--no-store") as live:
        assert live.finish() == 1
    with in_terminal(site.folder, "replay", "run.jsonl", "--speed", "max") as again:
        assert again.finish() == 0
    story = story_of(read_events("run.jsonl"))
    report = json.loads(site.treetask("report", "run.jsonl", "--format", "json").out)
    page = Path("run.html").read_text(encoding="utf-8")

    tree = shown_tree(live)
    assert shown_tree(again) == tree
    by_name = {node.name: node for node in story.nodes}
    told: set[str] = set()
    for row in tree[:-1]:
        words = row.lstrip("│├└─ ").split()
        if words[0] not in ICONS:
            continue
        node = by_name[words[1]]
        told.add(node.name)
        assert ICONS[words[0]] == node.status
        if node.started_at is not None and node.ended_at is not None:
            assert words[-1] == duration(node.ended_at - node.started_at)
    assert told == {"site", "crawl", "fetch[bad]", "publish", "late", "count"}
    assert tree[-1] == f"Failed in {duration(story.elapsed)}: 3 done, 2 failed, 1 skipped"
    assert dict(story.counts) == {"done": 3, "failed": 1, "timed_out": 1, "skipped": 1} == report["counts"]
    assert report["elapsed"] == story.elapsed
    assert [(node["name"], node["status"], node["started_at"], node["ended_at"]) for node in report["nodes"]] == [
        (node.name, node.status, node.started_at, node.ended_at) for node in story.nodes
    ]
    # The page is made of the same story, but for the moment when it was written.
    data = json.loads(page.partition('id="story">')[2].partition("</script>")[0])
    assert {data["statuses"][slot]: count for slot, count in data["counts"]} == dict(story.counts)
    assert data["elapsed"] == round(story.elapsed * 1e6)


def test_run_that_was_broken_off_is_shown_as_far_as_it_came(site: Project) -> None:
    """A file whose end is missing, in the middle of a line, is a replay that worked all the same."""
    site.treetask("pages:tree", "--display", "quiet", "--no-store", "--events", "run.jsonl")
    data = Path("run.jsonl").read_bytes()
    Path("cut.jsonl").write_bytes(data[: len(data) // 2])

    outcome = site.treetask("replay", "cut.jsonl", "--display", "plain", "--speed", "max")

    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == (
        "treetask: this was a replay of cut.jsonl, of whose end nothing is known; nothing has run"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["replay", "pages:tree"],
            2,
            f"there is no file 'pages:tree'; {TAKES}",
        ),
        (["replay"], 5, "no run is on record here yet; the first one is recorded by: treetask TARGET"),
        (
            ["replay", "pages.py"],
            2,
            "pages.py, line 1: found ''; expected the events of a run, as --events FILE writes them",
        ),
    ],
)
def test_what_cannot_be_replayed_is_told(site: Project, words: list[str], code: int, message: str) -> None:
    """With the way to what can."""
    outcome = site.treetask(*words)
    assert (outcome.code, outcome.err) == (code, f"treetask: {message}\n")


def test_events_that_do_not_fit_together_are_told(project: Project) -> None:
    """By their number, where the display has shown what was before them."""
    common = '"at":0,"wall":0'
    lines = [
        f'{{"event":"run_started","seq":1,{common},"version":1,"root":"r","name":"r"}}',
        f'{{"event":"node_added","seq":2,{common},"node":"r","name":"r"}}',
        f'{{"event":"node_removed","seq":3,{common},"node":"x"}}',
    ]
    project.write("odd.jsonl", "\n".join(lines) + "\n")

    outcome = project.treetask("replay", "odd.jsonl", "--display", "plain")
    sentence = "the event of seq 3 does not fit: it is about node 'x', which none before it has added"
    assert (outcome.code, outcome.err) == (2, f"treetask: {sentence}\n")
