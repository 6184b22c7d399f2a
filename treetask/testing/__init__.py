"""What tests are made of: time that passes at once, a record of what happened, a terminal that keeps what it shows."""

from treetask.testing._recorder import Recorder
from treetask.testing._terminal import ScreenTerminal
from treetask.testing._virtual_clock import VirtualClock, VirtualClockError, run_virtual

__all__ = ["Recorder", "ScreenTerminal", "VirtualClock", "VirtualClockError", "run_virtual"]
