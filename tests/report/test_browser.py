"""The page in a real browser: it opens from a file, is used by keys and by a pointer, obeys nothing that a run says.

What only a fast machine can keep, as the time until the first row stands, is a benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import Browser, browser, missing
from tests.report.stories import FAILED, WORKING, large, nightly, node, story
from tests.report.test_html import ATTACKS
from treetask.events import Fault, Frame, Story
from treetask.report import html_page

REASON = missing()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(90),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

#: The names in the rows that are in sight, from the top.
ROWS = """[...document.querySelectorAll(".row:not([hidden])")]
    .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex).map((row) => row.querySelector(".name").textContent)"""
CHOSEN = """document.querySelector('.row[aria-selected="true"] .name')?.textContent"""
VIEW = "[Number(timeline.dataset.from), Number(timeline.dataset.to)]"
HEADING = "document.querySelector('#panel h3')?.textContent"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """One browser for all tests: it takes a second to start."""
    with browser() as started:
        yield started


class Page:
    """A page that is open."""

    def __init__(self, window: Browser, folder: Path) -> None:
        self.window = window
        self._file = folder / "report.html"

    def show(self, run: Story) -> Browser:
        """Make a report, open it, and wait until it stands."""
        self._file.write_text(html_page(run), encoding="utf-8")
        self.window.resize(1280, 800)
        self.window.open(self._file)
        self.window.until("performance.getEntriesByName('first-rows').length")
        return self.window


@pytest.fixture
def page(window: Browser, tmp_path: Path) -> Page:
    """A page of its own for each test; what the others did is forgotten."""
    window.messages()
    window.requests()
    return Page(window, tmp_path)


def test_page_asks_for_nothing_but_itself_and_complains_of_nothing(page: Page, tmp_path: Path) -> None:
    """One file, without a network, and its own policy lets its style and its script pass."""
    seen = page.show(nightly())

    assert seen.requests() == [(tmp_path / "report.html").as_uri()]
    assert seen.messages() == []
    assert seen.run("return getComputedStyle(document.querySelector('.row')).position") == "absolute"
    assert seen.run(f"return {ROWS}.slice(0, 3)") == ["nightly", "extract", "table[customers]"]


def test_tree_is_walked_by_keys(page: Page) -> None:
    """As a treegrid: down, open and close, in and out, to the ends; the reader of a screen is told where it is."""
    seen = page.show(nightly())
    seen.run("document.getElementById('tree').focus()")

    seen.press("Down", "Left")
    assert seen.run(f"return {CHOSEN}") == "extract"
    assert seen.run(f"return {ROWS}.slice(0, 3)") == ["nightly", "extract", "crawl"]
    row = "document.getElementById(document.getElementById('tree').getAttribute('aria-activedescendant'))"
    assert seen.run(f"return [{row}.ariaExpanded, {row}.ariaLevel, {row}.ariaRowIndex, {row}.role]") == [
        *("false", "2", "2", "row")
    ]
    seen.press("Right", "Right")
    assert seen.run(f"return {CHOSEN}") == "table[customers]"
    seen.press("Left", "Space")
    assert seen.run(f"return [{CHOSEN}, {ROWS}[2]]") == ["extract", "crawl"]
    seen.press("End")
    assert seen.run(f"return {CHOSEN}") == "notify"
    seen.press("Home", "Enter")
    assert seen.until(f"{HEADING} === 'nightly' && document.activeElement.id") == "panel"
    seen.press("Escape")
    assert seen.run("return document.activeElement.id") == "tree"


def test_tree_is_used_by_a_pointer(page: Page) -> None:
    """A click on a row shows what is known of it, one on its triangle closes it."""
    seen = page.show(nightly())
    seen.run("document.getElementById('tree').scrollIntoView()")
    place = """const name = arguments[0], part = arguments[1];
        const names = [...document.querySelectorAll(".row .name")];
        const row = names.find((each) => each.textContent === name).closest(".row");
        const box = row.querySelector(part).getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]"""

    seen.click(*seen.run(place, "fetch[news]", ".name"))
    assert seen.until(f"{HEADING} === 'fetch[news]'")
    assert seen.run("return document.querySelector('#panel .message').textContent") == (
        "HTTPStatusError: 503 Service Unavailable"
    )
    assert seen.run("return document.querySelector('#panel .log').textContent").splitlines() == [
        *("GET https://example.com/news", "503 Service Unavailable", "retrying news in 0.4 s")
    ]
    seen.click(*seen.run(place, "crawl", ".toggle"))
    assert seen.run(f"return {ROWS}.includes('fetch[news]')") is False


def test_failure_leads_to_its_node(page: Page) -> None:
    """Also where the tree has closed what holds it."""
    seen = page.show(nightly())
    assert seen.run("return document.querySelector('.failure h3').textContent") == "nightly › crawl › fetch[news]×2"

    seen.run("document.getElementById('close-all').click()")
    assert seen.run(f"return {ROWS}.includes('fetch[press]')") is False
    seen.run("document.querySelector('.failure .same .link').click()")

    assert seen.run(f"return [{CHOSEN}, document.activeElement.id]") == ["fetch[press]", "tree"]


def test_search_leaves_what_is_found_and_what_holds_it(page: Page) -> None:
    """`/` begins it, Enter goes to the first, Escape ends it; `f` is the same for what failed."""
    seen = page.show(nightly())

    seen.press("/", *"FAQ")
    assert seen.until(f"{ROWS}.length === 3 && {ROWS}") == ["nightly", "crawl", "fetch[faq]"]
    assert seen.run("return document.getElementById('found').textContent") == "1 found"
    assert seen.run(
        "return [...document.querySelectorAll('.row:not([hidden]) mark')].map((each) => each.textContent)"
    ) == [*("", "", "faq")]
    seen.press("Enter")
    assert seen.run(f"return [{CHOSEN}, document.activeElement.id]") == ["fetch[faq]", "tree"]
    seen.press("/", "Escape", "f")
    assert seen.run(f"return {ROWS}") == ["nightly", "crawl", "fetch[news]", "fetch[press]"]
    seen.press("f")
    assert seen.run(f"return {ROWS}.length") == 22


def test_keys_are_told(page: Page) -> None:
    """`?` opens the list, Escape closes it."""
    seen = page.show(nightly())

    seen.press("?")
    assert seen.run("return document.getElementById('help').open") is True
    seen.press("Escape")
    assert seen.run("return document.getElementById('help').open") is False


def test_timeline_zooms_and_moves(page: Page) -> None:
    """By keys, by the wheel and by a drag; `0` shows all again."""
    seen = page.show(nightly())
    whole = seen.until(f"{VIEW}[1] && {VIEW}")
    assert whole == [0, 9_400_000]

    seen.press("t", "+")
    near = seen.until(f"{VIEW}[0] > 0 && {VIEW}")
    assert near == [2_350_000, 7_050_000]
    seen.press("Right")
    assert seen.until(f"{VIEW}[0] > {near[0]} && {VIEW}") == [3_055_000, 7_755_000]

    box = seen.run("const box = timeline.getBoundingClientRect(); return [box.x, box.y, box.width]")
    middle, top = box[0] + box[2] / 2, box[1] + 100
    seen.drag(middle, top, middle + 200)
    moved = seen.until(f"{VIEW}[0] < 3e6 && {VIEW}")
    assert moved[1] - moved[0] == pytest.approx(4_700_000)
    seen.wheel(middle, top, -100)
    assert seen.until(f"{VIEW}[1] - {VIEW}[0] < 4e6 && {VIEW}")[0] > moved[0]
    seen.press("0")
    assert seen.until(f"{VIEW}[0] === 0 && {VIEW}") == whole


def test_bar_of_the_timeline_tells_what_it_is(page: Page) -> None:
    """Under the pointer, and a click leads to its node."""
    seen = page.show(nightly())
    seen.run("timeline.scrollIntoView({block: 'center'})")
    x, y = seen.run("const box = timeline.getBoundingClientRect(); return [box.right - 20, box.y + 58 + 24 + 8]")

    seen.click(x, y)

    assert seen.run("return document.getElementById('tip').textContent") == "notify\ndone · 300ms · from +9.1s"
    assert seen.run(f"return {CHOSEN}") == "notify"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 500, 320])
def test_nothing_leaves_the_page_to_the_side(page: Page, scheme: str, width: int) -> None:
    """In either scheme, on a screen as narrow as a telephone's."""
    seen = page.show(nightly())
    seen.prefer(scheme)
    seen.resize(width, 800)

    assert seen.until(f"innerWidth === {width} && document.documentElement.scrollWidth") == width
    dark = seen.run("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(21, 22, 25)"
    assert dark is (scheme == "dark")


def test_text_of_a_run_is_never_obeyed(page: Page) -> None:
    """Markup in names, errors, reasons and logs is shown as it is; nothing of it runs, nothing is loaded."""
    attack = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>".join(ATTACKS)
    fault = Fault(attack, attack, (Frame(attack, 1, attack, attack),))
    run = story(
        node(attack, -1, (0, 1), has_body=False, status=FAILED, failed_below=True),
        node(attack, 0, (0, 1), status=FAILED, faults=[fault], log=[attack], reason=attack),
        log=[attack],
    )
    seen = page.show(run)
    seen.press("n")
    seen.until(HEADING)

    assert seen.run("return [window.hit, document.images.length, document.scripts.length]") == [None, 0, 1]
    assert seen.messages() == []
    assert len(seen.requests()) == 1
    assert "<img src=x" in seen.run(f"return {HEADING}")


def test_run_that_has_not_ended_says_so(page: Page) -> None:
    """It may go on, or was broken off."""
    run = story(node("root", -1, (0, 4), has_body=False, status=WORKING), node("a", 0, (0, 4), status=WORKING))
    seen = page.show(run)

    assert seen.run("return document.getElementById('notice').innerText") == (
        "This run had not come to its end: it was still going on, or was broken off. "
        "What you see is what was on record by then."
    )


def test_run_in_which_nothing_began_is_shown(page: Page) -> None:
    """Without a timeline, a path and tables that would be empty."""
    seen = page.show(story(node("root", -1), node("a", 0)))

    assert seen.run(f"return {ROWS}") == ["root", "a"]
    assert seen.run("return [...document.querySelectorAll('h2')].filter((each) => each.offsetHeight).length") == 1
    assert seen.messages() == []


def test_hundred_thousand_nodes_need_few_elements(page: Page) -> None:
    """Whatever is open and wherever one scrolls, only what is in sight is there."""
    seen = page.show(large())
    elements = "document.querySelectorAll('*').length"
    assert seen.run(f"return {elements}") <= 2_000

    seen.run("document.getElementById('open-all').click()")
    seen.run("const box = document.getElementById('tree'); box.scrollTop = box.scrollHeight")
    assert seen.until(f"{ROWS}.at(-1) === 'fetch[page-99999]'")
    seen.press("/", *"page-99")
    assert seen.until("document.getElementById('found').textContent") == "1,101 found"
    seen.press("Escape", "End")
    assert seen.until(f"{HEADING} === 'fetch[page-99999]'")
    assert seen.run(f"return {elements}") <= 2_000
    assert seen.messages() == []
