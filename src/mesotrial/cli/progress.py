"""Progress on standard error: a bar on a terminal, a line for each new step elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from mesotrial.cli.output import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Reporter"]


class Reporter:
    """Says what is being done and how many patients are done; says nothing when `quiet`."""

    def __init__(self, opening: str, *, quiet: bool, unit: str = "patients") -> None:
        """Prepare; `opening` and the bar appear with the first progress, which counts in `unit`."""
        self._unit = unit
        self._opening = opening
        self._quiet = quiet
        self._console = console(error=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._said: set[str] = set()

    def __enter__(self) -> Reporter:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away, whatever happened."""
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Say a sentence, above the bar."""
        if not self._quiet:
            self._console.print(text)

    def progress(self, done: int, total: int, message: str) -> None:
        """Show how far the run is."""
        if self._quiet:
            return
        if self._opening:
            self.say(self._opening)
            self._opening = ""
        if not self._console.is_terminal:
            if message not in self._said:
                self._said.add(message)
                self._console.print(f"  {message} ({done:,} of {total:,} {self._unit})")
            return
        counted = f"{done:,} of {total:,} {self._unit}"
        if self._bar is None:
            self._bar = self._made()
            self._task = self._bar.add_task(
                message, total=total + 1, counted=counted
            )  # one more: what follows the patients
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total + 1, description=message, counted=counted)

    def _made(self) -> Progress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        words = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[counted]}", markup=False))
        return Progress(
            SpinnerColumn(), words[0], BarColumn(), words[1], TimeElapsedColumn(), console=self._console, transient=True
        )
