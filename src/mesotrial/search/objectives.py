"""What a search makes better, and at what cost: named objectives, each a number of a group of simulated patients."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.catalogue import AnalysisPlan
from mesotrial.run import RequestError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design

__all__ = ["OBJECTIVES", "Objective", "Patients", "objective", "patients_of"]

OBJECTIVES: Mapping[str, str] = {
    "os_rate_24": "alive after 24 months, Kaplan-Meier; any number of months, and pfs_rate_12 likewise",
    "os_rmst_24": "mean months alive of the first 24 (restricted mean survival time); pfs_rmst_12 likewise; rmst: over the whole trial",
    "orr": "objective response; dcr: disease control",
    "utility": "mean months alive over the trial, minus a number of months (--toxicity-weight) for each patient with a related event of grade 3 or worse",
    "power": "power of the final log-rank test against --control, by Schoenfeld's formula; endpoint, alpha and events of the design's analysis, else OS at "
    "two-sided 5 % (divided by the number of arms compared); the cost is the number of patients",
}
_TIMED = re.compile(r"(os|pfs)_(rate|rmst)_(\d{1,3}(?:\.\d)?)", re.ASCII)


@dataclass(frozen=True)
class Patients:
    """What became of simulated patients, one entry each: months and events of OS and PFS, response, control, severe related events, parameter set."""

    os: NDArray[np.float64]
    died: NDArray[np.bool_]
    pfs: NDArray[np.float64]
    ended: NDArray[np.bool_]
    responded: NDArray[np.bool_]
    controlled: NDArray[np.bool_]
    severe: NDArray[np.bool_]
    draw: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.draw)

    def take(self, rows: NDArray[np.int64]) -> Patients:
        """Return the patients at `rows`."""
        return Patients(
            os=self.os[rows],
            died=self.died[rows],
            pfs=self.pfs[rows],
            ended=self.ended[rows],
            responded=self.responded[rows],
            controlled=self.controlled[rows],
            severe=self.severe[rows],
            draw=self.draw[rows],
        )


@dataclass(frozen=True)
class Objective:
    """`benefit(patients, control, sizes)` is to be large, `cost` small; `sizes` are the planned patients of both arms; both NaN where unknown."""

    name: str
    label: str
    cost_label: str
    is_share: bool
    needs_control: bool
    benefit: Callable[[Patients, Patients | None, tuple[int, int]], float]

    def cost(self, patients: Patients, sizes: tuple[int, int]) -> float:
        """Return the share of patients with a related event of grade 3 or worse, or for power the number of patients planned."""
        return float(sum(sizes)) if self.needs_control else float(patients.severe.mean())


def objective(name: str, design: Design, *, toxicity_weight: float = 3.0) -> Objective:
    """Return the objective called `name` for a trial of the design's length.

    Raises `RequestError` for a name that is none, or a time that the trial does not reach.
    """
    months = design.accrual_months + design.follow_up_months
    severe = "Related event of grade 3 or worse"
    if timed := _TIMED.fullmatch("os_rmst_" + f"{months:g}" if name == "rmst" else name):
        which, what, time = timed.group(1), timed.group(2), float(timed.group(3))
        if not 0 < time <= months:
            raise RequestError(f"--objective {name}: the trial ends after {months:g} months; take a time within it")
        words = "Alive" if which == "os" else "Alive without progression"
        label = (
            f"{words} after {time:g} months"
            if what == "rate"
            else f"Mean months {words.lower()}, of the first {time:g}"
        )
        mean = what == "rmst"
        return Objective(
            name, label, severe, not mean, False, lambda mine, control, sizes: _curve(mine, which, time, mean)
        )
    if name == "orr":
        return Objective(
            name, "Response", severe, True, False, lambda mine, control, sizes: float(mine.responded.mean())
        )
    if name == "dcr":
        return Objective(
            name, "Disease control", severe, True, False, lambda mine, control, sizes: float(mine.controlled.mean())
        )
    if name == "utility":
        if not 0 <= toxicity_weight < math.inf:
            raise RequestError(f"--toxicity-weight must be a number of months from 0 on, not {toxicity_weight:g}")
        label = f"Mean months alive of {months:g}, minus {toxicity_weight:g} for a severe event"
        return Objective(
            name, label, severe, False, False,
            lambda mine, control, sizes: _curve(mine, "os", months, True) - toxicity_weight * float(mine.severe.mean()),
        )  # fmt: skip
    if name == "power":
        plan = design.analysis
        if plan is not None and plan.one_arm is not None:
            raise RequestError(
                "--objective power compares two arms, and this design judges each by itself (analysis.one_arm)"
            )
        which = "OS" if plan is None else plan.endpoint
        alpha = 2 * (plan or AnalysisPlan()).alpha_of_each(len(design.arms))
        everybody = sum(arm.n for arm in design.arms)
        final = math.inf if plan is None or plan.events is None else plan.events
        return Objective(
            name, f"Power ({which}, log-rank)", "Patients", True, True,
            # events are those of all arms, of which these two have their part
            lambda mine, control, sizes: _power(
                mine, control, sizes, which, alpha, final if len(design.arms) == 2 else final * sum(sizes) / everybody
            ),
        )  # fmt: skip
    known = ", ".join((*OBJECTIVES, "dcr", "rmst"))
    raise RequestError(
        f"no objective is called {name!r}; known: {known}, with other months too (os_rate_12, pfs_rmst_18)"
    )


def patients_of(tables: Mapping[str, pl.DataFrame], draw: NDArray[np.int64]) -> Patients:
    """Return the patients of one arm's tables, in the order of adsl; `draw` is their parameter set."""
    from mesotrial.analysis import Outcomes

    outcomes, arm = Outcomes(tables), str(tables["adsl"]["TRT01P"][0])
    overall, free = outcomes.survival("OS", arm), outcomes.survival("PFS", arm)
    nobody = np.zeros(len(draw), dtype=bool)
    had = [outcomes.outcome(code, arm) for code in ("ORR", "DCR")]
    # toxicity counts everybody here, also who got no dose, so that rows are the same patients throughout
    severe = set(
        tables["adae"].filter((tables["adae"]["AETOXGR"] >= 3) & (tables["adae"]["AEREL"] == "Y"))["USUBJID"].to_list()
    )
    flag = np.array([subject in severe for subject in tables["adsl"]["USUBJID"].to_list()])
    response, control = (nobody if one is None else one for one in had)
    return Patients(overall.months, overall.event, free.months, free.event, response, control, flag, draw)


def _curve(patients: Patients, which: str, time: float, mean: bool) -> float:
    from mesotrial.analysis import kaplan_meier

    months, event = (patients.os, patients.died) if which == "os" else (patients.pfs, patients.ended)
    curve = kaplan_meier(months, event)
    if not mean:
        at = curve.at(time)[0]
        return float(at if not math.isnan(at) else curve.survival[-1])
    before = curve.times < time
    edges = np.concatenate([[0.0], curve.times[before], [time]])
    heights = np.concatenate([[1.0], curve.survival[before]])
    return float((np.diff(edges) * heights).sum())


def _power(
    patients: Patients, control: Patients | None, sizes: tuple[int, int], endpoint: str, alpha: float, final: float
) -> float:
    """Return the power at the final analysis, which comes with `final` events or at the end of follow-up; interim looks are left out."""
    from mesotrial.analysis import hazard_ratio
    from mesotrial.analysis.expected import log_rank_power

    assert control is not None
    (months, event), (others, other_event) = (
        (group.os, group.died) if endpoint == "OS" else (group.pfs, group.ended) for group in (patients, control)
    )
    found = hazard_ratio(
        np.concatenate([months, others]),
        np.concatenate([event, other_event]),
        np.arange(len(patients) + len(control)) < len(patients),
    )
    if found.value >= 1:
        return 0.0  # a test may reject, but for the worse arm
    events = sizes[0] * float(event.mean()) + sizes[1] * float(other_event.mean())
    return log_rank_power(found.value, min(events, final), sizes[0] / sum(sizes), alpha)
