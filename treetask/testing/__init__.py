"""What tests are made of: time that passes at once, a record of what happened, a terminal that keeps what it shows.

With pytest, the fixtures of `pytest_plugin` are there without an import: `virtual_clock` and `treetask_run`. Since that
module is loaded in every test run of whoever has TreeTask installed, the names below are loaded when they are used.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from treetask.testing._recorder import Recorder
    from treetask.testing._run import RecordedResult, TreeTaskRun
    from treetask.testing._terminal import ScreenTerminal
    from treetask.testing._virtual_clock import VirtualClock, VirtualClockError, run_virtual
else:
    _HOME = {
        "RecordedResult": "_run",
        "Recorder": "_recorder",
        "ScreenTerminal": "_terminal",
        "TreeTaskRun": "_run",
    }

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'treetask.testing' has no attribute '{name}'")
        home = _HOME.get(name, "_virtual_clock")
        value = globals()[name] = getattr(_import_module(f"treetask.testing.{home}"), name)
        return value


__all__ = [
    "RecordedResult",
    "Recorder",
    "ScreenTerminal",
    "TreeTaskRun",
    "VirtualClock",
    "VirtualClockError",
    "run_virtual",
]
