"""The command line: `python -m treetask TARGET`, and `treetask TARGET`."""

from treetask.cli._main import main

__all__ = ["main"]
