"""Untrusted text: what `safe_text` shows, and that nothing gets past it."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask.text import display_width, safe_text

PICTURES = [(0x2190, 0x21FF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF)]
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fetch[news/7.html]",
        "Grüße, Ζεύς, Привет",
        "日本語ブログ 한국어",
        "e\u0301 with a mark",
        "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥 👍🏽 🇩🇪",
        "1\ufe0f\u20e3",
        r"a literal \x1b",
    ],
)
def test_clean_text_comes_back_as_it_is(text: str) -> None:
    """Names in any language, and emoji made of several characters, are not touched."""
    assert safe_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("nul\0 del\x7f", r"nul\x00 del\x7f"),
        ("line\u2028separator", r"line\u2028separator"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("a\u200db", r"a\u200db"),
        ("a\ufe0f\u200d🎉", r"a\ufe0f\u200d🎉"),
        ("fetch[1\ufe0f]", r"fetch[1\ufe0f]"),
        ("\udc80 lone", r"\udc80 lone"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("soft\xadhyphen", r"soft\xadhyphen"),
    ],
)
def test_hostile_text_is_shown_visibly(text: str, shown: str) -> None:
    """What a terminal would obey, or nobody would see, is written as an escape of Python."""
    assert safe_text(text) == shown


def test_heaps_of_marks_are_cut_down() -> None:
    """A character with more marks than any language has is drawn over its neighbours; the rest is written out."""
    shown = safe_text("z" + "\u0300" * 100)

    assert shown == "z" + "\u0300" * 4 + r"\u0300" * 96


@pytest.mark.parametrize(("limit", "shown"), [(0, ""), (1, "…"), (5, "abcd…"), (8, "abcdefgh"), (None, "abcdefgh")])
def test_long_text_is_cut_to_its_limit(limit: int | None, shown: str) -> None:
    """A cut text says so by its last character."""
    assert safe_text("abcdefgh", limit=limit) == shown


def test_limit_holds_for_what_is_made_longer() -> None:
    """An escape takes more characters than what it shows."""
    assert safe_text("\x1b" * 10, limit=6) == r"\x1b\…"


def test_anything_can_be_shown() -> None:
    """A name that is no string, which nobody checks, does not end a display."""
    assert safe_text(None) == "None"


@given(st.text(st.characters()))
def test_nothing_invisible_gets_through(text: str) -> None:
    """Property: no control, format, bidi or surrogate character, but the joints between pictures."""
    shown = safe_text(text)

    for index, character in enumerate(shown):
        if unicodedata.category(character) in INVISIBLE:
            assert character == "\u200d"
            assert is_picture(shown[index + 1])
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert safe_text(shown) == shown


@given(st.text(st.sampled_from("a1#👩❤\u200d\ufe0f\ufe0e\u20e3\u0301🏽")))
def test_joints_stay_only_between_pictures(text: str) -> None:
    """Whatever is mixed with joiners and variation selectors, a joint that stays has a picture on each side."""
    shown = safe_text(text)

    for index, character in enumerate(shown):
        if character == "\u200d":
            before = shown[:index].rstrip("\ufe0f")
            assert is_picture(before[-1])
            assert is_picture(shown[index + 1])
    assert safe_text(shown) == shown
    assert display_width(shown) >= 0


@pytest.mark.slow
def test_table_knows_what_this_python_knows() -> None:
    """Every character that Unicode calls a control, format or surrogate character is written out."""
    hidden = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in INVISIBLE]

    assert [f"{ord(each):x}" for each in hidden if safe_text(f"a{each}b") == f"a{each}b"] == []


def is_picture(character: str) -> bool:
    """Whether a character may be a part of an emoji."""
    return any(first <= ord(character) <= last for first, last in PICTURES)
