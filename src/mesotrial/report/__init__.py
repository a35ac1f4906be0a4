"""The page of a run: figures, tables and words in one HTML file."""

from mesotrial.report.page import CONTEXT_OF_USE, render_report, write_report

__all__ = ["CONTEXT_OF_USE", "render_report", "write_report"]
