"""A run is a folder: the frozen design, the tables, the summary, the page, and where it all came from.

Command line, notebook and web page call the same `run_trial`. A folder belongs to one run: the same request finds the finished run again and goes on with one
that was cut off, one for more patients extends it, and anything else in the folder is refused and left alone.
"""

from mesotrial.run.errors import RequestError, RunBusyError, RunFolderError
from mesotrial.run.folder import Run, load_run, remake_report
from mesotrial.run.work import run_trial

__all__ = ["RequestError", "Run", "RunBusyError", "RunFolderError", "load_run", "remake_report", "run_trial"]
