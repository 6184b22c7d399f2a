"""Named limits: how much of something there is for all tasks that use it. What is declared; the engine counts."""

from __future__ import annotations

from dataclasses import dataclass

from treetask.model._checks import LARGEST, check_count


@dataclass(frozen=True)
class Limit:
    """What tasks that name it share: at most so many of their bodies at once, and so many starts in any second.

    `per_second` below 1 is one start in so many seconds: 0.5 is one in two. Above 1 no second sees more starts than
    that: 2.5 are two. Each attempt is a start.

    Raises `TypeError` and `ValueError` for values of the wrong kind or out of range, or if nothing is limited.
    """

    name: str
    max_concurrency: int | None = None
    per_second: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"a limit's name is {self.name!r}; expected a string that is not empty")
        owner = f"limit '{self.name}'"
        check_count("max_concurrency", self.max_concurrency, 1, owner, optional=True)
        rate: object = self.per_second
        if rate is not None:
            if isinstance(rate, bool) or not isinstance(rate, (int, float)):
                raise TypeError(f"{owner}: per_second is {rate!r}; expected a number of starts or None")
            if not 0 < rate <= LARGEST:
                raise ValueError(
                    f"{owner}: per_second is {rate!r}; expected a finite number over 0; None means no limit"
                )
        elif self.max_concurrency is None:
            raise ValueError(f"{owner} limits nothing; give it max_concurrency=, per_second= or both")
