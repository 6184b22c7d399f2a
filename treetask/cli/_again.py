"""Runs what was run before: `resume`, `rerun`, and `--from-failed`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from treetask._errors import TreeTaskError
from treetask.cli._job import Job, make_job, selects_by_state
from treetask.cli._on_record import store_with_runs
from treetask.cli._options import Options, Param
from treetask.cli._origin import Recalled, origin_of, recalled
from treetask.cli._pipeline import Pipeline, load_pipeline
from treetask.cli._place import StorePlace
from treetask.cli._problem import CommandProblem, ExitCode
from treetask.cli._recording import Recording
from treetask.cli._run import run_tree
from treetask.cli._streams import say
from treetask.cli._target import Target
from treetask.cli._values import option_for, types_for, values_for
from treetask.model import Endings
from treetask.text import safe_text

if TYPE_CHECKING:
    from treetask.store import RunRecord, Store


def resume(options: Options, place: StorePlace) -> int:
    """Go on with a run, by default the newest that is not done; return the exit code."""
    from treetask.store import ResumedRun, RunStatus

    store = store_with_runs(place)
    with store:
        record = _chosen(store, options.run, unless_done=True)
        if record.status is RunStatus.DONE:
            say([f"treetask: run {record.id} is done; there is nothing to resume"])
            return ExitCode.ALL_WELL
        _refuse_driven(record)
        again = _recalled(record)
        again.go_there()
        job = _same_job(again, options, store)
        beginning = _so_far(store, record, f"resumed run {record.id}")
        recorder = ResumedRun(store, record)
        return _run(job, Recording(store, recorder, place, left_out=again.left_out, beginning=beginning))


def rerun(options: Options, place: StorePlace) -> int:
    """Run an earlier run again as a new one, by default the newest; with `--failed`, what of it was not done."""
    from treetask.store import RunStatus

    with store_with_runs(place) as store:
        record = _chosen(store, options.run)
        if options.failed and record.status is RunStatus.DONE:
            say([f"treetask: run {record.id} is done; nothing in it failed"])
            return ExitCode.ALL_WELL
        if options.failed:
            _refuse_driven(record)
        again = _recalled(record)
        again.go_there()
        return _run_anew(_same_job(again, options, store), again, store, place, takes_over=options.failed)


def run_from_failed(target: Target, pipeline: Pipeline, options: Options, place: StorePlace) -> int:
    """Run what was not done in the newest run of a target; parameters and selection are those of that run."""
    from treetask.store import RunStatus

    with store_with_runs(place) as store:
        again = newest_of(target, store)
        if again is None:
            raise CommandProblem(
                f"store {store.url} has no run of {target} yet; leave out --from-failed",
                exit_code=ExitCode.NOTHING_SELECTED,
            )
        if again.record.status is RunStatus.DONE:
            say([f"treetask: run {again.record.id}, the newest of {target}, is done; nothing in it failed"])
            return ExitCode.ALL_WELL
        _refuse_driven(again.record)
        if not (options.only or options.skip):
            merged = again.merged_into(options)
        else:
            merged = replace(again.merged_into(options), only=options.only, skip=options.skip)
        values = _values(again, pipeline, options.params, may_repeat=True)
        endings = endings_for(again, merged, store)
        job = make_job(target, pipeline, values, merged, endings)
        return _run_anew(job, again, store, place, takes_over=True)


def newest_of(target: Target, store: Store) -> Recalled | None:
    """Return where the newest run of a target comes from; None if there is no such run."""
    from treetask.store import list_runs

    with store.reading() as connection:
        records = list_runs(connection)
    for record in records:
        if record.origin.target is not None and record.origin.target.endswith(target.attribute):
            again = recalled(record)
            if again is not None and again.is_of(target):
                return again
    return None


def endings_of_newest(target: Target, place: StorePlace) -> tuple[int, Endings]:
    """Return how the newest run of a target ended. Raises `CommandProblem` if there is none."""
    store = place.opened_if_there()
    if store is not None:
        with store:
            again = newest_of(target, store)
            found = None if again is None else _endings_of(again.record.id, store)
        if found is not None:
            return found
    raise CommandProblem(
        f"a selector asks how tasks ended in the newest run of {target}, and there is no run of it on record yet",
        exit_code=ExitCode.NOTHING_SELECTED,
    )


def _endings_of(number: int, store: Store) -> tuple[int, Endings]:
    from treetask.store import RunEndings

    with store.reading() as connection:
        return number, RunEndings(connection, number)


def endings_for(again: Recalled | None, options: Options, store: Store) -> tuple[int, Endings] | None:
    """Return what `state:` selectors go by, where there are any: the newest run, or that which it went by itself."""
    from treetask.store import find_run

    if again is None or not selects_by_state(options):
        return None
    number = again.record.id if again.endings_of is None else again.endings_of
    try:
        with store.reading() as connection:
            find_run(connection, number)
    except TreeTaskError as error:
        raise CommandProblem(f"a selector of run {again.record.id} asks for run {number}: {error}") from error
    return _endings_of(number, store)


def _run_anew(job: Job, again: Recalled, store: Store, place: StorePlace, *, takes_over: bool) -> int:
    from treetask.store import NewRun

    past = again.record if takes_over else None
    beginning = None if past is None else _so_far(store, past, f"took over run {past.id}")
    recorder = NewRun(store, origin_of(job), past_of=past)
    return _run(job, Recording(store, recorder, place, left_out=again.left_out, beginning=beginning))


def _run(job: Job, recording: Recording) -> int:
    return run_tree(job, recording=recording)


def _so_far(store: Store, record: RunRecord, beginning: str) -> str:
    from treetask.store import tasks_done

    with store.reading() as connection:
        count = tasks_done(connection, record.id)
    return f"{beginning}: {count:,} {'task' if count == 1 else 'tasks'} had been done before"


# -- which run --------------------------------------------------------------------------------------------------------


def _chosen(store: Store, number: int | None, *, unless_done: bool = False) -> RunRecord:
    """Return the run of a number; by default the newest, or the newest that is not done if there is one."""
    from treetask.store import RunStatus, find_run, list_runs

    with store.reading() as connection:
        if number is not None:
            try:
                return find_run(connection, number)
            except TreeTaskError as error:
                raise CommandProblem(str(error)) from error
        records = list_runs(connection)
    if not records:
        raise CommandProblem(f"store {store.url} has no runs yet", exit_code=ExitCode.NOTHING_SELECTED)
    open_ones = [record for record in records if record.status is not RunStatus.DONE] if unless_done else []
    return (open_ones or records)[0]


def _refuse_driven(record: RunRecord) -> None:
    from treetask.store import RunOwnedError, RunStatus

    if record.status is RunStatus.RUNNING:
        raise CommandProblem(
            str(RunOwnedError(f"run {record.id}", record.owner.host, record.owner.pid, record.started_at))
        )


def _recalled(record: RunRecord) -> Recalled:
    again = recalled(record)
    if again is None:
        raise CommandProblem(
            f"run {record.id} of '{record.root}' was begun by a program of its own; go on with it there, by "
            f"store=store.resume({record.id})"
        )
    return again


# -- the same job again -----------------------------------------------------------------------------------------------


def _same_job(again: Recalled, options: Options, store: Store) -> Job:
    pipeline = load_pipeline(again.target)
    merged = again.merged_into(options)
    values = _values(again, pipeline, options.params, may_repeat=False)
    return make_job(again.target, pipeline, values, merged, endings_for(again, merged, store))


def _values(again: Recalled, pipeline: Pipeline, given: Iterable[Param], *, may_repeat: bool) -> dict[str, Any]:
    """Return the parameters of a run on record, with those that are given again because they were not recorded."""
    number = again.record.id
    kept = _kept_values(again, pipeline)
    types = types_for(pipeline)
    params = list(given)
    repeated = [param for param in params if param.name in types and param.name not in again.left_out]
    if repeated and not may_repeat:
        fix = f"leave out {repeated[0].option}, or begin a new run: treetask {again.target}"
        raise CommandProblem(f"run {number} takes '{repeated[0].name}' from the journal; {safe_text(fix)}")
    fresh = values_for(pipeline, params, {}, is_own=False, known={*kept, *again.left_out})
    for param in repeated:
        if param.name not in kept or fresh[param.name] != kept[param.name]:
            was = f"was {kept[param.name]!r}" if param.name in kept else "was not given"
            raise CommandProblem(
                f"'{param.name}' {was} in run {number}, whose results would be taken over; leave out {param.option}, "
                "or --from-failed"
            )
    missing = [name for name in again.left_out if name in types and name not in fresh]
    if missing:
        ways = " ".join(option_for(name, "…") for name in missing)
        names = " and ".join(f"'{name}'" for name in missing)
        raise CommandProblem(f"run {number} was given {names}, which no record keeps; give it again: {ways}")
    return {**kept, **fresh}


def _kept_values(again: Recalled, pipeline: Pipeline) -> Mapping[str, Any]:
    text = again.record.origin.params
    if text is None or text == "{}":
        return {}
    from treetask.store import NotReadable, decode_params

    types = types_for(pipeline)
    try:
        values = decode_params(text, types)
    except NotReadable as error:
        raise CommandProblem(f"run {again.record.id}: {error}; begin a new run: treetask {again.target}") from error
    unknown = [name for name in values if name not in types]
    if unknown:
        raise CommandProblem(
            f"run {again.record.id} was given '{unknown[0]}', which {again.target} has no more; "
            f"begin a new run: treetask {again.target}"
        )
    return values
