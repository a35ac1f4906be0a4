"""From the tables of each option to outcomes of 100 people, with intervals, and to paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.analysis import Outcomes, codes

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = [
    "CURVE_MONTHS",
    "OUTCOMES",
    "Band",
    "Difference",
    "DifferenceBand",
    "Outcome",
    "bands_of",
    "curve_bands_of",
    "difference_bands_of",
    "differences_of",
    "had_outcomes",
    "outcomes_of",
]

CURVE_MONTHS = tuple(float(month) for month in range(37))
Key = tuple[str, float | None]
Had = Mapping[Key, "NDArray[Any]"]  # who had each outcome, and months to the event: see `had_outcomes`
OUTCOMES: Mapping[Key, str] = {
    ("ORR", None): "tumour shrinks (response)",
    ("PFS_RATE", 12.0): "alive without progression after 1 year",
    ("PFS_RATE", 24.0): "alive without progression after 2 years",
    ("PFS_RATE", 36.0): "alive without progression after 3 years",
    ("OS_RATE", 12.0): "alive after 1 year",
    ("OS_RATE", 24.0): "alive after 2 years",
    ("OS_RATE", 36.0): "alive after 3 years",
    ("TRAE_G34", None): "serious side effect of treatment (grade 3 or worse)",
}
_NORMAL_90 = 1.6449  # two-sided 90 %


@dataclass(frozen=True)
class Outcome:
    """An outcome as a fraction of people.

    ``lo90`` and ``hi90`` hold 90 % of groups like the published trials: the spread between trials of one treatment (`analysis.codes.tau`), what is unknown
    of the parameters where a posterior was given, and the number of people simulated. ``se_people`` is the last of these alone, as a fraction.
    """

    code: str
    time_months: float | None
    label: str
    value: float
    lo90: float
    hi90: float
    se_people: float


@dataclass(frozen=True)
class Difference:
    """``first`` minus ``second`` in people per 100, the same people in both.

    ``only_first`` and ``only_second`` count the people per 100 who have the outcome with one option and not with the other. The interval adds up paired
    people, posterior and, as if independent, the spread between trials of either option.
    """

    first: str
    second: str
    code: str
    time_months: float | None
    label: str
    per_100: float
    lo90: float
    hi90: float
    only_first: float
    only_second: float


@dataclass(frozen=True)
class Band:
    """What an outcome might be where nobody knows it, as fractions of people.

    ``lo90`` and ``hi90`` hold the intervals of `Outcome` at the low end, the middle and the high end of the human-translation factor.
    """

    code: str
    time_months: float | None
    label: str
    lo90: float
    hi90: float


@dataclass(frozen=True)
class DifferenceBand:
    """What ``first`` minus ``second`` might be in people per 100, where one of the two is not known: over all that the factors might be."""

    first: str
    second: str
    code: str
    time_months: float | None
    label: str
    lo90: float
    hi90: float


def had_outcomes(tables: Mapping[str, pl.DataFrame], sound: NDArray[np.bool_]) -> dict[Key, NDArray[Any]]:
    """Return who of the `sound` people had each of `OUTCOMES`, and (`OS`, None), (`PFS`, None): months to the event, infinite where there was none."""
    arm = str(tables["adsl"]["TRT01P"][0])
    outcomes = Outcomes(tables)
    found: dict[Key, NDArray[Any]] = {}
    for name in ("OS", "PFS"):
        times = outcomes.survival(name, arm)
        found[name, None] = np.where(times.event, times.months, np.inf)[sound]
    for code, time in OUTCOMES:
        if time is not None:
            found[code, time] = found[code.removesuffix("_RATE"), None] > time
        elif code in ("TRAE_G34",):
            found[code, time] = _serious(tables)[sound]
        else:
            had = outcomes.outcome(code, arm)
            assert had is not None, code
            found[code, time] = had[sound]
    return found


def _serious(tables: Mapping[str, pl.DataFrame]) -> NDArray[np.bool_]:
    """Mark the people with a related event of grade 3 or worse, among all who took part."""
    import polars as pl

    hit = tables["adae"].filter((pl.col("AEREL") == "Y") & (pl.col("AETOXGR") >= 3))["USUBJID"].unique()
    marked: NDArray[np.bool_] = tables["adsl"]["USUBJID"].is_in(hit.to_list()).to_numpy()
    return marked


def outcomes_of(had: Mapping[Key, NDArray[Any]], block: NDArray[np.int64]) -> tuple[Outcome, ...]:
    """Estimate the outcomes; `block` says which draw of the posterior each person belongs to."""
    found = []
    for (code, time), label in OUTCOMES.items():
        values = had[code, time]
        n, share = len(values), float(values.mean())
        low, high = _interval(code, values, block)
        found.append(Outcome(code, time, label, share, low, high, float(np.sqrt(share * (1 - share) / n))))
    return tuple(found)


def bands_of(levels: Sequence[Had], block: NDArray[np.int64]) -> tuple[Band, ...]:
    """Return the bands of the outcomes; `levels` are the same people at each level of the human-translation factor."""
    ranges = [outcomes_of(had, block) for had in levels]
    return tuple(
        Band(at[0].code, at[0].time_months, at[0].label, min(one.lo90 for one in at), max(one.hi90 for one in at))
        for at in zip(*ranges, strict=True)
    )


def curve_bands_of(
    levels: Sequence[Had], block: NDArray[np.int64]
) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return the lower and the upper edge of the OS and the PFS curve at each of `CURVE_MONTHS`; see `bands_of`."""
    found = {}
    for name in ("OS", "PFS"):
        edges = np.ones((2, len(CURVE_MONTHS)))
        for place, month in enumerate(CURVE_MONTHS[1:], start=1):
            ranges = [_interval(f"{name}_RATE", had[name, None] > month, block) for had in levels]
            edges[:, place] = min(low for low, _ in ranges), max(high for _, high in ranges)
        lower, upper = np.minimum.accumulate(edges, axis=1).tolist()
        found[name] = (tuple(lower), tuple(upper))
    return found


def _interval(code: str, values: NDArray[Any], block: NDArray[np.int64]) -> tuple[float, float]:
    """Return the ends of the interval of `Outcome` for the share of people that `values` mark."""
    n = len(values)
    inner = (values.sum() + 0.5) / (n + 1)  # 0 and 1 have no logit
    slope = inner * (1 - inner)
    spread = codes.tau(code) ** 2 + 1 / (n * slope) + _between(values.astype(float), block) / slope**2
    centre, reach = codes.on_scale(code, inner), _NORMAL_90 * float(np.sqrt(spread))
    return codes.from_scale(code, centre - reach), codes.from_scale(code, centre + reach)


def differences_of(
    options: Sequence[tuple[str, Mapping[Key, NDArray[Any]]]], block: NDArray[np.int64]
) -> tuple[Difference, ...]:
    """Compare every two options, person by person."""
    found = []
    for (first, one), (second, other) in itertools.combinations(options, 2):
        for (code, time), label in OUTCOMES.items():
            a, b = one[code, time].astype(float), other[code, time].astype(float)
            away = a - b
            trials = sum((share * (1 - share) * codes.tau(code)) ** 2 for share in (a.mean(), b.mean()))
            reach = _NORMAL_90 * float(np.sqrt(away.var() / len(away) + _between(away, block) + trials))
            centre = float(away.mean())
            found.append(
                Difference(
                    first,
                    second,
                    code,
                    time,
                    label,
                    100 * centre,
                    100 * max(centre - reach, -1.0),
                    100 * min(centre + reach, 1.0),
                    100 * float((away > 0).mean()),
                    100 * float((away < 0).mean()),
                )
            )
    return tuple(found)


def difference_bands_of(
    first: tuple[str, Sequence[Had]], second: tuple[str, Sequence[Had]], block: NDArray[np.int64]
) -> tuple[DifferenceBand, ...]:
    """Compare two options of which one or both are not known: over every level of one beside every level of the other."""
    found = [
        differences_of([(first[0], one), (second[0], other)], block)
        for one, other in itertools.product(first[1], second[1])
    ]
    return tuple(
        DifferenceBand(
            at[0].first,
            at[0].second,
            at[0].code,
            at[0].time_months,
            at[0].label,
            min(one.lo90 for one in at),
            max(one.hi90 for one in at),
        )
        for at in zip(*found, strict=True)
    )


def _between(values: NDArray[np.float64], block: NDArray[np.int64]) -> float:
    """Return the variance between draws of the posterior, beyond that of the people in each; 0 with a single draw."""
    _, block, count = np.unique(block, return_inverse=True, return_counts=True)
    if len(count) < 2:
        return 0.0
    means = np.bincount(block, values) / count
    within = np.bincount(block, (values - means[block]) ** 2) / np.maximum(count - 1, 1) / count
    return max(float(means.var(ddof=1) - within.mean()), 0.0)
