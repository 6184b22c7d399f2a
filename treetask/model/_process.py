"""What a body may order from `TaskNode.run_process`, and what comes of it. Runs nothing; that is the engine's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, cast, runtime_checkable

from typing_extensions import TypeVar

Output_co = TypeVar("Output_co", covariant=True, default=bytes | None)

#: Of a value that is refused, what a message shows.
_VALUE_SHOWN = 80


@runtime_checkable
class PathLike(Protocol):
    """A path, as `os.PathLike` has it."""

    def __fspath__(self) -> str | bytes:
        """Return the path itself."""
        ...


#: A line for the shell, or a program and its arguments.
Command: TypeAlias = str | Sequence[str | bytes | PathLike]
#: The same, with every path as text.
Words: TypeAlias = str | Sequence[str | bytes]


@dataclass(frozen=True, slots=True)
class ProcessResult(Generic[Output_co]):
    """How a process ended: its exit status, negative for the number of a signal, and what it wrote if that was kept."""

    args: Words
    returncode: int
    stdout: Output_co
    stderr: Output_co


@dataclass(frozen=True, slots=True)
class ProcessOrder:
    """What is to be run and how: the parameters of `TaskNode.run_process`, checked."""

    words: Words
    input: bytes | None
    cwd: str | bytes | None
    env: Mapping[str, str] | None
    check: bool
    capture_output: bool


def process_order(
    node_id: str,
    command: Command,
    *,
    input: bytes | None,
    cwd: str | PathLike | None,
    env: Mapping[str, str] | None,
    check: bool,
    capture_output: bool,
) -> ProcessOrder:
    """Return what the body of a node orders. Raises `TypeError` and `ValueError` for what is none, naming the node."""
    where = f"node '{node_id}': run_process"
    given: object = input
    if given is not None and not isinstance(given, bytes):
        # Not shown: a secret is told to a program in this way.
        hint = "; write input=text.encode()" if isinstance(given, str) else ""
        raise TypeError(f"{where}: input is of type {type(given).__name__}; expected bytes{hint}")
    folder: object = cwd
    if folder is not None and not isinstance(folder, (str, PathLike)):
        raise TypeError(f"{where}: cwd is {_shown(folder)}; expected a path")
    variables = cast("Mapping[object, object]", env or {})
    for name, value in variables.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{where}: env[{name!r}] is {_shown(value)}; expected strings")
    return ProcessOrder(
        _words(where, command),
        input,
        cwd.__fspath__() if isinstance(cwd, PathLike) else cwd,
        env,
        check,
        capture_output,
    )


def _words(where: str, command: object) -> Words:
    expected = "expected a line for the shell, or a sequence: the program and its arguments"
    if isinstance(command, str) and command.strip():
        return command
    if isinstance(command, PathLike):
        raise TypeError(f"{where}: command is {_shown(command)}; {expected}; write [path]")
    if isinstance(command, (bytes, bytearray)) or not isinstance(command, Sequence):
        raise TypeError(f"{where}: command is {_shown(command)}; {expected}")
    words = cast("Sequence[object]", command)
    if isinstance(command, str) or not words:
        raise ValueError(f"{where}: command is {command!r}; {expected}")
    return [_word(f"{where}: command[{number}]", word) for number, word in enumerate(words)]


def _word(where: str, word: object) -> str | bytes:
    if isinstance(word, PathLike):
        return word.__fspath__()
    if not isinstance(word, (str, bytes)):
        raise TypeError(f"{where} is {_shown(word)}; expected a string, bytes or a path")
    return word


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[: _VALUE_SHOWN - 1]}…"
