"""`report` and `--report FILE`: a page of a run or a form for tools, where it was asked for."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project
from tests.cli.test_events import PAGES
from tests.report.test_html import Page

HELP = "'treetask --help' shows how it is used"
TAKES = "'report' takes the number of a run, which 'treetask runs' shows, or a file that --events wrote"
FAILED = {"name": "site", "run": 1, "target": "pages:tree"}


@pytest.fixture
def pages(project: Project) -> Project:
    """A project with a pipeline that fails."""
    project.write("pages.py", PAGES)
    return project


def page_in(file: str) -> dict[str, Any]:
    """What the page in a file knows of its run."""
    known = Page(Path(file).read_text(encoding="utf-8")).known
    return {name: known[name] for name in ("name", "run", "target")} | {"names": known["nodes"]["name"]}


NAMES = ["site", "crawl", "fetch[index]", "fetch[news]", "publish"]


def test_run_leaves_a_report_behind(pages: Project) -> None:
    """Also one that fails; where it is, is said last."""
    outcome = pages.treetask("pages:tree", "--display", "quiet", "--report", "run.html")

    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [
        "again: treetask rerun --failed 1",
        f"treetask: report written to {Path('run.html').absolute()}",
    ]
    assert page_in("run.html") == FAILED | {"names": NAMES}


def test_report_of_a_run_needs_no_store_and_no_events(pages: Project) -> None:
    """It is made of what the run itself has told."""
    pages.treetask("pages:tree", "--display", "quiet", "--no-store", "--report", "run.html")

    assert sorted(path.name for path in Path.cwd().iterdir() if path.name != "__pycache__") == ["pages.py", "run.html"]
    assert page_in("run.html") == FAILED | {"run": None, "names": NAMES}


def test_json_display_has_nothing_beside_its_lines(pages: Project) -> None:
    """A report is written all the same."""
    outcome = pages.treetask("pages:tree", "--display", "json", "--report", "run.html")

    assert {json.loads(line)["event"] for line in outcome.err.splitlines()} >= {"run_started", "run_ended"}
    assert page_in("run.html")["names"] == NAMES


def test_report_that_cannot_be_written_is_refused_before_the_run(pages: Project) -> None:
    """Nothing has started; a file that is there stays as it is."""
    Path("folder").mkdir()
    name = Path("folder").absolute()

    outcome = pages.treetask("pages:tree", "--report", "folder")

    trouble = "Permission denied" if sys.platform == "win32" else "Is a directory"
    assert outcome.refusal == [f"treetask: --report: '{name}' cannot be written: {trouble}"]


def test_run_that_is_refused_leaves_no_report(pages: Project) -> None:
    """Neither an empty file nor one that is cut off."""
    Path("old.html").write_text("old", encoding="utf-8")
    pages.write(
        "wrong.py", "from treetask import Registry\ntree = Registry('x')\n@tree.task(depends_on=['y'])\ndef a(): ..."
    )

    assert pages.treetask("wrong:tree", "--report", "new.html").code == 2
    assert pages.treetask("wrong:tree", "--report", "old.html").code == 2
    assert not Path("new.html").exists()
    assert Path("old.html").read_text(encoding="utf-8") == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_report_that_fails_at_the_end_is_told(pages: Project) -> None:
    """The run is what it was; between lines of JSON, in one of these."""
    outcome = pages.treetask("pages:tree", "--display", "quiet", "--report", "/dev/full")

    trouble = "treetask: /dev/full: the report cannot be written: No space left on device"
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == trouble

    outcome = pages.treetask("pages:tree", "--display", "json", "--report", "/dev/full")

    assert json.loads(outcome.err.splitlines()[-1])["lines"] == [trouble]


@pytest.fixture
def events(pages: Project) -> Project:
    """A project with the events of a run that failed."""
    pages.treetask("pages:tree", "--display", "quiet", "--events", "run.jsonl")
    return pages


def test_file_of_events_becomes_a_page_beside_where_one_is(events: Project) -> None:
    """By default in the current folder, by the name of the file; told on standard error."""
    outcome = events.treetask("report", "run.jsonl")

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "treetask: report written to run.jsonl.html\n")
    assert page_in("run.jsonl.html") == FAILED | {"names": NAMES}


def test_page_goes_where_it_is_told(events: Project) -> None:
    """Into a file, or to standard output as it is."""
    events.treetask("report", "run.jsonl", "-o", "there.html")
    outcome = events.treetask("report", "-o", "-", "run.jsonl")

    assert outcome.err == ""
    assert outcome.out == Path("there.html").read_text(encoding="utf-8")
    assert page_in("there.html")["names"] == NAMES


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("mermaid", "flowchart LR\n"),
        ("dot", "digraph {\n"),
        ("chrome-trace", '{"displayTimeUnit": "ms", "traceEvents": [\n'),
        ("json", '{"version": 1, "name": "site", "run": 1, "target": "pages:tree", '),
    ],
)
def test_form_for_tools_goes_to_standard_output(events: Project, form: str, beginning: str) -> None:
    """Or to a file, without a word."""
    outcome = events.treetask("report", "run.jsonl", "--format", form)
    written = events.treetask("report", "run.jsonl", "--format", form, "-o", "there.txt")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(beginning)
    assert (written.code, written.out, written.err) == (0, "", "")
    assert Path("there.txt").read_text(encoding="utf-8") == outcome.out


def test_run_on_record_becomes_a_page(events: Project) -> None:
    """By its number; the newest where none is given."""
    outcome = events.treetask("report")
    again = events.treetask("report", "1", "-o", "there.html")

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "treetask: report written to run-1.html\n")
    assert again.err == "treetask: report written to there.html\n"
    assert page_in("run-1.html") == page_in("there.html")
    assert page_in("run-1.html")["run"] == 1
    assert set(page_in("run-1.html")["names"]) == set(NAMES)


def test_project_without_runs_has_no_report(project: Project) -> None:
    """The exit code is that of nothing to do."""
    outcome = project.treetask("report")

    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == ("treetask: no run is on record here yet; the first one is recorded by: treetask TARGET\n")


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["nothing.jsonl"], f"there is no file 'nothing.jsonl'; {TAKES}"),
        (["app:tree"], f"there is no file 'app:tree'; {TAKES}"),
        (["wrong"], "wrong, line 1: found 'wrong'; expected the events of a run, as --events FILE writes them"),
        (["run.jsonl", "-o", "no/where.html"], "-o: 'no/where.html' cannot be written: No such file or directory"),
        (["run.jsonl", "more"], f"unexpected 'more'; 'report' takes one run; {HELP}"),
        (
            ["run.jsonl", "--format", "pdf"],
            f"--format: there is no format 'pdf'; expected one of html, mermaid, dot, chrome-trace, json; {HELP}",
        ),
        (["--report", "x"], "'report' tells of what is on record and runs nothing; leave out --report"),
        (["9"], "store .treetask/journal.db has no run 9; the newest are 1"),
    ],
)
def test_report_that_cannot_be_made_is_refused(events: Project, words: list[str], refusal: str) -> None:
    """By what is wrong with it."""
    Path("wrong").write_text("wrong", encoding="utf-8")

    assert events.treetask("report", *words).refusal == [f"treetask: {refusal}"]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["-o", "x.html"], "-o belongs to 'report', and beside a run it is --report; 'run' has none"),
        (
            ["--report", "-"],
            f"--report: '-' is no file; for one on standard output write 'treetask report -o -' afterwards; {HELP}",
        ),
    ],
)
def test_run_that_is_told_wrongly_about_its_report_is_refused(pages: Project, words: list[str], refusal: str) -> None:
    """Each in its sentence."""
    assert pages.treetask("pages:tree", *words).refusal == [f"treetask: {refusal}"]


def test_events_and_report_need_files_of_their_own(pages: Project) -> None:
    """However the name of it is written."""
    outcome = pages.treetask("pages:tree", "--events", "x", "--report", "./x")

    name = Path("x").absolute()
    assert outcome.refusal == [f"treetask: --events and --report name the same file, '{name}'; give each its own"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a process that kills itself")
def test_report_of_a_run_whose_process_died_says_so(project: Project) -> None:
    """What ran then ran until the process was last heard of."""
    project.die("--report", "run.html")
    told = json.loads(project.treetask("report", "--format", "json").out)

    assert not Path("run.html").exists()
    assert told["status"] == "working"
    assert {node["name"]: node["status"] for node in told["nodes"]} == {
        "dies": "working",
        "first": "done",
        "kill": "working",
    }
    assert told["elapsed"] == told["critical_path"][-1]["end"]


def test_events_are_not_lost_to_their_report(pages: Project) -> None:
    """A slip of the hand, which would write the page over what it is made of; whatever the name is spelt like."""
    pages.treetask("pages:tree", "--display", "quiet", "--no-store", "--events", "run.jsonl")
    before = Path("run.jsonl").read_bytes()

    assert pages.treetask("report", "run.jsonl", "-o", "./run.jsonl").refusal == [
        "treetask: -o: './run.jsonl' has the events that the report is made of; give it another name"
    ]
    assert Path("run.jsonl").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
def test_reader_of_a_named_pipe_gets_the_whole_page(pages: Project) -> None:
    """Whether it can be written is not tried beforehand: the reader would take that for the end of it."""
    os.mkfifo("page")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("page").read_text(encoding="utf-8")), daemon=True)
    reader.start()

    assert pages.treetask("pages:tree", "--display", "quiet", "--no-store", "--report", "page").code == 1
    reader.join(20)
    assert Page(read[0]).known["name"] == "site"
