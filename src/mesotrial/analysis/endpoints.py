"""What each patient contributes to each endpoint: times with event flags, and yes-or-no outcomes, read once from the
patient-level tables.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SUBGROUPS", "TREATMENT_ENDED", "Outcomes", "Survival"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Subgroups that the tables can tell apart: column and value of adsl.
SUBGROUPS: Mapping[str, tuple[str, str | int] | None] = {
    "all": None,
    "epithelioid": ("HISTBL", "EPITHELIOID"),
    "non_epithelioid": ("HISTBL", "NON-EPITHELIOID"),
    "pdl1_ge1": ("PDL1BL", ">=1%"),
    "pdl1_lt1": ("PDL1BL", "<1%"),
    "ecog_0": ("ECOGBL", 0),
    "ecog_ge1": ("ECOGBL", 1),
    "female": ("SEX", "F"),
    "male": ("SEX", "M"),
}

_CONTROLLED = ("CR", "PR", "SD")
TREATMENT_ENDED = ("COMPLETED", "TOXICITY", "RESPONSE")  # by plan, or while the disease was under control
_BEST = {"ORR": ("CR", "PR"), "DCR": _CONTROLLED, "PD_BEST": ("PD",)}
_SAFETY = ("TRAE_ANY", "TRAE_G34", "IRAE_ANY", "IRAE_G34", "DISC_TOX", "DEATH_TOX")
_NEAR_SCAN_DAYS = 28.0  # disease control "at 12 weeks" is read off the scan nearest to it, within four weeks


@dataclass(frozen=True)
class Survival:
    """Times in months and whether the event happened; one entry per patient."""

    months: FloatArray
    event: BoolArray


def last_dose_day(tables: Mapping[str, pl.DataFrame]) -> pl.Series:
    """Return the day of each subject's last dose before any second line, in adsl's order; NaN where none was given."""
    import polars as pl

    subjects = tables["adsl"]
    last = subjects["TRTEDY"].cast(pl.Float64).fill_null(np.nan)
    if "L2STDY" not in subjects.columns or subjects["L2STDY"].is_null().all():
        return last
    second = subjects.select("USUBJID", "L2STDY").drop_nulls()
    before = tables["adex"].join(second, on="USUBJID").filter(pl.col("ASTDY") < pl.col("L2STDY"))
    first = before.group_by("USUBJID").agg(first_line=pl.col("ASTDY").max().cast(pl.Float64))
    joined = subjects.select("USUBJID", "L2STDY", last=last).join(
        first, on="USUBJID", how="left", maintain_order="left"
    )
    had = pl.col("L2STDY").is_not_null()
    return joined.select(pl.when(had).then(pl.col("first_line").fill_null(float("nan"))).otherwise("last"))[
        "first_line"
    ]


class Outcomes:
    """The outcomes of one set of patient-level tables (a trial or a bank), by endpoint, arm and subgroup."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Keep the tables; columns are read when first asked for."""
        self._tables = tables
        self._subjects = tables["adsl"]
        self._seen: dict[tuple[str, float | None], BoolArray | None] = {}
        self._only: BoolArray | None = None

    @cached_property
    def _place(self) -> pl.DataFrame:
        """The row in adsl of every subject."""
        return self._subjects.select("USUBJID").with_row_index("place")

    def members(self, arm: str, subgroup: str = "all") -> BoolArray:
        """Say who of adsl's rows is in `arm` and `subgroup` (intention to treat)."""
        adsl = self._subjects
        chosen = (adsl["TRT01P"] == arm) & (adsl["ITTFL"] == "Y")
        if (rule := SUBGROUPS[subgroup]) is not None:
            chosen &= adsl[rule[0]] == rule[1]
        members = chosen.fill_null(False).to_numpy()
        return members if self._only is None else members & self._only

    def by_draw(self) -> list[Outcomes]:
        """Return the outcomes of the patients of each parameter set (adsl's DRAW), as many as there are sets."""
        parts = []
        draw = self._subjects["DRAW"].to_numpy() if "DRAW" in self._subjects.columns else np.zeros(0)
        for place in np.unique(draw):
            parts.append(copy.copy(self))
            parts[-1]._only = draw == place
        return parts

    def survival(self, parameter: str, arm: str, subgroup: str = "all") -> Survival:
        """Return OS, PFS, TTP (PFS with deaths censored), DOR, TTR or TTREL of `arm`.

        DOR and TTR are of its responders; TTREL, from the last dose to progression or death, of those whose treatment ended (it was completed, or stopped for
        a side effect or at a response) while their disease was under control.
        """
        months, event = self._times[parameter]
        chosen = self.members(arm, subgroup) & ~np.isnan(months)
        return Survival(months[chosen], event[chosen])

    def outcome(self, code: str, arm: str, subgroup: str = "all", time_months: float | None = None) -> BoolArray | None:
        """Return who of `arm` had the outcome `code`, one entry per patient; None where the tables do not hold it.

        Response and disease control: of all patients randomised. Toxicity: of those who had a dose,
        treatment-emergent events; `TRAE_`, `DISC_TOX` and `DEATH_TOX` count related ones, `AE_<TERM>_` all causes,
        `_G34` grade 3 or worse.
        """
        if (code, time_months) not in self._seen:
            self._seen[code, time_months] = self._had(code, time_months)
        had = self._seen[code, time_months]
        if had is None:
            return None
        chosen = self.members(arm, subgroup)
        if code in _SAFETY or code.startswith("AE_"):
            chosen &= (self._subjects["SAFFL"] == "Y").fill_null(False).to_numpy()
        return had[chosen]

    @cached_property
    def _times(self) -> dict[str, tuple[FloatArray, BoolArray]]:
        """Months (NaN where a subject has no row) and events of each parameter, in adsl's order."""
        import polars as pl

        size = self._subjects.height
        rows = (
            self._tables["adtte"]
            .join(self._place, on="USUBJID")
            .with_columns(died=pl.col("EVNTDESC").str.to_lowercase().str.contains("death"))
        )
        found: dict[str, tuple[FloatArray, BoolArray]] = {}
        for parameter in ("OS", "PFS", "PFS2", "DOR", "TTR"):
            chosen = rows.filter(pl.col("PARAMCD") == parameter)
            place = chosen["place"].to_numpy()
            months, event = np.full(size, np.nan), np.zeros(size, bool)
            months[place], event[place] = chosen["AVAL"].to_numpy(), chosen["CNSR"].to_numpy() == 0
            found[parameter] = months, event
            if parameter == "PFS":
                died = np.zeros(size, bool)
                died[place] = chosen["died"].fill_null(False).to_numpy()
                found["TTP"] = months, event & ~died
        found["TTREL"] = self._after_treatment(*found["PFS"])
        return found

    def _after_treatment(self, months: FloatArray, event: BoolArray) -> tuple[FloatArray, BoolArray]:
        """Return months from the last dose to the end of PFS, of those whose treatment ended while their disease was under control."""
        over = self._subjects["DCTREAS"].is_in(TREATMENT_ENDED).fill_null(False).to_numpy()
        last = last_dose_day(self._tables).to_numpy() / DAYS_PER_MONTH
        since = np.where(over & (months > last), months - last, np.nan)
        return since, event & ~np.isnan(since)

    def _had(self, code: str, time_months: float | None) -> BoolArray | None:
        if code in _BEST:
            return self._best_response(_BEST[code])
        if code == "DCR_AT":
            return None if time_months is None else self._controlled_at(time_months * DAYS_PER_MONTH)
        if code in _SAFETY or code.startswith("AE_"):
            return self._event(code)
        return None

    def _flag(self, chosen: pl.DataFrame) -> BoolArray:
        """Mark the subjects that have a row in `chosen`."""
        had = np.zeros(self._subjects.height, bool)
        had[chosen.select("USUBJID").unique().join(self._place, on="USUBJID")["place"].to_numpy()] = True
        return had

    def _best_response(self, responses: tuple[str, ...]) -> BoolArray:
        import polars as pl

        return self._flag(self._tables["adrs"].filter((pl.col("PARAMCD") == "BOR") & pl.col("AVALC").is_in(responses)))

    def _controlled_at(self, day: float) -> BoolArray:
        """Mark who is controlled at `day`: CR, PR or SD at the nearest scan within four weeks, and no progression up
        to that scan.
        """
        import polars as pl

        away = (pl.col("ADY") - day).abs()
        scans = self._tables["adrs"].filter(
            (pl.col("PARAMCD") == "OVR") & (pl.col("AVALC") != "NE") & (away <= _NEAR_SCAN_DAYS)
        )
        nearest = scans.sort(away, "ADY").unique("USUBJID", keep="first", maintain_order=True)
        ended = (
            self._tables["adtte"]
            .filter((pl.col("PARAMCD") == "PFS") & (pl.col("CNSR") == 0))
            .select("USUBJID", ended="ADY")
        )
        judged = nearest.filter(pl.col("AVALC").is_in(_CONTROLLED)).join(ended, on="USUBJID", how="left")
        return self._flag(judged.filter(pl.col("ended").is_null() | (pl.col("ended") > pl.col("ADY"))))

    def _event(self, code: str) -> BoolArray | None:
        """Mark who had the adverse event `code`; None for a term that nobody here had (it is not simulated)."""
        import polars as pl

        events = self._tables["adae"].filter(pl.col("TRTEMFL") == "Y")
        severe = pl.col("AETOXGR") >= 3
        if code.startswith("AE_"):
            term, _, degree = code.removeprefix("AE_").rpartition("_")
            events = events.filter(pl.col("AEDECOD").str.to_uppercase().str.replace_all("[^A-Z0-9]+", "_") == term)
            if degree not in ("ANY", "G34") or events.is_empty():
                return None
            return self._flag(events.filter(severe) if degree == "G34" else events)
        related = events.filter(pl.col("AEREL") == "Y")
        if code.startswith("IRAE_"):
            related = related.filter(pl.col("IRAEFL") == "Y")
        if code.endswith("_G34"):
            related = related.filter(severe)
        elif code == "DISC_TOX":
            related = related.filter(pl.col("AEACN") == "DRUG WITHDRAWN")
        elif code == "DEATH_TOX":
            related = related.filter(pl.col("AETOXGR") == 5)
        return self._flag(related)
