"""The examples run as they stand: as programs, and by the command line."""

from __future__ import annotations

import csv
import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: One of them has no pipeline for the command line: its tree is in a store.
TASK_TREE = ROOT / "examples" / "task_tree.py"
EXAMPLES = sorted({*(ROOT / "examples").glob("*.py")} - {TASK_TREE})

#: Where their runs are recorded: the repository keeps none.
SCRATCH = tempfile.TemporaryDirectory()

#: The census reads the whole standard library: seconds on a machine of its own, more on a busy one.
DEADLINE = 120

#: A broken link is what the checker is there to find: it says so in its exit code.
EXIT_CODES = {"link_check": 1}

FINAL_FRAME = """\
✅ My Pipeline
├── ✅ Phase 1
│   ├── ✅ Task 1
│   └── ✅ Task 2
└── ✅ Phase 2
    ├── ✅ Task 3
    └── ✅ Task 4

Progress: 4/4 (100%)
"""


def start(*words: str) -> subprocess.Popen[str]:
    """Start Python in the repository, as a person would."""
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "GITHUB_ACTIONS"}}
    environment["no_proxy"] = "127.0.0.1,localhost"
    environment["TREETASK_STORE"] = str(Path(SCRATCH.name) / "runs.db")
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def both_ways(request: pytest.FixtureRequest) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """An example's name, and output and errors of it as a program and by the command line, run at the same time."""
    path: Path = request.param
    name = path.relative_to(ROOT).as_posix()
    processes = [start(name), start("-m", "treetask", f"{name}:tree")]
    try:
        outputs = [process.communicate(timeout=DEADLINE) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [EXIT_CODES.get(path.stem, 0)] * 2, outputs
    return path.stem, outputs[0], outputs[1]


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_example_runs(both_ways: tuple[str, tuple[str, str], tuple[str, str]]) -> None:
    """Each ends as it should, both ways, and says what its documentation promises."""
    name, program, command = both_ways

    checks = {
        "quickstart": check_quickstart,
        "decorated": check_decorated,
        "stdlib_census": check_census,
        "link_check": check_link_check,
        "etl": check_etl,
    }
    checks[name](program, command)
    assert "Traceback" not in program[1] + command[1]


FIRST_RUN = """\
sales_report: failed, not all tasks below it were completed: task 'read_rates' (ID) failed
  read_orders: completed, {'EUR': 120, 'USD': 50}
  read_orders: completed, {'EUR': 80, 'USD': 150}
  read_rates: failed, ConnectionError: no answer from the market
  add_up: cancelled, it did not run: it depends on task 'read_rates' (ID), which failed
    write_note: completed, There is no total yet.
failed, 100%

"""
SECOND_RUN = """\
sales_report: completed
  read_orders: completed, {'EUR': 120, 'USD': 50}
  read_orders: completed, {'EUR': 80, 'USD': 150}
  read_rates: completed, {'EUR': 1.0, 'USD': 0.9}
  add_up: completed, 380.0
    write_note: completed, We sold for 380.00 EUR.
completed, 100%

"""


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
@pytest.mark.parametrize("kept_in", ["memory", "file"])
def test_task_tree_is_mended_and_goes_on(kept_in: str, tmp_path: Path) -> None:
    """The second run does what the first could not, wherever the tasks are kept."""
    with start(str(TASK_TREE), *([str(tmp_path / "tasks.db")] if kept_in == "file" else [])) as process:
        try:
            output, errors = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()

    assert process.returncode == 0, errors
    assert re.sub(r"[0-9a-f-]{36}", "ID", output) == FIRST_RUN + SECOND_RUN
    assert (tmp_path / "tasks.db").exists() == (kept_in == "file")


def check_quickstart(program: tuple[str, str], command: tuple[str, str]) -> None:
    """The final frame is the one of the documentation; it is no result, so it is on standard error."""
    assert program[0] == command[0] == ""
    assert program[1].endswith(FINAL_FRAME)


def check_decorated(program: tuple[str, str], command: tuple[str, str]) -> None:
    """The same tree by decorators: a program prints its result, the command line shows it."""
    assert program == ("7 of 7 nodes done; Task 4 returned {'result': 'done'}\n", "")
    assert command[0] == ""
    assert "My Pipeline" in command[1]


def check_census(program: tuple[str, str], command: tuple[str, str]) -> None:
    """Every source file of the library is counted once; both runs find the same."""
    assert program[0] == command[0]
    header, *rows, last = command[0].splitlines()
    assert header.split() == ["package", "files", "lines", "classes", "functions", "longest", "function"]
    numbers = {row.split()[0]: [int(word.replace(",", "")) for word in row.split()[1:5]] for row in rows}
    total = numbers.pop("all")
    assert [sum(column) for column in zip(*numbers.values(), strict=True)] == total
    assert total[0] == len(source_files())
    assert re.fullmatch(r"\d+ files could not be parsed", last)
    assert numbers["json"][0] >= 5
    assert program[1] == ""


def source_files() -> list[Path]:
    """What the census should find."""
    library = Path(sysconfig.get_path("stdlib"))
    return [
        path
        for path in library.rglob("*.py")
        if all(part.isidentifier() for part in path.relative_to(library).parts[:-1])
    ]


def check_link_check(program: tuple[str, str], command: tuple[str, str]) -> None:
    """The site that it makes has four broken links; the flaky page is not among them."""
    assert program == (command[0], "")
    *broken, last = command[0].splitlines()
    assert broken == [
        "/: /logo.png: HTTP Error 404: Not Found",
        "/calendar.html: /datetime.html#Today: there is no '#Today' on that page",
        "/tabnanny.html: /tea?pot=1: HTTP Error 404: Not Found",
        "/this.html: /zen.html: HTTP Error 404: Not Found",
    ]
    assert re.fullmatch(r"pages: 1\d\d, links: \d,\d{3}, broken: 4", last)
    for page, target in ((*line.split(": ")[:2],) for line in broken):
        assert f"check › page[{page}] › link[{target}]  failed" in command[1]


def check_etl(program: tuple[str, str], command: tuple[str, str]) -> None:
    """All that is good of the sample is loaded."""
    assert program == (command[0], "")
    *months, files, new = command[0].splitlines()
    assert [line[:7] for line in months] == [f"2025-{month:02}" for month in range(1, 13)]
    counts = re.fullmatch(r"files: 12, good rows: (\d,\d{3}), bad rows: (\d+)", files)
    assert counts is not None
    good, bad = (int(each.replace(",", "")) for each in counts.groups())
    assert good + bad == 6000
    assert sum(int(line.split()[1]) for line in months) == good
    assert new == f"new orders: {good:,}"


def run(example: str, *options: str) -> tuple[int, str, str]:
    """Run an example by the command line; return its exit code, output and errors."""
    with start("-m", "treetask", f"examples/{example}.py:tree", *options) as process:
        try:
            output, errors = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
    return process.returncode, output, errors


# -- the link checker, on a site of ours --------------------------------------------------------------------------

PAGES = {
    "/docs/": """<a href="a.html">a</a> <a href="a.html#there">a</a> <a href="/docs/#top">up</a> <img src="plan.txt#L3">
        <a href="moved.html">m</a> <a href="mailto:me@here">me</a> <a href="http://elsewhere.invalid/">away</a>""",
    "/docs/a.html": """<h1 id="there"><a href="./">up</a> <a href="#there">here</a> <a href="#gone">gone</a>
        <a href="deep/b.html">b</a> <a href="flaky.html">f</a> <a href="caf\u00e9 2.html">c</a> <a href="http://[">?</a>""",
    "/docs/flaky.html": "",
    "/docs/caf%C3%A9%202.html": "",
    "/docs/deep/b.html": """<a href="../c.html">c</a>""",
    "/docs/c.html": """<a href="never.html">n</a>""",
    "/docs/plan.txt": "",
}


class Site(BaseHTTPRequestHandler):
    """Serves the pages and counts how often each is asked for."""

    asked: Counter[str]

    def do_GET(self) -> None:
        """Answer: one page is flaky, one has moved."""
        self.asked[self.path] += 1
        if self.path == "/docs/flaky.html" and self.asked[self.path] == 1:
            self.send_error(503)
        elif self.path == "/docs/moved.html":
            self.send_response(301)
            self.send_header("Location", "/docs/c.html")
            self.end_headers()
        elif self.path == "/away":
            self.send_response(301)
            self.send_header("Location", f"http://{self.headers['Host'].replace('127.0.0.1', 'localhost')}/docs/c.html")
            self.end_headers()
        elif self.path not in PAGES:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain" if self.path.endswith(".txt") else "text/html")
            self.end_headers()
            self.wfile.write(PAGES[self.path].encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, Counter[str]]]:
    """The address of a site, and what was asked for there."""
    asked: Counter[str] = Counter()
    handler = type("Handler", (Site,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_links_of_a_given_site_are_checked(site: tuple[str, Counter[str]]) -> None:
    """To the depth that is asked for, each address once but for what is worth another attempt, and nothing else."""
    address, asked = site
    code, output, errors = run("link_check", "--url", f"{address}/docs/", "--depth", "1")

    assert (code, output.splitlines()) == (
        1,
        [
            "/docs/a.html: /docs/a.html#gone: there is no '#gone' on that page",
            "/docs/a.html: /docs/http%3A/%5B: HTTP Error 404: Not Found",
            "/docs/moved.html: /docs/never.html: HTTP Error 404: Not Found",
            "pages: 3, links: 13, broken: 3",
        ],
    ), errors
    assert asked.pop("/docs/flaky.html") == 2
    assert asked.pop("/docs/c.html") == 1
    assert asked == dict.fromkeys(
        [
            *("/docs/", "/docs/a.html", "/docs/plan.txt", "/docs/moved.html", "/docs/deep/b.html"),
            *("/docs/caf%C3%A9%202.html", "/docs/http%3A/%5B", "/docs/never.html"),
        ],
        1,
    )


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_site_without_broken_links_ends_well(site: tuple[str, Counter[str]]) -> None:
    """Links of the first page alone."""
    code, output, errors = run("link_check", "--url", f"{site[0]}/docs/", "--depth=0")

    assert (code, output) == (0, "pages: 1, links: 5, broken: 0\n"), errors


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("/nothing", "HTTPError: HTTP Error 404: Not Found"),
        ("/docs/plan.txt", "ValueError: there is no page at {url}, or it has moved to another site"),
        ("/away", "ValueError: there is no page at {url}, or it has moved to another site"),
    ],
)
def test_site_without_its_first_page_fails(site: tuple[str, Counter[str]], page: str, problem: str) -> None:
    """There is nothing to check, which is not the same as nothing broken."""
    url = f"{site[0]}{page}"
    code, output, errors = run("link_check", "--url", url)

    assert (code, output) == (1, "")
    assert f"  {problem.format(url=url)}\n" in errors


# -- orders ---------------------------------------------------------------------------------------------------------

GOOD = "id,day,customer,amount,currency\n1,2025-01-31,Ada,10.00,EUR\n2,2025-02-01,Grace,20.50,USD\n"
BAD = "id,day,customer,amount,currency\n3,2025-02-01,Ada,1.00,EUR\n4,2025-02-01,Ada,1,EUR\n5,,\n"


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_orders_are_loaded_once(tmp_path: Path) -> None:
    """A second run finds all of them in the database; without rates there are fewer sums in euros."""
    (tmp_path / "orders-1.csv").write_text(GOOD, encoding="utf-8")
    options = "--folder", str(tmp_path), "--database", str(tmp_path / "orders.db")
    first, second = run("etl", *options), run("etl", *options)

    had = "2025-01       1 orders          10.00 EUR\n2025-02       1 orders           0.00 EUR\n"
    had += "files: 1, good rows: 2, bad rows: 0\n"
    assert first[:2] == (0, f"{had}new orders: 2\n"), first[2]
    assert second[:2] == (0, f"{had}new orders: 0\n"), second[2]
    assert rejects(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_file_of_low_quality_is_put_aside(tmp_path: Path) -> None:
    """Its bad rows are told, its good ones are not loaded; other files are, and the run fails."""
    (tmp_path / "orders-1.csv").write_text(GOOD, encoding="utf-8")
    (tmp_path / "orders-2.csv").write_text(BAD, encoding="utf-8")
    (tmp_path / "rates.csv").write_text("currency,euros\nUSD,0.5\n", encoding="utf-8")
    database = tmp_path / "orders.db"
    code, output, errors = run("etl", "--folder", str(tmp_path), "--database", str(database), "--min-quality=0.5")

    assert code == 1
    assert output.splitlines()[-2:] == [
        "files: 2, good rows: 3, bad rows: 2",
        "not all is loaded: child 'orders/load/store[orders-2.csv]' failed: 33.3% of the rows are good; expected 50.0%",
    ], errors
    assert rejects(tmp_path) == [
        ["orders-2.csv", "3", "the amount is '1'", "4,2025-02-01,Ada,1,EUR"],
        ["orders-2.csv", "4", "there are 3 fields; expected 5", "5,,"],
    ]
    with closing(sqlite3.connect(database)) as connection:
        loaded = connection.execute("SELECT id, amount, euros FROM orders").fetchall()
    assert loaded == [(1, 1000, 1000), (2, 2050, 1025)]


def rejects(folder: Path) -> list[list[str]]:
    """The rows of the rejects file, without its header."""
    with (folder / "rejects.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "line", "problem", "row"]
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "option", "refusal"),
    [
        ("link_check", "--url=docs", "url is 'docs'; expected http://... or https://..."),
        ("link_check", "--depth=-1", "depth is -1; expected a number of clicks from 0"),
        ("etl", "--folder=nowhere", "folder is 'nowhere'; expected a folder with CSV files"),
        ("etl", "--min-quality=90", "min_quality is 90.0; expected a share from 0 to 1"),
    ],
)
def test_wrong_parameter_is_refused(example: str, option: str, refusal: str) -> None:
    """Before anything has started."""
    code, out, err = run(example, option)

    assert (code, out) == (2, "")
    assert re.fullmatch(rf"treetask: {re.escape(refusal)} \(Settings, examples/{example}\.py:\d+\)\n", err)
