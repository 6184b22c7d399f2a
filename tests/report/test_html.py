"""The page as text: what it holds, what its policy allows, and that nothing in it is made of what a run has said."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, strategies

from tests.report.stories import DONE, FAILED, nightly, node, story
from tests.report.test_formats import hostile
from treetask.events import Fault, Frame
from treetask.report import _payload, html_page
from treetask.text import safe_text

#: What has ended a script element, or begun something else, where it should not have.
ATTACKS = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "%%story%%",
    "\u2028alert(1)\u2029",
    "&lt;b&gt;",
    "{{constructor}}",
    "</title><b>",
    "\ud800",
    "__proto__",
)


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text in some of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: dict[str, str] = {}
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = tuple((name, value) for name, value in attrs if name != "content")
        self.elements.append((tag, shown))
        self._within = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._within] = self.texts.get(self._within, "") + data

    @property
    def known(self) -> dict[str, Any]:
        """What the script will read."""
        found: dict[str, Any] = json.loads(self.texts["story"])
        return found


PLAIN = Page(html_page(hostile("plain")))


@pytest.mark.slow
@given(strategies.text() | strategies.sampled_from(ATTACKS))
def test_page_holds_what_a_run_says_as_text_alone(text: str) -> None:
    """The same elements with the same attributes, whatever the text; and the text is there, made visible."""
    page = Page(html_page(hostile(text)))
    known = page.known

    assert page.elements == PLAIN.elements
    assert page.texts["script"] == PLAIN.texts["script"]
    assert page.texts.get("title", "") == safe_text(text)
    seen = safe_text(text.expandtabs(4)) if "\x1b" not in text else known["name"]
    assert (known["name"], known["log"], known["nodes"]["name"][1]) == (seen, [seen], seen)
    assert known["details"]["1"]["log"] == [seen]
    assert known["details"]["1"]["reason"] == seen
    assert known["faults"][0][0] == seen


def test_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    """By their hashes, so that not even an element that got in would be obeyed."""
    text = html_page(nightly())
    page = Page(text)
    style, script = (
        base64.b64encode(hashlib.sha256(page.texts[name].encode()).digest()).decode() for name in ("style", "script")
    )

    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text


def test_page_names_no_other_place() -> None:
    """Nothing to load, nowhere to go; the one address is the name of SVG's elements."""
    text = html_page(nightly())

    assert text.count("http://www.w3.org/2000/svg") == 1
    assert text.count("://") == 1 + text.partition('id="story">')[2].partition("</script>")[0].count("://")
    assert not {tag for tag, _ in Page(text).elements} & {"link", "img", "iframe", "base", "object", "a"}


def test_script_makes_no_markup_of_text() -> None:
    """There is no way into the page but text and elements that it names itself."""
    script = PLAIN.texts["script"]

    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert word not in script


def test_equal_faults_are_in_the_page_once() -> None:
    """However many nodes have met them."""
    assert len(Page(html_page(nightly())).known["faults"]) == 1


def test_files_are_told_from_the_folder_that_they_share() -> None:
    """What is the same in every path hides what is not; a folder that says nothing is not taken away."""
    one, other = (Fault("OSError", "", (Frame(f"/home/me/shop/{name}", 1, "f"),)) for name in ("a.py", "b/c.py"))
    known = Page(html_page(story(node("root", -1, (0, 1), status=FAILED, faults=[one, other])))).known
    strange = Fault("OSError", "", (Frame("/a.py", 1, "f"),))

    assert known["folder"] == "/home/me/shop/"
    assert [fault[2][0][0] for fault in known["faults"]] == ["a.py", "b/c.py"]
    known = Page(html_page(story(node("root", -1, (0, 1), status=FAILED, faults=[one, strange])))).known
    assert [fault[2][0][0] for fault in known["faults"]] == ["/home/me/shop/a.py", "/a.py"]


def test_folder_that_is_next_to_none_is_not_taken_away() -> None:
    """Two names are; of one, as of a home, little is left to read."""
    for path, folder in (("/home/a.py", ""), ("/home/me/a.py", "/home/me/")):
        fault = Fault("OSError", "", (Frame(path, 1, "f"),))
        run = story(node("root", -1, (0, 1), status=FAILED, faults=[fault]))
        assert Page(html_page(run)).known["folder"] == folder


def test_columns_leave_out_what_goes_without_saying() -> None:
    """An id that is its parent's and its name, a progress that JSON has no form for."""
    run = story(
        node("root", -1, (0, 1)),
        node("usual", 0, (0, 1), progress=(1, 2.5)),
        node("named", 0, (0, 1), id="strange", progress=(float("nan"), 1)),
    )
    known = Page(html_page(run)).known

    assert known["nodes"]["id"] == {"2": "strange"}
    assert known["details"] == {"1": {"progress": [1, 2.5]}}


def test_long_logs_are_cut_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed keeps its whole log, the others their last lines and the number of those left out."""
    monkeypatch.setattr(_payload, "_LOGS_KEPT", 200)
    log = [f"line {number}" for number in range(20)]
    run = story(
        node("root", -1, (0, 1), has_body=False),
        node("well", 0, (0, 1), log=log, status=DONE),
        node("failed", 0, (0, 1), log=log, status=FAILED),
    )
    details = Page(html_page(run)).known["details"]

    assert details["1"]["log"] == log[-10:]
    assert details["1"]["cut"] == 10
    assert details["2"]["log"] == log
