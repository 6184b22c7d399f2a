"""What tests of pipelines are made of: time that passes at once, and a record of what happened."""

from treetask.testing._recorder import Recorder
from treetask.testing._virtual_clock import VirtualClock, VirtualClockError, run_virtual

__all__ = ["Recorder", "VirtualClock", "VirtualClockError", "run_virtual"]
