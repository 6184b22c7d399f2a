"""Where a run comes from, as it is kept beside its record: what a command needs to make the same job again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from treetask._errors import short_path
from treetask.cli._job import Job
from treetask.cli._options import Options
from treetask.cli._problem import CommandProblem
from treetask.cli._target import Target, parse_target
from treetask.cli._values import types_for
from treetask.model import OnFailure

if TYPE_CHECKING:
    from treetask.store import Origin, RunRecord


def origin_of(job: Job) -> Origin:
    """Return what is to be kept of a job: all but what must not be written, or cannot."""
    from treetask.store import Origin

    params: str = "{}"
    left_out: tuple[str, ...] = ()
    if job.values:
        from treetask.store import encode_params

        params, left_out = encode_params(job.values, types_for(job.pipeline))
    here = Path.cwd()
    options = job.options
    kept: dict[str, Any] = {
        "seen_from": None if job.target.folder == here else str(job.target.folder),
        "left_out": list(left_out),
        "only": list(options.only),
        "skip": list(options.skip),
        "endings_of": job.endings_of,
        "jobs": options.max_concurrency,
        "policy": None if options.on_failure is None else options.on_failure.value,
        "timeout": options.timeout,
    }
    told = {name: value for name, value in kept.items() if value not in (None, [])}
    return Origin(target=str(job.target), folder=str(here), params=params, options=told)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The origin of a run on record, read."""

    record: RunRecord
    target: Target
    folder: Path
    #: The names of parameters that must be given again.
    left_out: tuple[str, ...]
    endings_of: int | None
    _options: Mapping[str, Any]

    def merged_into(self, given: Options) -> Options:
        """Return the options of a command about the run: what to run as it was, how to run it as it is told now."""
        kept = self._options
        policy = kept.get("policy")
        return replace(
            given,
            only=tuple(kept.get("only", ())),
            skip=tuple(kept.get("skip", ())),
            max_concurrency=kept.get("jobs") if given.max_concurrency is None else given.max_concurrency,
            on_failure=OnFailure(policy) if given.on_failure is None and policy else given.on_failure,
            timeout=kept.get("timeout") if given.timeout is None else given.timeout,
        )

    def go_there(self) -> None:
        """Make the folder of the run the current one: what its bodies name is seen from there."""
        try:
            os.chdir(self.folder)
        except OSError as error:
            where = short_path(str(self.folder))
            raise CommandProblem(
                f"run {self.record.id} belongs to the folder {where}, which cannot be entered: {error.strerror}"
            ) from error

    def is_of(self, target: Target) -> bool:
        """Whether the run was one of that target."""
        return _place(self.target) == _place(target)


def recalled(record: RunRecord) -> Recalled | None:
    """Return where a run comes from; None for one of a program of its own."""
    origin = record.origin
    if origin.target is None or origin.folder is None:
        return None
    options: Mapping[str, Any] = origin.options or {}
    folder = Path(origin.folder)
    return Recalled(
        record=record,
        target=parse_target(origin.target, Path(options.get("seen_from") or folder)),
        folder=folder,
        left_out=tuple(cast("list[str]", options.get("left_out", []))),
        endings_of=options.get("endings_of"),
        _options=options,
    )


def _place(target: Target) -> tuple[str, str]:
    """Return what tells a target from others, wherever it is seen from."""
    return str(target.path.resolve() if target.is_file else target.folder.resolve() / target.place), target.attribute
