"""A run for R: times to event with the columns of simtrial's `sim_pw_surv`, and gsDesign2's tables of enrolment and failure rates.

Times are in months. Sources: simtrial (Merck; the reference of `sim_pw_surv` and `cut_data_by_date`) and gsDesign2 (Merck; the reference of
`define_enroll_rate` and `define_fail_rate`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesotrial.run.files import write_whole

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = ["ENDPOINTS", "enroll_rate", "fail_rate", "simtrial_data", "write_simtrial"]

ENDPOINTS = ("OS", "PFS")
_COLUMNS = ("stratum", "enroll_time", "treatment", "fail_time", "dropout_time", "cte", "fail")
_STRATA = {"histology": "HISTBL", "sex": "SEX", "ecog": "ECOGBL", "pdl1": "PDL1BL"}
_CUTS = (3.0, 6.0, 12.0, 24.0)  # months: where the piecewise rates may change
_LEAST_MONTHS = 1 / 30.4375  # everybody on one day


def simtrial_data(design: Design, tables: Mapping[str, pl.DataFrame], endpoint: str, control: str) -> pl.DataFrame:
    """Return one row a patient: stratum, enroll_time, treatment, fail_time, dropout_time, cte, fail; first in first.

    `treatment` is `control` for the arm `control`, `experimental` for the other of two arms, else the arm's name. A patient without the event has
    `fail_time` infinite and `dropout_time` the time last seen, whether lost or at the data cut: nothing is known after it. With the event,
    `dropout_time` is infinite. `cte` is calendar time: enrolment plus the smaller of both; `fail` is 1 where that is the event.
    """
    import polars as pl

    times = tables["adtte"].filter(pl.col("PARAMCD") == endpoint).select("USUBJID", "AVAL", "CNSR")
    others = [arm.name for arm in design.arms if arm.name != control]
    words = {control: "control"} | ({others[0]: "experimental"} if len(others) == 1 else {})
    had = pl.col("CNSR") == 0
    return (
        tables["adsl"]
        .with_columns(_stratum(design))
        .join(times, on="USUBJID", maintain_order="left")
        .select(
            "stratum",
            pl.col("ENRLMO").alias("enroll_time"),
            pl.col("TRT01P").replace(words).alias("treatment"),
            pl.when(had).then("AVAL").otherwise(math.inf).alias("fail_time"),
            pl.when(had).then(math.inf).otherwise("AVAL").alias("dropout_time"),
            (pl.col("ENRLMO") + pl.col("AVAL")).alias("cte"),
            had.cast(pl.Int64).alias("fail"),
        )
        .sort("enroll_time", maintain_order=True)
    )


def enroll_rate(design: Design, tables: Mapping[str, pl.DataFrame], patients: int) -> pl.DataFrame:
    """Return gsDesign2's table of enrolment for `patients` in all arms: stratum, duration (months), rate (patients a month of all arms together)."""
    import polars as pl

    from mesotrial.analysis.power import Accrual
    from mesotrial.analysis.power.planning import accrual_of

    if design.analysis is not None and design.analysis.accrual:
        accrual = accrual_of(design, design.analysis, patients)
    else:
        months = max(design.accrual_months, _LEAST_MONTHS)
        accrual = Accrual((months,), (patients / months,))
    subjects = tables["adsl"].with_columns(_stratum(design))
    shares = subjects.group_by("stratum").agg(share=pl.len() / subjects.height).sort("stratum")
    periods = pl.DataFrame(accrual.enroll_rate(patients)).select("duration", "rate")
    return shares.join(periods, how="cross", maintain_order="left_right").select(
        "stratum", "duration", pl.col("rate") * pl.col("share")
    )


def fail_rate(
    design: Design, tables: Mapping[str, pl.DataFrame], endpoint: str, control: str, experimental: str
) -> pl.DataFrame:
    """Return gsDesign2's table of failure: stratum, duration, fail_rate (of the control arm, a month), dropout_rate, hr.

    Rates are events over months at risk, from 0 to 3, 6, 12, 24 months and on; a piece in which one of the arms has no event is joined with the
    one before. `hr` is the ratio of the arms' rates in the piece. Strata with an arm without any event are left out.
    """
    import numpy as np
    import polars as pl

    times = tables["adtte"].filter(pl.col("PARAMCD") == endpoint).select("USUBJID", "AVAL", "CNSR")
    everyone = tables["adsl"].with_columns(_stratum(design)).join(times, on="USUBJID", maintain_order="left")
    rows: list[tuple[str, float, float, float, float]] = []
    for stratum in sorted(everyone["stratum"].unique().to_list()):
        arms = [
            everyone.filter((pl.col("stratum") == stratum) & (pl.col("TRT01P") == arm))
            for arm in (control, experimental)
        ]
        months = [arm["AVAL"].to_numpy() for arm in arms]
        had = [arm["CNSR"].to_numpy() == 0 for arm in arms]
        both = pl.concat(arms)
        at_risk = float(both["AVAL"].sum())
        dropout = float((both["EOSSTT"] == "LOST").sum()) / at_risk if at_risk > 0 else 0.0
        start = 0.0
        pieces: list[tuple[float, float, float]] = []
        for end in _usable_cuts(months, had):
            events = [float((h & (m > start) & (m <= end)).sum()) for m, h in zip(months, had, strict=True)]
            spent = [float(np.clip(m, start, end).sum() - start * m.size) for m in months]
            rates = [n / t for n, t in zip(events, spent, strict=True)]
            pieces.append((end - start, rates[0], rates[1] / rates[0]))
            start = end
        rows += [(stratum, duration, rate, dropout, ratio) for duration, rate, ratio in pieces]
    return pl.DataFrame(
        rows,
        schema={
            "stratum": pl.String,
            **dict.fromkeys(("duration", "fail_rate", "dropout_rate", "hr"), pl.Float64),
        },
        orient="row",
    )


def write_simtrial(
    folder: Path, design: Design, tables: Mapping[str, pl.DataFrame], control: str, patients: int
) -> Iterator[Path]:
    """Write `simtrial_<endpoint>.csv`, `enroll_rate.csv`, and `fail_rate_<endpoint>[_<arm>].csv` for each arm against `control`;
    `patients` are those of the trial."""
    others = [(i, arm.name) for i, arm in enumerate(design.arms) if arm.name != control]
    for endpoint in ENDPOINTS:
        yield _csv(folder / f"simtrial_{endpoint.lower()}.csv", simtrial_data(design, tables, endpoint, control))
        for place, name in others:
            tail = f"_arm{place + 1}" if len(others) > 1 else ""
            table = fail_rate(design, tables, endpoint, control, name)
            yield _csv(folder / f"fail_rate_{endpoint.lower()}{tail}.csv", table)
    yield _csv(folder / "enroll_rate.csv", enroll_rate(design, tables, patients))


def _usable_cuts(months: Sequence[object], had: Sequence[object]) -> list[float]:
    """Return the ends of the pieces; in each of them every arm has an event."""
    import numpy as np

    happened = [np.sort(np.asarray(m)[np.asarray(h)]) for m, h in zip(months, had, strict=True)]
    if any(times.size == 0 for times in happened):
        return []
    ends: list[float] = []
    start = 0.0
    for end in _CUTS:
        inside = [bool(((times > start) & (times <= end)).any()) for times in happened]
        if all(inside):
            ends.append(end)
            start = end
    last = all(bool((times > start).any()) for times in happened)
    return [*ends, math.inf] if last or not ends else [*ends[:-1], math.inf]


def _stratum(design: Design) -> pl.Expr:
    import polars as pl

    names = design.randomisation.strata
    if not names:
        return pl.lit("All").alias("stratum")
    return pl.concat_str([pl.format(f"{name}={{}}", pl.col(_STRATA[name])) for name in names], separator="; ").alias(
        "stratum"
    )


def _csv(path: Path, frame: pl.DataFrame) -> Path:
    text = frame.with_columns(
        [frame[name].cast(str).replace({"inf": "Inf"}) for name, kind in frame.schema.items() if kind.is_float()]
    )
    write_whole(path, text.write_csv)
    return path
