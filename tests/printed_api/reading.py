"""Reads programs: out of the printed document, whose signs are garbled in our copy, and out of their own text."""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.printed_api.programs import Programs
from treetask.model import DEFAULT_ICONS, DEFAULT_TREE_CHARS

# A class that is defined, or a call with annotated parameters.
_SIGNATURE = re.compile(r"(@dataclass\n)?class \w+:|\w+\(\s*\w+: ")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed_document() -> str | None:
    """The printed API with its signs repaired, or None where it is not at hand."""
    folder = os.environ.get("TREETASK_SHARED")
    if not folder:
        return None
    found = sorted(Path(folder, "seeds").glob("000*"))
    return repaired(found[0].read_text(encoding="utf-8")) if found else None


def repaired(text: str) -> str:
    """The text with our signs in place of what they became when their bytes were read in a Turkish code page."""
    signs = {sign for drawn in (*DEFAULT_ICONS.values(), *DEFAULT_TREE_CHARS.values()) for sign in drawn.strip()}
    garbled = {sign.encode().decode("cp1254", "ignore"): sign for sign in signs}
    for wrong in sorted(garbled, key=len, reverse=True):
        text = text.replace(wrong, garbled[wrong])
    return text


def read_programs(document: str) -> Programs:
    """The blocks of the document that can be run or shown."""
    runnable, _ = _read_blocks(document)
    names = [field.name for field in fields(Programs)]
    return Programs(**dict(zip(names, runnable, strict=True)))


def read_signatures(document: str) -> list[str]:
    """The blocks of the document that define a class or show the head of a call."""
    _, signatures = _read_blocks(document)
    return signatures


def _read_blocks(document: str) -> tuple[list[str], list[str]]:
    blocks = [match[2] for match in _BLOCK.finditer(document) if match[1] != "bash"]
    signatures = [block for block in blocks if _SIGNATURE.match(block)]
    return [block for block in blocks if block not in signatures], signatures


def printed_methods(document: str) -> Iterator[tuple[str, str, ast.arguments]]:
    """Class, name and parameters of every method that the reference lists with its parameters."""
    reference = document.split("## API Reference")[1]
    for section in re.split(r"^### ", reference, flags=re.MULTILINE)[1:]:
        owner = section.split("\n", 1)[0].strip()
        for line in re.findall(r"^- (.*?) - ", section, flags=re.MULTILINE):
            for call in re.findall(r"`(?:async )?([^`]+)`", line):
                name, _, rest = call.partition("(")
                yield owner, name, parameters_of(f"{name}({rest}")


def parameters_of(heading: str) -> ast.arguments:
    """The parameters of a call that is written like the head of a definition: `f(a: int = 0) -> str`."""
    (definition,) = ast.parse(f"def {heading.strip()}: ...").body
    assert isinstance(definition, ast.FunctionDef)
    return definition.args


def defaults_of(arguments: ast.arguments) -> dict[str, Any]:
    """Each parameter with its default, or `...` where it has none."""
    absent = [...] * (len(arguments.args) - len(arguments.defaults))
    values = [*absent, *(ast.literal_eval(default) for default in arguments.defaults)]
    return {argument.arg: value for argument, value in zip(arguments.args, values, strict=True)}


def fields_of(source: str) -> dict[str, Any]:
    """The fields of the class that a program defines, each with its default, or `...` where it has none."""
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, Any] = {}
    for line in definition.body:
        assert isinstance(line, ast.AnnAssign)
        assert isinstance(line.target, ast.Name)
        found[line.target.id] = ... if line.value is None else ast.literal_eval(line.value)
    return found


def name_of(source: str) -> str:
    """The name of the class that a program defines, or of the call that it shows."""
    match = re.search(r"^(?:class )?(\w+)[(:]", source, re.MULTILINE)
    assert match is not None
    return match[1]


def planned(source: str) -> list[tuple[str, dict[str, Any]]]:
    """What a fluent expression should build: the path of each node and what is said of it, the root first.

    An oracle of its own: it follows the calls and knows no tree.
    """
    calls = sorted(
        (call for call in ast.walk(ast.parse(source)) if isinstance(call, ast.Call)),
        key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0),
    )
    plan: list[tuple[str, dict[str, Any]]] = []
    path: list[str] = []
    for call in calls:
        method = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        said: dict[str, Any] = {
            f"{word.arg}": word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)
        }
        match method:
            case "TreeBuilder" | "add_node":
                path.append(ast.literal_eval(call.args[0]))
                plan.append(("/".join(path), said))
            case "add_child":
                plan.append(("/".join([*path, ast.literal_eval(call.args[0])]), said))
            case "up":
                path.pop()
            case _:
                pass
    return plan


def keywords_of(source: str) -> dict[str, Any]:
    """The keywords of the only call of a program."""
    (call,) = (part for part in ast.walk(ast.parse(source)) if isinstance(part, ast.Call))
    return {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}


def completed(source: str, statement: str) -> str:
    """The program with a statement where it only has the comment `# ...`."""
    return re.sub(r"^( *)# \.\.\. .*$", lambda match: f"{match[1]}{statement}", source, flags=re.MULTILINE)


def enclosed(source: str) -> str:
    """The lines `.add_node(...)` and so on, in the expression that they need around them."""
    return f'tree = (\n    TreeBuilder("root")\n{textwrap.indent(source, "    ")}    .build()\n)\n'
