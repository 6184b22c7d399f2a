"""Times, counts and shares as people say them. Knows numbers only."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a time as people say it: `0.4s`, `12.4s`, `1m 12s`, `3h 05m`, `2d 03h`."""
    if seconds < 59.95:  # noqa: PLR2004 - what would be rounded to 60.0 is a minute
        return f"{max(0.0, seconds):.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def estimate(seconds: float) -> str:
    """Return a time that nobody knows exactly, as it is meant: `3s`, `40s`, `5m`, `3h 10m`, `2d 03h`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        # Up to ten seconds each one counts, above that one in five.
        whole = max(1, round(seconds))
        return f"{whole}s" if whole <= 10 else f"{min(round(whole / 5) * 5, 55)}s"  # noqa: PLR2004
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m"
    return duration(round(minutes / 5) * 300)


def number(value: float) -> str:
    """Return a count with separators; one decimal where it is no whole number (progress may be given so)."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def percent(current: float, total: float, *, ended: bool) -> int:
    """Return whole percents, rounded down; 100 if, and only if, everything has ended."""
    if ended:
        return 100
    return 0 if total <= 0 else max(0, min(99, int(current / total * 100)))
