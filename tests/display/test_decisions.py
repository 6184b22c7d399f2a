"""Colours, painting, signs: what the environment and the output make of each, and that one never decides another."""

from __future__ import annotations

import io

import pytest

from treetask.display import LiveDisplay
from treetask.display._decisions import has_pictures, may_animate, wants_colours
from treetask.display._plain import PlainLog
from treetask.display._screen import Screen
from treetask.testing import ScreenTerminal


@pytest.mark.parametrize(
    ("choice", "environment", "on_a_terminal", "elsewhere"),
    [
        ("auto", {}, True, False),
        ("auto", {"TERM": "dumb"}, False, False),
        ("auto", {"NO_COLOR": ""}, True, False),
        ("auto", {"NO_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ("auto", {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ("auto", {"FORCE_COLOR": ""}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, True, True),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ("auto", {"FORCE_COLOR": "1", "CLICOLOR": "0"}, True, True),
        ("auto", {"CLICOLOR": "0"}, False, False),
        ("auto", {"CLICOLOR": "1"}, True, False),
        ("auto", {"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, True, False),
        ("auto", {"CI": "true"}, True, False),
        ("auto", {"CI": "true", "GITHUB_ACTIONS": "true"}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, True, True),
        ("never", {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
    ],
)
def test_colours_are_a_decision_of_their_own(
    choice: str, environment: dict[str, str], *, on_a_terminal: bool, elsewhere: bool
) -> None:
    """The option, NO_COLOR, what forces colours, CLICOLOR, the terminal; who is asked first decides."""
    assert wants_colours(choice, environment, obeys_escapes=True) is on_a_terminal
    assert wants_colours(choice, environment, obeys_escapes=False) is elsewhere


@pytest.mark.parametrize(
    ("environment", "painted"),
    [
        ({}, True),
        ({"CI": ""}, True),
        ({"CI": "false"}, True),
        ({"CI": "0"}, True),
        ({"CI": "true"}, False),
        ({"CI": "woodpecker"}, False),
        ({"CI": "true", "FORCE_COLOR": "1"}, False),
        ({"NO_COLOR": "1"}, True),
    ],
)
def test_painting_is_a_decision_of_its_own(environment: dict[str, str], *, painted: bool) -> None:
    """Nobody watches a build, unless somebody says so; colours have nothing to do with it."""
    assert may_animate(environment, asked_for=False) is painted
    assert may_animate(environment, asked_for=True)


def test_console_without_pictures_gets_signs_of_ascii() -> None:
    """The text console of Linux encodes all and can draw 512 signs; a file written there is read elsewhere."""
    assert has_pictures({"TERM": "xterm"}, is_terminal=True)
    assert not has_pictures({"TERM": "linux"}, is_terminal=True)
    assert has_pictures({"TERM": "linux"}, is_terminal=False)


def test_forced_colours_make_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log stays a log; in a build a terminal gets one too, in colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(LiveDisplay(output=io.StringIO())._face, PlainLog)
    assert isinstance(LiveDisplay(output=ScreenTerminal())._face, Screen)
    monkeypatch.setenv("CI", "true")
    face = LiveDisplay(output=ScreenTerminal())._face
    assert isinstance(face, PlainLog)
    assert face.theme.has_colours
