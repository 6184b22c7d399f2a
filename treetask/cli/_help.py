"""What `--help` puts out. Made to be read on terminals of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from treetask.cli._options import OPTIONS

_USAGE: Final = """\
usage: treetask TARGET [run|list|plan] [options]
       treetask resume|rerun|show [RUN] [options]
       treetask report [RUN|FILE] [options]
       treetask replay [RUN|FILE] [options]
       treetask runs|prune [options]"""

_DESCRIPTION: Final = """\
  run     run a pipeline, which is also what happens without a command: the
          tree of its tasks is shown on standard error while it runs, standard
          output has what the tasks print
  list    show what there is in it, with the ids of tasks and their tags
  plan    show what would run, and what waits for what; nothing runs

TARGET is module:attribute or path/file.py:attribute. The attribute is a
Registry, a group or a task (dotted: app:tree.crawl), a TaskTree, a
TreeBuilder, or a function without arguments that returns one of these.
Without a TARGET it is 'target' in [tool.treetask] of the nearest
pyproject.toml.

  resume  go on with a run that did not end well: what was done stays done
  rerun   run all of it again, as a new run; --failed: what was not done
  runs    show which runs are on record
  show    show the tree of a run, with what failed and why
  report  make a page of a run for a browser, or another --format; FILE has
          what --events wrote
  replay  show a run again as it went; FILE has what --events wrote
  prune   delete the oldest runs

RUN is a number that 'runs' shows: by default the newest run, for resume the
newest that is not done. Every run is kept in .treetask/journal.db of the
project (the nearest folder with a pyproject.toml or .git), or in the store
that --store, TREETASK_STORE or 'store' in [tool.treetask] names."""

_EPILOG: Final = """\
SEL is checks/lint (a task, with all below it), checks/*, **/fetch[*], tag:net,
+publish (with what it needs), crawl+ (with what needs it) or state:failed (as
it ended in the newest run of TARGET). What holds a selected task runs as well;
what is spawned and not selected is skipped.

Ctrl-C cancels the run and lets its tasks clean up; a second one hurries them,
a third leaves at once.

Colours: --color, else NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, CLICOLOR, else on
terminals. Live rows: on terminals, where CI is set only by --display live.
In GitHub Actions: groups, annotations and the summary of the step.

exit codes: 0 all well, 1 a task failed, 2 wrong usage or a pipeline that
cannot run, 5 nothing selected or nothing to resume, 124 the run's timeout;
129, 130 and 143 after SIGHUP, SIGINT (Ctrl-C) and SIGTERM"""

_COLUMNS: Final = 78
#: Where what is said of an option begins.
_BESIDE: Final = 22


def help_lines() -> Iterator[str]:
    """Yield the lines of the help."""
    yield from f"{_USAGE}\n\n{_DESCRIPTION}\n\noptions:".splitlines()
    for option in OPTIONS:
        value = "" if option.metavar is None else f" {option.metavar}"
        head = f"  {', '.join(option.names)}{value}"
        first, *more = _wrapped(option.help, _COLUMNS - _BESIDE)
        if len(head) > _BESIDE - 2:
            yield head
            head = ""
        yield f"{head:{_BESIDE}}{first}"
        yield from (" " * _BESIDE + line for line in more)
    yield from f"\n{_EPILOG}".splitlines()


def _wrapped(text: str, columns: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines
