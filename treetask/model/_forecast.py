"""How long a run may take, by what earlier runs of the same tree took. No clock: seconds come in and go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class Forecast:
    """What earlier runs say of this one.

    `seconds` is how long one of them took; `work` has, by declaration, how many seconds one of its nodes takes and how
    many of them there are. One thread notes what is done, any may ask.
    """

    __slots__ = ("_done", "_seconds", "_total", "_typical", "_whole")

    def __init__(self, seconds: float, work: Mapping[str, tuple[float, float]]) -> None:
        self._seconds: Final = seconds
        self._typical: Final = {declaration: each for declaration, (each, _) in work.items()}
        self._whole: Final = sum(each * count for each, count in work.values())
        self._total = self._whole
        self._done = 0.0

    def leave_out(self, declaration: str) -> None:
        """One node of a declaration was done before the run began."""
        self._total = max(0.0, self._total - self._typical.get(declaration, 0.0))

    def note_done(self, declaration: str) -> None:
        """One more node of a declaration is done, whose work counts as that of its like before."""
        self._done += self._typical.get(declaration, 0.0)

    @property
    def seconds(self) -> float:
        """How long the run takes, of which a part may have been done before."""
        return self._seconds * self._total / self._whole if self._whole > 0 else self._seconds

    @property
    def share(self) -> float | None:
        """How much of the work is done, from 0 to 1; None where there was none to speak of."""
        return min(self._done / self._total, 1.0) if self._total > 0 else None


def remaining_seconds(elapsed: float, share: float, forecast: Forecast | None) -> float | None:
    """Return how long a run will still take that has done a share of its work, from 0 to 1; None if that is unknown.

    At first that is what earlier runs say, in the end what this one's own pace does, and in between some of both.
    Without earlier ones its own pace counts as soon as there is something to go by.
    """
    known = None if forecast is None else forecast.share
    if forecast is None or known is None:
        return elapsed * (1 - share) / share if share >= LEAST_SHARE and elapsed >= LEAST_ELAPSED else None
    # The whole takes `forecast.seconds`, or `elapsed / known` by its own pace, which weighs as much as is done.
    return (1 - known) * ((1 - known) * forecast.seconds + elapsed)


#: Less than a twentieth of the work, or than a second, says nothing of the rest.
LEAST_SHARE: Final = 0.05
LEAST_ELAPSED: Final = 1.0
