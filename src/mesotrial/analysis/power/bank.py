"""A bank of patients to resample trials from: simulated by the model, or drawn from a table of failure rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mesotrial.catalogue import CatalogueError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EVERYBODY", "Bank", "bank_of_tables", "bank_of_fail_rates", "bootstrapped"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EVERYBODY = "all"
_COLUMNS = {"histology": "HISTBL", "sex": "SEX", "ecog": "ECOGBL", "pdl1": "PDL1BL"}


@dataclass(frozen=True)
class Bank:
    """Patients of each arm and stratum, sorted within each group by time; group number arm * strata + stratum begins at `starts`.

    `times` in months to the event or, where `events` is 0, to the end of what is known; `progressions` in months, infinite without one. `mix` is the share
    of each stratum in the population. Patients are followed for `until` months, and censored then.
    """

    arms: tuple[str, ...]
    strata: tuple[str, ...]
    mix: FloatArray
    starts: IntArray
    times: FloatArray
    events: IntArray
    progressions: FloatArray
    until: float = math.inf

    @property
    def patients_per_arm(self) -> float:
        """The mean number of patients of an arm."""
        return self.times.size / len(self.arms)

    def of_arm(self, arm: str) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return (times, events) of an arm, weighted alike."""
        first = self.arms.index(arm) * len(self.strata)
        part = slice(self.starts[first], self.starts[first + len(self.strata)])
        return self.times[part], self.events[part] > 0


def bank_of_tables(
    tables: Mapping[str, pl.DataFrame], arms: Sequence[str], endpoint: str, strata: Sequence[str] = ()
) -> Bank:
    """Make a bank from patient-level tables, those of `simulate_banks`: the outcome `endpoint` (OS or PFS) by `arms` and the covariates `strata`.

    Raises `CatalogueError` where an arm or a stratum of an arm has no patients.
    """
    import polars as pl

    rows = tables["adsl"].select("USUBJID", "TRT01P", *(_COLUMNS[name] for name in strata))
    for parameter, names in ((endpoint, ("time", "cnsr")), ("PFS", ("progression", "no_progression"))):
        part = tables["adtte"].filter(pl.col("PARAMCD") == parameter)
        died = pl.col("EVNTDESC").str.to_lowercase().str.contains("death").fill_null(False)
        open_ended = died if parameter == "PFS" and names[0] == "progression" else pl.lit(False)
        rows = rows.join(
            part.select(
                "USUBJID", pl.col("AVAL").alias(names[0]), (pl.col("CNSR") + open_ended.cast(pl.Int64)).alias(names[1])
            ),
            on="USUBJID",
            how="left",
        )
    label = (
        pl.concat_str([pl.col(_COLUMNS[name]).cast(pl.String) for name in strata], separator=", ")
        if strata
        else pl.lit(EVERYBODY)
    )
    rows = rows.with_columns(stratum=label).filter(pl.col("TRT01P").is_in(list(arms)))
    names_ = tuple(sorted(rows["stratum"].unique().to_list()))
    groups: list[tuple[FloatArray, IntArray, FloatArray]] = []
    for arm in arms:
        of_arm = rows.filter(pl.col("TRT01P") == arm)
        if of_arm.is_empty():
            raise CatalogueError(
                f"arm {arm!r} has no patients to draw from; known arms: {', '.join(sorted(tables['adsl']['TRT01P'].unique()))}"
            )
        for stratum in names_:
            part = of_arm.filter(pl.col("stratum") == stratum)
            if part.is_empty():
                raise CatalogueError(
                    f"the stratum {stratum!r} of arm {arm!r} has nobody in it among {of_arm.height:,} patients; take fewer strata, or a larger bank"
                )
            progressed = np.where(part["no_progression"].to_numpy() == 0, part["progression"].to_numpy(), np.inf)
            groups.append((part["time"].to_numpy(), (part["cnsr"].to_numpy() == 0).astype(np.int64), progressed))
    counts = np.array([rows.filter(pl.col("stratum") == one).height for one in names_], float)
    alive = tables["adtte"].filter((pl.col("PARAMCD") == "OS") & (pl.col("CNSR") == 1))["AVAL"]
    until = float(alive.to_numpy().max()) if alive.len() else math.inf
    return replace(_packed(tuple(arms), names_, counts / counts.sum(), groups), until=until)


def bank_of_fail_rates(
    rows: Sequence[Mapping[str, Any]], *, control: str = "control", treated: str = "treated", patients: int = 20_000
) -> Bank:
    """Make a bank from a table of failure rates, one row a stratum and period: `stratum`, `duration`, `fail_rate` (a month) and `hr`, as gsDesign2 has.

    The patients are evenly spaced quantiles of the piecewise exponential distributions, so that they carry no chance of their own. All strata are equally
    frequent unless rows carry `share`. Drop-out (`dropout_rate`) belongs to the trial and is not read. Raises `CatalogueError` for rates that cannot be.
    """
    names = tuple(dict.fromkeys(str(row.get("stratum", EVERYBODY)) for row in rows))
    if not names:
        raise CatalogueError("the table of failure rates has no rows")
    groups: dict[tuple[str, str], tuple[FloatArray, IntArray, FloatArray]] = {}
    shares = np.zeros(len(names))
    for s, stratum in enumerate(names):
        mine = [row for row in rows if str(row.get("stratum", EVERYBODY)) == stratum]
        shares[s] = float(mine[0].get("share", 1.0))
        durations = [float(row["duration"]) for row in mine]
        for arm, ratios in ((control, [1.0] * len(mine)), (treated, [float(row.get("hr", 1.0)) for row in mine])):
            rates = [float(row["fail_rate"]) * ratio for row, ratio in zip(mine, ratios, strict=True)]
            if min(*rates, *durations, 1.0) <= 0 or not all(map(math.isfinite, rates)):
                raise CatalogueError(
                    f"stratum {stratum!r}: failure rates, hazard ratios and durations must be more than 0"
                )
            groups[arm, stratum] = _piecewise(durations, rates, patients)
    ordered = [groups[arm, stratum] for arm in (control, treated) for stratum in names]
    return _packed((control, treated), names, shares / shares.sum(), ordered)


def bootstrapped(bank: Bank, copies: int, seed: int) -> list[Bank]:
    """Draw banks of the same size from a bank with replacement, to see what its own chance does."""
    from mesotrial.population.randomness import uniforms

    made = []
    for copy in range(copies):
        u = uniforms(seed, "bank bootstrap", copy, np.arange(bank.times.size), 1)[:, 0]
        begin = np.repeat(bank.starts[:-1], np.diff(bank.starts))
        size = np.repeat(np.diff(bank.starts), np.diff(bank.starts))
        places = begin + np.minimum((u * size).astype(np.int64), size - 1)
        groups = [
            (bank.times[part], bank.events[part], bank.progressions[part])
            for part in (places[first:last] for first, last in zip(bank.starts[:-1], bank.starts[1:], strict=True))
        ]
        made.append(replace(_packed(bank.arms, bank.strata, bank.mix, groups), until=bank.until))
    return made


def _packed(
    arms: tuple[str, ...],
    strata: tuple[str, ...],
    mix: FloatArray,
    groups: Sequence[tuple[FloatArray, IntArray, FloatArray]],
) -> Bank:
    orders = [np.lexsort((1 - events, times)) for times, events, _ in groups]
    starts = np.concatenate([[0], np.cumsum([times.size for times, _, _ in groups])]).astype(np.int64)
    columns = [np.concatenate([group[k][order] for group, order in zip(groups, orders, strict=True)]) for k in range(3)]
    return Bank(
        arms, strata, mix, starts, columns[0].astype(float), columns[1].astype(np.int64), columns[2].astype(float)
    )


def _piecewise(durations: Sequence[float], rates: Sequence[float], n: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return n patients at the quantiles (i + 1/2) / n; the last rate goes on for ever."""
    hazard = -np.log1p(-(np.arange(n) + 0.5) / n)
    ends = np.cumsum(durations[:-1])
    marks = np.concatenate([[0.0], np.cumsum(np.diff(np.concatenate([[0.0], ends])) * np.array(rates[:-1]))])
    piece = np.searchsorted(marks, hazard, side="right") - 1
    times = np.concatenate([[0.0], ends])[piece] + (hazard - marks[piece]) / np.array(rates)[piece]
    return times, np.ones(n, np.int64), np.full(n, np.inf)
