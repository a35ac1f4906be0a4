"""Patient-level tables of a made-up trial, in the shape of `mesotrial.trial.tables`, for tests that need no
simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mesotrial.trial.tables import DAYS_PER_MONTH, TABLES, typed

__all__ = ["SyntheticArm", "maps2_arms", "synthetic_tables"]

_END_DAY = 36 * DAYS_PER_MONTH


@dataclass(frozen=True)
class SyntheticArm:
    name: str
    n: int
    drugs: tuple[str, ...]
    shrinking: float  # share of patients whose tumour shrinks
    growth_per_day: float
    death_months: float  # mean survival after progression
    toxicity: float  # share with a related event of grade 3


def maps2_arms(first: int, second: int) -> list[SyntheticArm]:
    """The two arms of MAPS2 with so many patients each."""
    return [
        SyntheticArm("nivo", first, ("nivolumab",), 0.22, 0.006, 11, 0.12),
        SyntheticArm("nivo+ipi", second, ("nivolumab", "ipilimumab"), 0.32, 0.005, 14, 0.25),
    ]


_TERMS = (
    ("Fatigue", "General disorders", 0.30, 0.03),
    ("Diarrhoea", "Gastrointestinal disorders", 0.18, 0.03),
    ("Pruritus", "Skin and subcutaneous tissue disorders", 0.12, 0.0),
    ("Colitis", "Gastrointestinal disorders", 0.05, 0.03),
    ("Hypothyroidism", "Endocrine disorders", 0.08, 0.0),
    ("Hepatitis", "Hepatobiliary disorders", 0.05, 0.03),
    ("Pneumonitis", "Respiratory, thoracic and mediastinal disorders", 0.04, 0.015),
)


def synthetic_tables(
    arms: Sequence[SyntheticArm], seed: int = 3, scan_weeks: int = 12, follow_up_days: float = _END_DAY
) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    n = sum(arm.n for arm in arms)
    place = np.repeat(np.arange(len(arms)), [arm.n for arm in arms])
    name = np.array([arm.name for arm in arms])[place]
    subject = np.array([f"SIM-TEST-{i:05d}" for i in range(n)])

    base_volume = np.exp(rng.normal(np.log(180), 0.7, n))
    base_sum = 69 * (base_volume / 200) ** 0.6
    shrinks = rng.random(n) < np.array([arm.shrinking for arm in arms])[place]
    sensitive = np.where(shrinks, rng.beta(5, 1.5, n), rng.beta(1, 6, n))
    kill = np.exp(rng.normal(np.log(0.02), 0.5, n))
    growth = np.array([arm.growth_per_day for arm in arms])[place] * np.exp(rng.normal(0, 0.7, n))

    def volume(day: np.ndarray, who: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = base_volume[who] * (
            sensitive[who] * np.exp(-kill[who] * day) + (1 - sensitive[who]) * np.exp(np.minimum(growth[who] * day, 4))
        )
        return mixed

    end = np.minimum(rng.uniform(0.6, 1.0, n) * follow_up_days + 60, follow_up_days)
    progressed, nadir, best, best_day = np.full(n, np.nan), base_sum.copy(), np.full(n, 4), np.full(n, np.nan)
    response_day, last_scan, scans_read = np.full(n, np.nan), np.zeros(n), np.zeros(n, int)
    early_death = np.where(rng.random(n) < 0.05, rng.uniform(20, 200, n), np.inf)
    everyone = np.arange(n)
    tr = [_measurements(everyone, np.zeros(n), base_sum, base_sum, nadir, np.zeros(n, bool), base_volume, 0)]
    rs = []
    new_lesion = np.zeros(n, bool)
    for visit, planned in enumerate(np.arange(scan_weeks * 7, follow_up_days, scan_weeks * 7), start=1):
        day = planned + rng.integers(-7, 8, n)
        who = np.flatnonzero(np.isnan(progressed) & (day < np.minimum(end, early_death)) & (rng.random(n) > 0.03))
        total = 69 * (volume(day[who], who) / 200) ** 0.6 * np.exp(rng.normal(0, 0.05, who.size))
        new_lesion[who] = rng.random(who.size) < 0.06
        change = total / base_sum[who] - 1
        code = np.where(change <= -0.95, 0, np.where(change <= -0.3, 1, 2))
        code[(total >= 1.2 * nadir[who]) | new_lesion[who]] = 3
        tr.append(
            _measurements(
                who, day[who], total, base_sum[who], nadir[who], new_lesion[who], volume(day[who], who), visit
            )
        )
        rs.append((who, day[who], code, visit))
        progressed[who[code == 3]] = day[who[code == 3]]
        better = code < best[who]
        best[who[better]], best_day[who[better]] = code[better], day[who[better]]
        first = (code <= 1) & np.isnan(response_day[who])
        response_day[who[first]] = day[who[first]]
        nadir[who] = np.minimum(nadir[who], total)
        last_scan[who], scans_read[who] = day[who], scans_read[who] + 1

    mean_after = np.array([arm.death_months for arm in arms])[place] * DAYS_PER_MONTH
    death = np.minimum(np.where(np.isnan(progressed), np.inf, progressed) + rng.exponential(mean_after), early_death)
    dead = death <= end
    known = np.where(dead, death, end)
    event = ~np.isnan(progressed) | dead
    pfs = np.where(np.isnan(progressed), np.where(dead, death, last_scan), progressed)
    why = np.where(~np.isnan(progressed), "PROGRESSION AT A SCAN", np.where(dead, "DEATH", "NO EVENT: LAST SCAN"))

    def keys(who: np.ndarray) -> dict[str, object]:
        return {
            "STUDYID": ["SIM-TEST"] * len(who),
            "USUBJID": subject[who],
            "SIMFL": ["Y"] * len(who),
            "TRT01P": name[who],
        }

    toxic = rng.random(n) < np.array([arm.toxicity for arm in arms])[place]
    treated = np.where(np.isnan(progressed), known, progressed)
    treated = np.where(toxic, np.minimum(treated, rng.uniform(10, 150, n)), treated)
    stopped = np.where(
        toxic, "TOXICITY", np.where(~np.isnan(progressed), "PROGRESSION", np.where(dead, "DEATH", "ONGOING"))
    )
    safe = rng.random(n) > 0.02
    adsl = {
        **keys(everyone),
        "SUBJID": everyone,
        "TRT01PN": place,
        "REGIMEN": np.array(["; ".join(arm.drugs) for arm in arms])[place],
        "AGE": rng.normal(71, 8, n).round(1),
        "SEX": np.where(rng.random(n) < 0.22, "F", "M"),
        "WEIGHTBL": rng.normal(75, 13, n).round(1),
        "HEIGHTBL": rng.normal(171, 8, n).round(0),
        "BSABL": rng.normal(1.88, 0.18, n).round(2),
        "ECOGBL": (rng.random(n) < 0.65).astype(int),
        "HISTBL": np.where(rng.random(n) < 0.82, "EPITHELIOID", "NON-EPITHELIOID"),
        "PDL1BL": np.where(rng.random(n) < 0.42, ">=1%", "<1%"),
        "ALBBL": rng.normal(37, 4.5, n).round(1),
        "LDHBL": np.exp(rng.normal(5.35, 0.3, n)).round(0),
        "EGFRBL": rng.normal(78, 18, n).round(0),
        "LINE": ["RELAPSED"] * n,
        "TUMVOLBL": base_volume,
        "SUMDIABL": base_sum,
        "ENRLMO": rng.uniform(0, 5, n),
        "L2STDY": np.full(safe.size, np.nan),
        "TRTEDY": np.where(safe, treated, np.nan),
        "DOSESN": np.where(safe, treated // 14 + 1, 0).astype(int),
        "DCTREAS": np.where(safe, stopped, "NOT TREATED"),
        "EOSSTT": np.where(dead, "DEAD", "ALIVE"),
        "EOSDY": known,
        "ITTFL": ["Y"] * n,
        "SAFFL": np.where(safe, "Y", "N"),
        "RESPEFL": np.where(scans_read > 0, "Y", "N"),
        "DRAW": everyone % 10,
        "RCODE": np.where(everyone == n - 1, "MAX_STEPS", "OK"),
    }

    responses = np.array(["CR", "PR", "SD", "PD", "NE"])
    who = np.concatenate([part[0] for part in rs] + [everyone])
    adrs = {
        **keys(who),
        "PARAMCD": ["OVR"] * (who.size - n) + ["BOR"] * n,
        "AVISITN": pl.Series([visit for part in rs for visit in [part[3]] * part[0].size] + [None] * n),
        "ADY": np.concatenate([part[1] for part in rs] + [best_day]),
        "AVALC": responses[np.concatenate([part[2] for part in rs] + [best])],
        "CRIT": ["mRECIST, unconfirmed"] * who.size,
    }

    responders = np.flatnonzero(~np.isnan(response_day))
    tte: list[tuple[str, np.ndarray, np.ndarray, np.ndarray, Sequence[str] | np.ndarray, np.ndarray]] = [
        ("OS", everyone, known, ~dead, np.where(dead, "DEATH", "LAST KNOWN ALIVE"), np.zeros(n)),
        ("PFS", everyone, pfs, ~event, why, np.zeros(n)),
        ("DOR", responders, pfs[responders], ~event[responders], why[responders], response_day[responders]),
        (
            "TTR",
            responders,
            response_day[responders],
            np.zeros(responders.size, bool),
            ["FIRST RESPONSE"] * responders.size,
            np.zeros(responders.size),
        ),
    ]
    who = np.concatenate([part[1] for part in tte])
    adtte = {
        **keys(who),
        "PARAMCD": [part[0] for part in tte for _ in part[1]],
        "AVAL": np.concatenate([(part[2] - part[5]) / DAYS_PER_MONTH for part in tte]),
        "ADY": np.concatenate([part[2] for part in tte]),
        "CNSR": np.concatenate([part[3].astype(int) for part in tte]),
        "EVNTDESC": [str(text) for part in tte for text in part[4]],
    }

    events: list[tuple[int, str, str, int]] = []
    for term, system, any_grade, severe in _TERMS:
        factor = np.array([0.6 + arm.toxicity * 2 for arm in arms])[place]
        had = np.flatnonzero(safe & (rng.random(n) < any_grade * factor))
        grade = np.where(rng.random(had.size) < severe / any_grade, 3, rng.integers(1, 3, had.size))
        events += [(int(i), term, system, int(g)) for i, g in zip(had, grade, strict=True)]
    events += [(int(i), "Colitis", "Gastrointestinal disorders", 3) for i in np.flatnonzero(toxic & safe)]
    events += [
        (int(i), "Pneumonitis", "Respiratory, thoracic and mediastinal disorders", 5)
        for i in np.flatnonzero(toxic & safe)[:1]
    ]
    who = np.array([item[0] for item in events])
    onset = rng.uniform(5, 200, who.size).round()
    adae = {
        **keys(who),
        "AEDECOD": [item[1] for item in events],
        "AEBODSYS": [item[2] for item in events],
        "AETOXGR": [item[3] for item in events],
        "AEREL": np.where(rng.random(who.size) < 0.8, "Y", "N"),
        "AETRT": [arms[place[i]].drugs[-1] for i in who],
        "ASTDY": onset,
        "AENDY": np.where(rng.random(who.size) < 0.8, onset + 30, np.nan),
        "AEACN": ["DRUG WITHDRAWN" if item[3] >= 3 else "NONE" for item in events],
        "CORTFL": ["N"] * who.size,
        "IRAEFL": ["N"] * who.size,
        "TRTEMFL": ["Y"] * who.size,
    }

    doses = [
        (i, drug, day)
        for i in everyone
        if safe[i]
        for drug in arms[place[i]].drugs
        for day in np.arange(0, treated[i], 42)
    ]
    who = np.array([item[0] for item in doses])
    adex = {
        **keys(who),
        "EXTRT": [item[1] for item in doses],
        "EXDOSE": [225.0] * who.size,
        "EXDOSU": ["mg"] * who.size,
        "EXROUTE": ["IV"] * who.size,
        "ASTDY": [float(item[2]) for item in doses],
        "EXDURM": [60.0] * who.size,
    }

    few = [i for k in range(len(arms)) for i in np.flatnonzero((place == k) & safe)[:4]]
    pc: list[tuple[int, str, float, float, str]] = []
    for i in few:
        for day in np.arange(0, known[i], 7.0):
            pc.append((i, "TUMVOL", day, float(volume(np.array([day]), np.array([i]))[0]), "mL"))
        for k, drug in enumerate(arms[place[i]].drugs):
            every = 14 * (1 + 2 * k)
            for day in np.arange(0, min(known[i], treated[i] + 150), 3.5):
                given = np.arange(0, treated[i], every)
                level = 60 / (1 + 2 * k) * np.exp(-0.035 * (day - given[given <= day])).sum()
                pc.append((i, drug.upper(), day, float(level), "mg/L"))
    who = np.array([item[0] for item in pc])
    adpc = {
        **keys(who),
        "PARAMCD": [item[1] for item in pc],
        "ADY": [item[2] for item in pc],
        "AVAL": [item[3] for item in pc],
        "AVALU": [item[4] for item in pc],
    }

    frames = {"adsl": adsl, "adrs": adrs, "adtte": adtte, "adae": adae, "adex": adex, "adpc": adpc}
    tables = {key: typed(key, columns) for key, columns in frames.items()}
    tables["adtr"] = pl.concat([typed("adtr", keys(part[0]) | part[1]) for part in tr])
    return {key: tables[key] for key in TABLES}


def _measurements(
    who: np.ndarray,
    day: np.ndarray,
    total: np.ndarray,
    base: np.ndarray,
    nadir: np.ndarray,
    new: np.ndarray,
    volume: np.ndarray,
    visit: int,
) -> tuple[np.ndarray, dict[str, object]]:
    return who, {
        "PARAMCD": ["SUMDIAM"] * who.size,
        "AVISITN": [visit] * who.size,
        "ADY": day,
        "AVAL": total,
        "BASE": base,
        "PCHG": 100 * (total / base - 1),
        "NADIR": nadir,
        "PCHGN": 100 * (total / nadir - 1),
        "NEWLFL": np.where(new, "Y", "N"),
        "TUMVOL": volume,
        "ESCPCT": np.where(who % 2 == 0, 80.0, 5.0),
        "ANL01FL": ["Y"] * who.size,
    }
