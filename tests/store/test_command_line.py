"""The command line over every store: what is recorded by one command is found by the next."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from treetask.cli import main

APP = """
    from pathlib import Path
    from treetask import Registry

    tree = Registry("site", on_failure="continue")

    @tree.task
    async def index() -> str:
        print("index")
        return "<html>"

    @tree.task
    async def news() -> None:
        print("news")
        if not Path("mended").exists():
            raise OSError("503")
"""


def test_run_is_recorded_shown_and_gone_on_with(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By URL, and the command that goes on names it."""
    (tmp_path / "app_in_store.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def treetask(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--store", store_url])
        out, err = capsys.readouterr()
        return code, out, err

    code, out, err = treetask("app_in_store:tree", "--display", "quiet")
    assert (code, out) == (1, "index\nnews\n")
    assert err.splitlines()[-1].startswith("again: treetask rerun --failed 1 --store ")
    (tmp_path / "mended").touch()
    assert treetask("resume", "--display", "quiet")[:2] == (0, "news\n")
    assert treetask("rerun", "1", "--display", "quiet")[:2] == (0, "index\nnews\n")
    assert [row.split()[0] for row in treetask("runs")[1].splitlines()] == ["run", "2", "1"]
    assert "resumed once" in treetask("show", "1")[1]
    assert treetask("prune", "--keep", "1")[2] == "treetask: 1 run is deleted, and the newest 1 kept\n"
    sys.modules.pop("app_in_store")
