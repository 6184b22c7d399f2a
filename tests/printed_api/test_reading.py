"""That the tests of the printed API read what is there: repaired signs, all blocks, places as they are indented."""

from __future__ import annotations

import pytest

from tests.printed_api.programs import OWN
from tests.printed_api.reading import (
    completed,
    defaults_of,
    enclosed,
    fields_of,
    name_of,
    parameters_of,
    planned,
    printed_document,
    read_programs,
    read_signatures,
    repaired,
)
from treetask.model import DEFAULT_ICONS


@pytest.mark.parametrize("text", [OWN.frame_of_a_quarter, OWN.final_frame, " ".join(DEFAULT_ICONS.values())])
def test_garbled_signs_are_repaired(text: str) -> None:
    """Bytes that the code page does not have are lost; the rest still tells which sign it was."""
    garbled = text.encode().decode("cp1254", "ignore")

    assert garbled != text
    assert repaired(garbled) == text
    assert repaired(text) == text


def test_blocks_are_told_apart() -> None:
    """Programs and frames in their order, heads of classes and calls apart, shell commands left out."""
    runnable = [f"program({number})" for number in range(13)]
    heads = ["@dataclass\nclass A:\n    x: int = 1", "class B:\n    y: str", "f(z: int = 0)", "g(\n    z: int,\n)"]
    blocks = ["```bash\npip\n```", *(f"```python\n{block}\n```" for block in [*runnable, *heads])]

    programs = read_programs("\n\ntext\n".join(blocks))

    assert (programs.quick_start, programs.as_context) == ("program(0)\n", "program(12)\n")
    assert [name_of(head) for head in read_signatures("\n".join(blocks))] == ["A", "B", "f", "g"]


def test_heads_are_read() -> None:
    """Parameters and fields with their defaults."""
    assert defaults_of(parameters_of("f(a: int, b: str = 'x', c=None) -> str")) == {"a": ..., "b": "x", "c": None}
    assert fields_of("class A:\n    x: int = 1  # one\n    y: list[str]") == {"x": 1, "y": ...}


def test_places_are_read_from_the_calls() -> None:
    """The oracle follows `add_node` down and `up` back, whatever the indentation says."""
    source = 'TreeBuilder("r", name="R").add_node("a").add_child("b", parallel=False).up().add_child("c")'

    assert planned(source) == [("r", {"name": "R"}), ("r/a", {}), ("r/a/b", {"parallel": False}), ("r/c", {})]


def test_fragments_are_completed() -> None:
    """What a fragment leaves open is put where its place is."""
    assert (
        completed("try:\n    # ... work ...\nfinally:\n    end()\n", "go()") == "try:\n    go()\nfinally:\n    end()\n"
    )
    assert planned(enclosed('.add_child("a")\n')) == [("root", {}), ("root/a", {})]


def test_printed_document_has_nineteen_programs() -> None:
    """Each of them is run or compared; a twentieth would have to be as well."""
    document = printed_document()
    if document is None:
        pytest.skip("TREETASK_SHARED names no folder with the printed API")

    assert document.count("```python") == 19
    assert len(read_signatures(document)) == 8
