"""What a body may order to be run: refused before anything starts, with what was found and what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sentences import exactly
from treetask.model._process import process_order

COMMAND_EXPECTED = "expected a line for the shell, or a sequence: the program and its arguments"
ANYTHING: dict[str, Any] = {"input": None, "cwd": None, "env": None, "check": True, "capture_output": False}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("make all | tee log", "make all | tee log"),
        (["make", b"all"], ["make", b"all"]),
        (("ls", Path("some") / "folder"), ["ls", str(Path("some") / "folder")]),
    ],
)
def test_command_is_a_line_or_words(command: Any, words: object) -> None:  # noqa: ANN401 - what users hand in
    """Paths become text; a line stays as it is."""
    assert process_order("a", command, **ANYTHING).words == words


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        ("", ValueError, f"command is ''; {COMMAND_EXPECTED}"),
        (" \n", ValueError, f"command is ' \\n'; {COMMAND_EXPECTED}"),
        ([], ValueError, f"command is []; {COMMAND_EXPECTED}"),
        (None, TypeError, f"command is None; {COMMAND_EXPECTED}"),
        (b"make", TypeError, f"command is b'make'; {COMMAND_EXPECTED}"),
        ({"make": "all"}, TypeError, f"command is {{'make': 'all'}}; {COMMAND_EXPECTED}"),
        (Path("run.sh"), TypeError, f"command is {Path('run.sh')!r}; {COMMAND_EXPECTED}; write [path]"),
        (["make", "-j", 4], TypeError, "command[2] is 4; expected a string, bytes or a path"),
        (["x", [0] * 99], TypeError, f"command[1] is [{'0, ' * 26}…; expected a string, bytes or a path"),
    ],
)
def test_command_that_is_none_is_refused(command: Any, error: type[Exception], said: str) -> None:  # noqa: ANN401
    """By the node, and by what was handed in."""
    with pytest.raises(error, match=exactly(f"node 'a': run_process: {said}")):
        process_order("a", command, **ANYTHING)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"input": "secret"}, "input is of type str; expected bytes; write input=text.encode()"),
        ({"input": 5}, "input is of type int; expected bytes"),
        ({"cwd": 5}, "cwd is 5; expected a path"),
        ({"env": {"PORT": 80}}, "env['PORT'] is 80; expected strings"),
        ({"env": {1: "one"}}, "env[1] is 'one'; expected strings"),
    ],
)
def test_option_of_another_type_is_refused(option: dict[str, Any], said: str) -> None:
    """An input is not shown: programs are told secrets in this way."""
    with pytest.raises(TypeError, match=exactly(f"node 'a': run_process: {said}")):
        process_order("a", "make", **{**ANYTHING, **option})
