"""`report`: a run on record, or one whose events were written to a file, as a page or in a form for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from treetask import _clock
from treetask.cli._on_record import lines_of_file, looking_for_run, store_with_runs
from treetask.cli._options import Options
from treetask.cli._place import StorePlace
from treetask.cli._problem import CommandProblem, ExitCode, said_by
from treetask.cli._streams import put_out, put_out_bytes, say
from treetask.events import Story, story_of
from treetask.report import as_json, chrome_trace, dot, html_page, mermaid
from treetask.text import safe_text

#: Standard output, as the name of a file.
_OUTPUT: Final = "-"
_FORMS: Final[Mapping[str, Callable[[Story], Iterable[str]]]] = {
    "mermaid": mermaid,
    "dot": dot,
    "chrome-trace": chrome_trace,
    "json": as_json,
}


def report(options: Options, place: StorePlace) -> int:
    """Put out the report of a run: a page into a file, everything else to standard output unless a file is named."""
    file = options.output
    _refuse_its_own_source(options.source, file)
    story = _story(options, place)
    if options.format != "html":
        lines = _FORMS[options.format](story)
        if file is None or file == _OUTPUT:
            put_out(lines)
        else:
            _write(file, (f"{line}\n" for line in lines))
    elif file == _OUTPUT:
        put_out_bytes(html_page(story).encode())
    else:
        file = _usual_name(options, story) if file is None else file
        _write(file, [html_page(story)])
        say([f"treetask: report written to {safe_text(file)}"])
    return ExitCode.ALL_WELL


def _refuse_its_own_source(source: str | None, file: str | None) -> None:
    """Raise `CommandProblem` where the events of a run would be lost to a report of it."""
    if source is None or file is None or file == _OUTPUT:
        return
    with suppress(OSError, ValueError):  # one of them is not there, which others find out
        if Path(file).samefile(source):
            raise CommandProblem(f"-o: '{file}' has the events that the report is made of; give it another name")


def _story(options: Options, place: StorePlace) -> Story:
    """Return the run that is meant. Raises `CommandProblem` where there is none such."""
    with looking_for_run(options):
        if options.source is not None:
            return story_of(lines_of_file(options.source, "report"))
        return _on_record(options, place)


def _on_record(options: Options, place: StorePlace) -> Story:
    from treetask.store import RunStatus, find_run, run_lines

    with store_with_runs(place) as store, store.reading() as connection:
        record = find_run(connection, options.run)
        story = story_of(run_lines(connection, record.id))
    if record.ended_at is not None:
        return story
    # What goes on has no last line, and what was lost lived as long as it was last heard of.
    until = _clock.wall() if record.status is RunStatus.RUNNING else record.heartbeat_at
    return replace(story, elapsed=max(story.elapsed, until - record.started_at))


def _usual_name(options: Options, story: Story) -> str:
    """Return the name of a page that was given none: in the current folder, by the run or by the file of its events."""
    if options.source is not None:
        return f"{Path(options.source).name}.html"
    return f"run-{story.run}.html"


def _write(file: str, parts: Iterable[str]) -> None:
    try:
        with Path(file).open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(parts)
    except (OSError, ValueError) as error:
        raise CommandProblem(f"-o: '{file}' cannot be written: {said_by(error)}") from error
