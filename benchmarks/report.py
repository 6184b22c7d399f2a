"""A report of a hundred thousand nodes: how long it takes to make, and how it opens and scrolls in a real browser.

The rows of the browser are left out where there is none: Chromium or Chrome, and chromedriver.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import Figure, Row, figure, repeated, seconds
from tests.report.browser import Browser, browser, missing
from tests.report.stories import large
from treetask.report import html_page

NODES = 100_000

#: Scrolls through the whole tree in five seconds and tells how long each frame took, in milliseconds.
SCROLL = """
const [box, tell, begin, frames] = [document.getElementById("tree"), arguments[0], performance.now(), []];
let last = begin;
const step = (now) => {
  frames.push(now - last);
  last = now;
  const share = (now - begin) / 5000;
  box.scrollTop = share * (box.scrollHeight - box.clientHeight);
  if (share < 1) requestAnimationFrame(step);
  else tell(frames);
};
requestAnimationFrame(step);
"""


def rows() -> Iterator[Row]:
    """Yield the lines of the table."""
    yield Row("", "report, 100k nodes: page made", "s", 5, page_made, is_long=True)
    if missing() is None:
        yield Row("", "report, 100k nodes: first row stands", "ms", 3_000, first_row, is_long=True)
        yield Row("", "report, 100k nodes: frame p95, scrolled for 5 s", "ms", 33, frame, is_long=True)


def page_made(times: int) -> Figure:
    """Measure how long the page takes to make; the note tells its size."""
    story = large(NODES)
    size = len(html_page(story))
    measured = repeated(lambda: seconds(lambda: partial(html_page, story)), times)
    return Figure(measured.middle, measured.low, measured.high, f"{size / 1e6:.1f} MB")


def first_row(times: int) -> Figure:
    """Measure how long after its address was given the page shows rows; the note tells how many elements it has."""
    with opened() as (window, page):
        measured = [opening(window, page) for _ in range(times)]
        elements = window.run("return document.querySelectorAll('*').length")
    return figure(measured, f"{elements:,} elements")


def frame(times: int) -> Figure:
    """Measure the interval between frames that one in twenty exceeds; the note tells the longest of all."""
    measured: list[float] = []
    longest = 0.0
    with opened() as (window, page):
        opening(window, page)
        window.run("document.getElementById('open-all').click()")
        for _ in range(times):
            frames = sorted(window.run_async(SCROLL))
            measured.append(frames[int(len(frames) * 0.95)])
            longest = max(longest, frames[-1])
    return figure(measured, f"longest {longest:.0f} ms")


def opening(window: Browser, page: Path) -> float:
    """Open a page and return after how many milliseconds its first rows stood."""
    window.open(page)
    window.until("performance.getEntriesByName('first-rows').length")
    stood: float = window.run("return performance.getEntriesByName('first-rows')[0].startTime")
    return stood


@contextmanager
def opened() -> Generator[tuple[Browser, Path]]:
    """Make the page of a large run, and start a browser for it."""
    with tempfile.TemporaryDirectory() as folder, browser() as window:
        page = Path(folder) / "report.html"
        page.write_text(html_page(large(NODES)), encoding="utf-8")
        yield window, page
