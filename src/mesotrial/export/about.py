"""What is said of a run in every file that leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.run import Run

__all__ = ["About", "about_run"]


@dataclass(frozen=True)
class About:
    """The study as CDISC's files name it; times are ISO 8601, `simulated` when the run ended and `written` now."""

    study: str
    title: str
    seed: int
    version: str
    simulated: str
    written: str
    is_bank: bool

    @property
    def metadata(self) -> str:
        """The OID of the metadata version in define.xml."""
        return f"MDV.{self.study}"

    @property
    def line(self) -> str:
        """One line that says what this is."""
        whole = "the bank of patients of a simulated trial" if self.is_bank else "a simulated trial"
        return f"{self.study}: {whole}, mesotrial {self.version}, seed {self.seed}; no patient here is real"


def about_run(run: Run, *, bank: bool) -> About:
    """Return what is said of a run."""
    return About(
        study=f"SIM-{run.design.name.upper()}",
        title=run.design.title,
        seed=int(run.provenance["seed"]),
        version=str(run.provenance["version"]),
        simulated=str(run.status["finished"] or run.status["started"]),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        is_bank=bank,
    )
