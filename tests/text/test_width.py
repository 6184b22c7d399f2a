"""How wide a text is, and where it is cut."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from treetask.display._theme import ICON_WIDTH, theme_for
from treetask.model import DEFAULT_ICONS, DEFAULT_TREE_CHARS, TreeTaskConfig
from treetask.text import clip, display_width, safe_text


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("✅", 2), ("❤\ufe0f", 2), ("…├── ", 5), ("가", 2)],
)
def test_width_counts_columns(text: str, width: int) -> None:
    """Wide characters take two columns, marks none."""
    assert display_width(text) == width


def test_joined_emoji_count_with_all_their_parts() -> None:
    """Terminals that do not join them show them side by side; a line must fit there too."""
    assert display_width("👨\u200d👩\u200d👧") == 6


def test_own_signs_have_the_widths_that_we_say() -> None:
    """Icons are two columns wide, lines of the tree four, so that nobody has to ask for them."""
    assert {wcwidth(icon) for icon in DEFAULT_ICONS.values()} == {ICON_WIDTH}
    assert {sum(map(wcwidth, sign)) for sign in DEFAULT_TREE_CHARS.values()} == {4}
    theme = theme_for(TreeTaskConfig())
    assert [wcwidth(sign) for sign in theme.bar_full + theme.bar_half + theme.bar_empty + theme.ellipsis] == [1] * 4


def test_letters_that_are_not_looked_up_are_one_column_wide() -> None:
    """The characters that are counted without wcwidth are as wide as wcwidth says."""
    counted = [chr(code) for code in range(0x20, 0x2600) if chr(code).isprintable() and display_width(chr(code)) == 1]

    assert [each for each in counted if wcwidth(each) != 1] == []
    assert {"é", "ß", "Ж", "Ω", "—", "·", "│"} <= set(counted)


@pytest.mark.parametrize(
    ("text", "width", "clipped"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("日本語", 2, "…"),
        ("a👩\u200d👩b", 4, "a👩…"),
    ],
)
def test_cut_text_fits_and_says_so(text: str, width: int, clipped: str) -> None:
    """A wide character that would be halved is left out; a joiner at the end too."""
    assert clip(text, width) == clipped


def test_long_ellipsis_needs_no_room() -> None:
    """Three dots on two columns: the text alone is cut."""
    assert clip("abcdef", 2, "...") == "ab"


@given(st.text(), st.integers(0, 20))
def test_nothing_is_wider_than_asked_for(text: str, width: int) -> None:
    """Property: whatever the text, its cut form fits."""
    assert display_width(clip(safe_text(text), width)) <= width


def test_latin_names_load_no_tables() -> None:
    """Wcwidth is loaded by the first name that needs it."""
    code = (
        "import sys; from treetask.display import TreeRenderer; "
        "from treetask.text import display_width; from treetask.model import *; "
        "display_width('Grüße, мир'); TreeRenderer().render(TaskTree(TaskNode('été'))); "
        "print('wcwidth' in sys.modules); display_width('日本'); print('wcwidth' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout.split(), done.stderr) == (["False", "True"], "")
