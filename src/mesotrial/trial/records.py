"""From what happened to the ADaM tables of `tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.trial.care import ACTIONS
from mesotrial.trial.censoring import Timeline, overall_survival, progression_free_survival, response_duration
from mesotrial.trial.dosing import written
from mesotrial.trial.recist import CODES
from mesotrial.trial.tables import DAYS_PER_MONTH, empty_table, typed
from mesotrial.trial.toxicity import FATAL_GRADE

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design
    from mesotrial.population import Cohort
    from mesotrial.trial.conduct import Course

__all__ = ["arm_tables", "join_tables"]


def arm_tables(
    design: Design,
    arm: int,
    cohort: Cohort,
    course: Course,
    enrolment_month: NDArray[np.float64],
    result_codes: Sequence[str],
) -> dict[str, pl.DataFrame]:
    """Return the tables of one arm's patients, patient by patient; `result_codes` names the integrator's result codes by number."""
    keys = _Keys(design, design.arms[arm].name, cohort)
    tables = {
        "adsl": _adsl(keys, design, arm, cohort, course, enrolment_month, result_codes),
        "adtr": _adtr(keys, course),
        "adrs": _adrs(keys, design, course),
        "adtte": _adtte(keys, design, course),
        "adae": _adae(keys, course),
        "adex": _adex(keys, course),
        "adpc": _adpc(keys, course),
    }
    return {name: _by_patient(frame) for name, frame in tables.items()}


def join_tables(parts: Sequence[Mapping[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    """Stack the tables of several arms or chunks, in order."""
    import polars as pl

    return {name: pl.concat([part[name] for part in parts], rechunk=True) for name in parts[0]}


def _by_patient(frame: pl.DataFrame) -> pl.DataFrame:
    """Put the rows of each patient together, patients by number, so that the order does not depend on who was simulated together."""
    import polars as pl

    return frame.sort(pl.col("USUBJID").str.len_bytes(), "USUBJID", maintain_order=True)


class _Keys:
    """The columns every table begins with."""

    def __init__(self, design: Design, arm: str, cohort: Cohort) -> None:
        self.study, self.arm = f"SIM-{design.name.upper()}", arm
        width = 6
        self.subject = np.array(
            [f"{self.study}-{cohort.replicate}-{number:0{width}d}" for number in cohort.numbers], dtype=object
        )

    def of(self, rows: NDArray[np.int64]) -> dict[str, object]:
        """Return the key columns of the patients `rows`."""
        n = len(rows)
        return {
            "STUDYID": [self.study] * n,
            "USUBJID": self.subject[rows].tolist(),
            "SIMFL": ["Y"] * n,
            "TRT01P": [self.arm] * n,
        }


def _yn(flag: NDArray[np.bool_]) -> list[str]:
    return np.where(flag, "Y", "N").tolist()  # type: ignore[no-any-return]


def _adsl(
    keys: _Keys,
    design: Design,
    arm: int,
    cohort: Cohort,
    course: Course,
    enrolment_month: NDArray[np.float64],
    result_codes: Sequence[str],
) -> pl.DataFrame:
    rows, cov = np.arange(len(cohort)), cohort.covariates
    dead = ~np.isnan(course.death_day)
    treated = course.doses > 0
    texts = np.array([regimen.text for regimen in course.plan.regimens], dtype=object)
    return typed(
        "adsl",
        {
            **keys.of(rows),
            "SUBJID": cohort.numbers,
            "TRT01PN": np.full(len(rows), arm),
            "REGIMEN": [" + ".join(texts[given]) for given in course.plan.given],
            "AGE": cov["age_years"],
            "SEX": np.where(cov["female"] > 0, "F", "M").tolist(),
            "WEIGHTBL": cov["weight_kg"],
            "HEIGHTBL": cov["height_cm"],
            "BSABL": cov["bsa_m2"],
            "ECOGBL": cov["ecog_ge1"].astype(np.int64),
            "HISTBL": np.where(cov["epithelioid"] > 0, "EPITHELIOID", "NON-EPITHELIOID").tolist(),
            "PDL1BL": np.where(cov["pdl1_ge1"] > 0, ">=1%", "<1%").tolist(),
            "ALBBL": cov["albumin_g_per_l"],
            "LDHBL": cov["ldh_u_per_l"],
            "EGFRBL": cov["egfr_ml_per_min"],
            "LINE": np.where(cov["first_line"] > 0, "FIRST", "RELAPSED").tolist(),
            "TUMVOLBL": course.baseline_volume_ml,
            "SUMDIABL": course.response.baseline_mm,
            "ENRLMO": enrolment_month,
            "L2STDY": course.second_start,
            "TRTEDY": course.last_dose_day,
            "DOSESN": course.doses,
            "DCTREAS": np.where(treated, course.stopped, "NOT TREATED").tolist(),
            "EOSSTT": np.where(dead, "DEAD", np.where(course.lost, "LOST", "ALIVE")).tolist(),
            "EOSDY": course.end_day,
            "ITTFL": ["Y"] * len(rows),
            "SAFFL": _yn(treated),
            "RESPEFL": _yn(course.response.scans_read > 0),
            "DRAW": cohort.draw,
            "RCODE": np.asarray(result_codes, dtype=object)[course.code].tolist(),
        },
    )


def _adtr(keys: _Keys, course: Course) -> pl.DataFrame:
    everyone, scans, base = np.arange(len(course.end_day)), course.scans, course.response.baseline_mm
    nothing = np.zeros(len(everyone))

    def with_baseline(first: NDArray[Any], later: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([first, later])

    rows = with_baseline(everyone, scans["row"])
    scan = with_baseline(nothing.astype(np.int64), scans["scan"])
    total, nadir = with_baseline(base, scans["sum_mm"]), with_baseline(base, scans["nadir_mm"])
    return typed(
        "adtr",
        {
            **keys.of(rows),
            "PARAMCD": ["SUMDIAM"] * len(rows),
            "AVISITN": scan,
            "ADY": with_baseline(nothing, scans["day"]),
            "AVAL": total,
            "BASE": base[rows],
            "PCHG": 100.0 * (total / base[rows] - 1.0),
            "NADIR": nadir,
            "PCHGN": np.where(scan > 0, 100.0 * (total / nadir - 1.0), np.nan),
            "NEWLFL": _yn(with_baseline(nothing.astype(bool), scans["new_lesion"]).astype(bool)),
            "TUMVOL": with_baseline(course.baseline_volume_ml, scans["volume_ml"]),
            "ESCPCT": with_baseline(np.full(len(everyone), np.nan), 100.0 * scans["escaped"]),
            "ANL01FL": ["Y"] * len(rows),
        },
    )


def _adrs(keys: _Keys, design: Design, course: Course) -> pl.DataFrame:
    scans, n = course.scans, len(course.end_day)
    best = best_response(course)
    best_day = np.where(np.isnan(course.response.best_day), course.progression_day, course.response.best_day)
    best_day = np.where(best == CODES.index("NE"), np.nan, best_day)
    rule = f"{design.scans.criteria}, {'confirmed' if design.scans.confirmation else 'unconfirmed'}"
    every = np.concatenate([scans["row"], np.arange(n)])
    return typed(
        "adrs",
        {
            **keys.of(every),
            "PARAMCD": ["OVR"] * len(scans["row"]) + ["BOR"] * n,
            "AVISITN": [*scans["scan"].tolist(), *[None] * n],
            "ADY": np.concatenate([scans["day"], best_day]),
            "AVALC": np.asarray(CODES, dtype=object)[np.concatenate([scans["code"], best])].tolist(),
            "CRIT": [rule] * len(every),
        },
    )


def best_response(course: Course) -> NDArray[np.int64]:
    """Return each patient's best response as a place in `CODES`; progression by symptoms before any scan counts as PD."""
    early = (course.response.best == CODES.index("NE")) & ~np.isnan(course.symptom_day)
    return np.where(early, CODES.index("PD"), course.response.best)


def _adtte(keys: _Keys, design: Design, course: Course) -> pl.DataFrame:
    timeline = Timeline(
        death_day=course.death_day,
        last_known_day=course.end_day,
        scan_progression_day=course.response.progression_day,
        symptom_progression_day=course.symptom_day,
        last_scan_day=course.response.last_scan_day,
        last_clear_scan_day=course.response.last_clear_day,
        second_missed_day=course.second_missed_day,
        response_day=course.response.response_day,
    )
    pfs = progression_free_survival(timeline, design.censoring)
    overall = overall_survival(timeline)
    duration = response_duration(timeline, pfs)
    everyone = np.arange(len(course.end_day))
    responders = np.flatnonzero(~np.isnan(timeline.response_day))
    parts: tuple[tuple[Any, ...], ...] = (
        ("OS", everyone, overall.days, overall.days, overall.cnsr, overall.description),
        ("PFS", everyone, pfs.days, pfs.days, pfs.cnsr, pfs.description),
        ("DOR", responders, duration.days, pfs.days, duration.cnsr, duration.description),
        (
            "TTR",
            responders,
            timeline.response_day,
            timeline.response_day,
            np.zeros_like(pfs.cnsr),
            np.full_like(pfs.description, "RESPONSE"),
        ),
    )
    if course.plan.arm.second_line is not None:
        again = np.fmin(course.second.progression_day, course.death_day)
        died = course.death_day <= np.nan_to_num(course.second.progression_day, nan=np.inf)
        text = np.where(died, "DEATH", "PROGRESSION ON THE SECOND LINE")
        parts += (
            (
                "PFS2",
                everyone,
                np.where(np.isnan(again), course.end_day, again),
                np.where(np.isnan(again), course.end_day, again),
                np.isnan(again).astype(np.int64),
                np.where(np.isnan(again), "LAST KNOWN ALIVE", text),
            ),
        )
    every = np.concatenate([rows for _, rows, *_ in parts])
    return typed(
        "adtte",
        {
            **keys.of(every),
            "PARAMCD": [name for name, rows, *_ in parts for _ in rows],
            "AVAL": np.concatenate([days[rows] for _, rows, days, *_ in parts]) / DAYS_PER_MONTH,
            "ADY": np.concatenate([day[rows] for _, rows, _, day, *_ in parts]),
            "CNSR": np.concatenate([cnsr[rows] for _, rows, _, _, cnsr, _ in parts]),
            "EVNTDESC": [text for _, rows, *_, description in parts for text in description[rows].tolist()],
        },
    )


def _adae(keys: _Keys, course: Course) -> pl.DataFrame:
    events = course.events
    kept = events["onset_day"] <= course.end_day[events["row"]]
    rows, grade, onset, end = (events[name][kept] for name in ("row", "grade", "onset_day", "end_day"))
    terms = [course.terms[place] for place in events["term"][kept]]
    end = np.where((end > course.end_day[rows]) | (grade == FATAL_GRADE), np.nan, end)
    return typed(
        "adae",
        {
            **keys.of(rows),
            "AEDECOD": [one.toxicity.term for one in terms],
            "AEBODSYS": [one.toxicity.body_system for one in terms],
            "AETOXGR": grade,
            "AEREL": ["Y"] * len(rows),
            "AETRT": [one.drug or "background" for one in terms],
            "ASTDY": onset,
            "AENDY": end,
            "AEACN": np.asarray(ACTIONS, dtype=object)[events["action"][kept]].tolist(),
            "CORTFL": _yn(events["steroids"][kept].astype(bool)),
            "IRAEFL": ["Y" if one.toxicity.is_immune else "N" for one in terms],
            "TRTEMFL": _yn(events["emergent"][kept].astype(bool)),
        },
    )


def _adex(keys: _Keys, course: Course) -> pl.DataFrame:
    rows = course.dosing["row"]
    regimens = [course.plan.regimens[place] for place in course.dosing["regimen"]]
    dose = np.array(course.dosing["dose"], dtype=float)
    units = []
    for place, regimen in enumerate(course.plan.regimens):
        mine = np.asarray(course.dosing["regimen"]) == place
        dose[mine], unit = written(regimen, dose[mine])
        units.append(unit)
    return typed(
        "adex",
        {
            **keys.of(rows),
            "EXTRT": [regimen.drug for regimen in regimens],
            "EXDOSE": dose,
            "EXDOSU": [units[place] for place in course.dosing["regimen"]],
            "EXROUTE": [regimen.route for regimen in regimens],
            "ASTDY": course.dosing["day"],
            "EXDURM": np.array([regimen.infusion_minutes for regimen in regimens], dtype=float),
        },
    )


def _adpc(keys: _Keys, course: Course) -> pl.DataFrame:
    rows, day, value, name = [], [], [], []
    for parameter, few, days, values in course.traces:
        followed = (days[None, :] <= course.end_day[few, None]) & np.isfinite(values)
        where, when = np.nonzero(followed)
        rows.append(few[where])
        day.append(days[when])
        value.append(values[where, when])
        name += [parameter.upper()] * len(where)
    if not name:
        return empty_table("adpc")
    return typed(
        "adpc",
        {
            **keys.of(np.concatenate(rows)),
            "PARAMCD": name,
            "ADY": np.concatenate(day),
            "AVAL": np.concatenate(value),
            "AVALU": ["mL" if one == "TUMVOL" else "mg/L" for one in name],
        },
    )
