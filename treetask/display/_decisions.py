"""What an output gets: colours, rows that are painted over, signs beyond ASCII. Three decisions, apart from each other.

Each goes by the environment and by what is known of the stream, and by nothing else: that somebody forces colours says
nothing of a terminal, and that a build has a terminal says nothing of a person in front of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Terminals, by TERM, that know no escape sequences.
_DUMB: Final = frozenset({"dumb", "unknown"})
#: Terminals, by TERM, that encode everything and whose font has no pictures.
_WITHOUT_PICTURES: Final = frozenset({"linux"})
#: What stands for no in variables that say yes or no.
_NO: Final = frozenset({"", "0", "false", "no"})


def wants_colours(choice: str, environment: Mapping[str, str], *, obeys_escapes: bool) -> bool:
    """Whether colours are written; `obeys_escapes` says whether that is a terminal that knows what they mean.

    Asked in this order: the option; NO_COLOR (no-color.org); FORCE_COLOR (force-color.org) and CLICOLOR_FORCE;
    CLICOLOR; the terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return obeys_escapes and environment.get("CLICOLOR") != "0" and not is_dumb(environment)


def may_animate(environment: Mapping[str, str], *, asked_for: bool) -> bool:
    """Whether rows may be painted over, where the output can do that: in a build only if that was asked for."""
    return asked_for or environment.get("CI", "").lower() in _NO


def has_pictures(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether signs beyond ASCII can be seen on an output that can encode them."""
    return not (is_terminal and environment.get("TERM", "").lower() in _WITHOUT_PICTURES)


def is_dumb(environment: Mapping[str, str]) -> bool:
    """Whether the terminal says of itself that it knows no escape sequences."""
    return environment.get("TERM", "").lower() in _DUMB


def is_github(environment: Mapping[str, str]) -> bool:
    """Whether what is written is read by GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"
