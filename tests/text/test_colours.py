"""Lines of programs with their colours, and nothing else that a terminal would obey."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask.text import safe_colours, without_colours

SGR = re.compile(r"\x1b\[[0-9;]+m")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[31mopen", "\x1b[31mopen\x1b[0m"),
        ("\x1b[mreset", "\x1b[0mreset"),
        ("\x1b[1;91mbold", "\x1b[1;91mbold\x1b[0m"),
        ("\x1b[38;5;208mnumber", "\x1b[38;5;208mnumber\x1b[0m"),
        ("\x1b[48;2;1;2;3;4mparts", "\x1b[48;2;1;2;3;4mparts\x1b[0m"),
        ("\x1b[38;2;1;2;300mtoo much", "too much"),
        ("\x1b[38;5;255mlast", "\x1b[38;5;255mlast\x1b[0m"),
        ("\x1b[38;5;256mtoo much", "too much"),
        ("\x1b[38;5mtoo little", "too little"),
        ("\x1b[38mnothing", "nothing"),
        ("\x1b[38;7;1mstrange", "\x1b[1mstrange\x1b[0m"),
        ("\x1b[8mhidden\x1b[5mblinks\x1b[7;31mreversed", "hiddenblinks\x1b[31mreversed\x1b[0m"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x1b[31", "\\x1b[31"),
    ],
)
def test_colours_pass(text: str, shown: str) -> None:
    """Those of an allowed list; what is open at the end is closed; all else is made visible, or left out."""
    assert safe_colours(text) == shown


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 6, 7])
def test_limit_counts_what_is_seen(limit: int) -> None:
    """A text that is cut says so, wherever its colours are."""
    shown = without_colours(safe_colours("\x1b[31mabc\x1b[32mdef\x1b[0m", limit=limit))

    assert shown == ("abcdef" if limit >= 6 else "abcdef"[: limit - 1] + "…")


@given(st.text(st.sampled_from("\x1b[]0123458;m\x07\u202eaJ"), max_size=40) | st.text())
def test_nothing_else_passes(text: str) -> None:
    """Whatever the text, beside colours there is nothing that a terminal obeys, and at its end no colour is left."""
    shown = safe_colours(text)

    assert "\x1b" not in SGR.sub("", shown)
    assert not re.search(r"[\x00-\x1a\x1c-\x1f\x7f-\x9f\u202e]", shown)
    assert not (codes := SGR.findall(shown)) or codes[-1].endswith("0m")
