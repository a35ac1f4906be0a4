"""What a trial can expect: doses, scans and events of each arm at its planned size, from a simulation of any size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.cox import hazard_ratio
from mesotrial.analysis.endpoints import Outcomes
from mesotrial.analysis.survival import kaplan_meier
from mesotrial.catalogue import AnalysisPlan

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = [
    *("Contrast", "EventsOverTime", "Expectation", "ExpectedArm", "ExpectedLook"),
    *(
        "contrasts",
        "detectable_ratio",
        "events_over_time",
        "expectation",
        "expected_arms",
        "log_rank_power",
        "looks_of",
    ),
]


@dataclass(frozen=True)
class ExpectedArm:
    """Expected counts of one arm of `patients` patients at the end of the trial; medians in months, NaN where not reached.

    `doses` by drug; `scans` without the baseline scan; `severe` patients with a related event of grade 3 or worse; `failed` patients whose simulation
    failed; `simulated` how many patients the numbers rest on.
    """

    arm: str
    patients: int
    simulated: int
    doses: Mapping[str, float]
    scans: float
    responses: float
    progressions: float
    deaths: float
    severe: float
    stopped_for_toxicity: float
    lost: float
    failed: float
    pfs_median: float
    os_median: float


@dataclass(frozen=True)
class Contrast:
    """One arm against another in OS or PFS: expected events of both, the simulated hazard ratio with its 95 % interval, and a log-rank test at two-sided
    `alpha`: its chance to find that `arm` does better is `power` for that ratio, and 80 % for the ratio `detectable`.
    """

    parameter: str
    arm: str
    other: str
    alpha: float
    events: float
    ratio: float
    lower: float
    upper: float
    power: float
    detectable: float


@dataclass(frozen=True)
class EventsOverTime:
    """Expected events of OS or PFS in all arms by calendar month from the first patient in; `times` are the months of single events, sorted."""

    parameter: str
    times: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    end_month: float

    def by_quarter(self) -> list[dict[str, float]]:
        """Return {month, events} every three months and at the end of the trial."""
        months = [*np.arange(3.0, self.end_month, 3.0).tolist(), self.end_month]
        return [{"month": month, "events": self.by(month)} for month in months]

    def by(self, month: float) -> float:
        """Return the events expected by `month`."""
        return float(self.weights[self.times <= month].sum())

    def month_of(self, events: float) -> float:
        """Return the month by which `events` are expected, NaN where the trial ends before."""
        place = int(np.searchsorted(np.cumsum(self.weights), events * (1 - 1e-12)))
        return float(self.times[place]) if place < self.times.size else math.nan


@dataclass(frozen=True)
class ExpectedLook:
    """An analysis: its events, and the calendar month in which it is expected, NaN where the trial ends before."""

    name: str
    events: float
    month: float


@dataclass(frozen=True)
class Expectation:
    """What to expect of a trial; `looks` are those of the primary endpoint, `lead_in` what became of those who began it (None: the design has none)."""

    arms: tuple[ExpectedArm, ...]
    contrasts: tuple[Contrast, ...]
    events: tuple[EventsOverTime, ...]
    looks: tuple[ExpectedLook, ...]
    lead_in: Mapping[str, float] | None = None


def expectation(
    design: Design, tables: Mapping[str, pl.DataFrame], lead_in: Mapping[str, float] | None = None
) -> Expectation:
    """Return what to expect of `design`; `tables` are those of a simulated trial of any size, `lead_in` what became of those who began it."""
    events = tuple(events_over_time(design, tables, name) for name in _endpoints(design))
    looks = looks_of(design, events[0]) if events else ()
    return Expectation(expected_arms(design, tables), contrasts(design, tables), events, looks, lead_in)


def events_over_time(design: Design, tables: Mapping[str, pl.DataFrame], parameter: str) -> EventsOverTime:
    """Return when the events of all arms come, at the design's sizes; `tables` are those of a simulated trial of any size."""
    import polars as pl

    sizes = {arm.name: arm.n for arm in design.arms}
    simulated = dict(tables["adsl"].group_by("TRT01P").len().iter_rows())
    rows = (
        tables["adtte"]
        .filter((pl.col("PARAMCD") == parameter) & (pl.col("CNSR") == 0))
        .join(tables["adsl"].select("USUBJID", "ENRLMO"), on="USUBJID")
    )
    rows = rows.select("TRT01P", month=pl.col("ENRLMO") + pl.col("AVAL")).sort("month")
    weights = [sizes[arm] / simulated[arm] for arm in rows["TRT01P"].to_list()]
    end = design.accrual_months + design.follow_up_months
    return EventsOverTime(parameter, rows["month"].to_numpy(), np.array(weights, dtype=float), end)


def expected_arms(design: Design, tables: Mapping[str, pl.DataFrame]) -> tuple[ExpectedArm, ...]:
    """Return what each arm of `design` can expect; `tables` are those of a simulated trial of any size."""
    import polars as pl

    outcomes = Outcomes(tables)
    made = []
    for arm in design.arms:
        adsl = tables["adsl"].filter(pl.col("TRT01P") == arm.name)
        per = arm.n / adsl.height
        mine = {name: tables[name].filter(pl.col("TRT01P") == arm.name) for name in ("adex", "adtr")}
        given = dict(mine["adex"].group_by("EXTRT").len().iter_rows())
        survival = {name: outcomes.survival(name, arm.name) for name in ("PFS", "OS")}
        responses, severe = outcomes.outcome("ORR", arm.name), outcomes.outcome("TRAE_G34", arm.name)
        made.append(
            ExpectedArm(
                arm=arm.name,
                patients=arm.n,
                simulated=adsl.height,
                doses={drug: per * given.get(drug, 0) for drug in arm.drugs},
                scans=per * mine["adtr"].filter(pl.col("AVISITN") > 0).height,
                responses=0.0 if responses is None else per * float(responses.sum()),
                progressions=per * float(survival["PFS"].event.sum()),
                deaths=per * float(survival["OS"].event.sum()),
                severe=0.0 if severe is None else per * float(severe.sum()),
                stopped_for_toxicity=per * adsl.filter(pl.col("DCTREAS") == "TOXICITY").height,
                lost=per * adsl.filter(pl.col("EOSSTT") == "LOST").height,
                failed=per * adsl.filter(pl.col("RCODE") != "OK").height,
                pfs_median=kaplan_meier(survival["PFS"].months, survival["PFS"].event).median()[0],
                os_median=kaplan_meier(survival["OS"].months, survival["OS"].event).median()[0],
            )
        )
    return tuple(made)


def contrasts(design: Design, tables: Mapping[str, pl.DataFrame]) -> tuple[Contrast, ...]:
    """Return every arm against the comparator as the design's analysis plan says: endpoint, alpha, events of the final analysis.

    Without a plan: OS and PFS, as the endpoints ask, against the last arm, two-sided 5 %. The level is that of each comparison (divided by their number, as in
    `mesotrial power`). Nothing where arms are judged one by one.
    """
    plan = design.analysis
    if plan is not None and plan.one_arm is not None:
        return ()
    alpha = 2 * (plan or AnalysisPlan()).alpha_of_each(len(design.arms))
    last = next((arm for arm in design.arms if plan is not None and arm.name == plan.comparator), design.arms[-1])
    outcomes = Outcomes(tables)
    made = []
    for parameter in _endpoints(design):
        second = outcomes.survival(parameter, last.name)
        everywhere = sum(arm.n * float(outcomes.survival(parameter, arm.name).event.mean()) for arm in design.arms)
        for arm in (arm for arm in design.arms if arm.name != last.name):
            first = outcomes.survival(parameter, arm.name)
            found = hazard_ratio(
                np.concatenate([first.months, second.months]),
                np.concatenate([first.event, second.event]),
                np.arange(first.months.size + second.months.size) < first.months.size,
            )
            events = arm.n * float(first.event.mean()) + last.n * float(second.event.mean())
            if plan is not None and plan.events is not None:  # those of all arms, of which these two have their part
                events *= min(1.0, plan.events / everywhere)
            share = arm.n / (arm.n + last.n)
            made.append(
                Contrast(
                    *(parameter, arm.name, last.name, alpha, events, found.value, found.lower, found.upper),
                    power=log_rank_power(found.value, events, share, alpha),
                    detectable=detectable_ratio(events, share, alpha),
                )
            )
    return tuple(made)


def looks_of(design: Design, events: EventsOverTime) -> tuple[ExpectedLook, ...]:
    """Return the interim looks of the design's analysis plan, and the final analysis, in order."""
    plan = design.analysis
    end = events.end_month
    found = []
    for number, look in enumerate(plan.looks if plan is not None else (), start=1):
        if look.month is not None:
            found.append(ExpectedLook(f"look {number}", events.by(look.month), look.month))
        else:
            target = look.at_events(plan.events if plan is not None else None)
            found.append(ExpectedLook(f"look {number}", target, events.month_of(target)))
    if plan is None or plan.events is None:
        return (*found, ExpectedLook("final analysis", events.by(end), end))
    return (*found, ExpectedLook("final analysis", float(plan.events), events.month_of(plan.events)))


def _endpoints(design: Design) -> list[str]:
    if design.analysis is not None:
        return [design.analysis.endpoint]
    return [name for name in ("OS", "PFS") if name in design.endpoints]


def log_rank_power(ratio: float, events: float, share: float, alpha: float = 0.05) -> float:
    """Return the power of a log-rank test, one-sided at half `alpha`, to show that the first arm is better.

    `ratio` is the hazard ratio, `events` the events of both arms, `share` the part of the patients in one arm.

    Schoenfeld DA. Biometrics 1983;39:499-503; exact for proportional hazards and many events only. NaN where the ratio is.
    """
    from scipy.special import ndtr, ndtri

    if not ratio > 0:
        return math.nan
    return float(ndtr(-math.log(ratio) * math.sqrt(events * share * (1 - share)) - ndtri(1 - alpha / 2)))


def detectable_ratio(events: float, share: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the hazard ratio below 1 that `events` events find with `power`; 0 where there are none (Schoenfeld, as above)."""
    from scipy.special import ndtri

    if events <= 0:
        return 0.0
    return math.exp(-float(ndtri(1 - alpha / 2) + ndtri(power)) / math.sqrt(events * share * (1 - share)))
