"""Reads and draws what a galapagos run has written: `python -m galapagos_analysis --help`."""

from .reader import HistoryError, Island, Run, read_part, read_run

__all__ = ["HistoryError", "Island", "Run", "read_part", "read_run"]
