"""When treated patients have their first adverse event, or die before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mesotrial.analysis.competing import CENSORED, COMPETING, EVENT
from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl

__all__ = ["first_event"]


def first_event(
    tables: Mapping[str, pl.DataFrame], arm: str, *, grade: int = 1, term: str | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return (months, cause) of every patient of `arm` who had a dose, for `cumulative_incidence`.

    The event is the first treatment-emergent one of at least `grade` (of `term`, CTCAE, where given), whatever its
    cause; death before it competes; follow-up that ends without either is censored.
    """
    import polars as pl

    events = tables["adae"].filter((pl.col("TRTEMFL") == "Y") & (pl.col("AETOXGR") >= grade))
    if term is not None:
        events = events.filter(pl.col("AEDECOD") == term)
    patients = (
        tables["adsl"]
        .filter((pl.col("TRT01P") == arm) & (pl.col("SAFFL") == "Y"))
        .join(events.group_by("USUBJID").agg(onset=pl.col("ASTDY").min()), on="USUBJID", how="left")
    )
    onset, end = patients["onset"].to_numpy(), patients["EOSDY"].to_numpy()
    happened = ~np.isnan(onset)
    cause = np.where(happened, EVENT, np.where((patients["EOSSTT"] == "DEAD").to_numpy(), COMPETING, CENSORED))
    return np.where(happened, np.minimum(onset, end), end) / DAYS_PER_MONTH, cause.astype(np.int64)
