"""The patient-level tables of a trial: one specification for column names, types, labels, units and code lists.

Names follow CDISC ADaM. Days count from randomisation (day 0); times to event are in months of 30.4375 days, and CNSR is 0 for an event and 1 for a
censored patient, the reverse of the usual event flag. Every table carries STUDYID ``SIM-...`` and SIMFL ``Y``: nobody here is a real person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

__all__ = ["DAYS_PER_MONTH", "TABLES", "Column", "TableSpec", "empty_table", "typed"]

DAYS_PER_MONTH = 30.4375
Kind = Literal["text", "integer", "number"]


@dataclass(frozen=True)
class Column:
    """One column: ADaM name, type, label (at most 40 characters, as SAS transport files have room for), unit, the values it may take (empty: free) and
    what a reader should know besides.
    """

    name: str
    kind: Kind
    label: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class TableSpec:
    """One table: ADaM name, title, what a row is, and its columns in order."""

    name: str
    title: str
    row: str
    columns: tuple[Column, ...]
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})


_KEYS = (
    Column("STUDYID", "text", "Study identifier", note="SIM- marks a simulation"),
    Column("USUBJID", "text", "Unique subject identifier"),
    Column("SIMFL", "text", "Simulated data flag", codes=("Y",)),
    Column("TRT01P", "text", "Planned treatment", note="the arm's name in the design"),
)
_YN = ("Y", "N")
_RESPONSES = ("CR", "PR", "SD", "PD", "NE")
_RESULT_CODES = ("OK", "MAX_STEPS", "STEP_TOO_SMALL", "NOT_FINITE")
_EVENTS = (
    *("DEATH", "LAST KNOWN ALIVE", "RESPONSE", "PROGRESSION ON THE SECOND LINE"),
    *("PROGRESSION AT A SCAN", "SYMPTOMATIC PROGRESSION", "NO EVENT: LAST SCAN"),
    *("EVENT AFTER TWO OR MORE MISSED SCANS", "SYMPTOMS WITHOUT A SCAN: LAST SCAN"),
)

TABLES: Mapping[str, TableSpec] = {
    spec.name: spec
    for spec in (
        TableSpec(
            "adsl",
            "Subject-level analysis dataset",
            "one subject",
            (
                *_KEYS,
                Column("SUBJID", "integer", "Subject number", note="from 0; the key of the subject's random draws"),
                Column("TRT01PN", "integer", "Planned treatment (N)", note="the arm's place in the design, from 0"),
                Column("REGIMEN", "text", "Regimens assigned", note="as written in the design"),
                Column("AGE", "number", "Age", "years"),
                Column("SEX", "text", "Sex", codes=("F", "M")),
                Column("WEIGHTBL", "number", "Weight at baseline", "kg"),
                Column("HEIGHTBL", "number", "Height at baseline", "cm"),
                Column("BSABL", "number", "Body surface area at baseline", "m2", note="Mosteller's formula"),
                Column("ECOGBL", "integer", "ECOG performance status at baseline", codes=("0", "1")),
                Column("HISTBL", "text", "Histology", codes=("EPITHELIOID", "NON-EPITHELIOID")),
                Column("PDL1BL", "text", "PD-L1 tumour proportion score", codes=(">=1%", "<1%")),
                Column("ALBBL", "number", "Albumin at baseline", "g/L"),
                Column("LDHBL", "number", "Lactate dehydrogenase at baseline", "U/L"),
                Column("EGFRBL", "number", "Estimated GFR at baseline", "mL/min", note="glomerular filtration rate"),
                Column("LINE", "text", "Line of treatment", codes=("FIRST", "RELAPSED")),
                Column("TUMVOLBL", "number", "Tumour volume at baseline", "mL", note="what CT would enclose"),
                Column("SUMDIABL", "number", "Sum of measurements at baseline as read", "mm"),
                Column(
                    "ENRLMO", "number", "Calendar time of randomisation", "months", note="from the start of enrolment"
                ),
                Column("L2STDY", "number", "First day of the second line", "days", note="null if there was none"),
                Column("TRTEDY", "number", "Day of the last dose", "days", note="null if none was given"),
                Column("DOSESN", "integer", "Number of dosing occasions received"),
                Column(
                    "DCTREAS",
                    "text",
                    "Reason treatment ended",
                    codes=(
                        "PROGRESSION",
                        "TOXICITY",
                        "DEATH",
                        "RESPONSE",
                        "COMPLETED",
                        "DROP-OUT",
                        "ONGOING",
                        "NOT TREATED",
                    ),
                ),
                Column("EOSSTT", "text", "Status at the end of the study", codes=("DEAD", "ALIVE", "LOST")),
                Column("EOSDY", "number", "Last day known alive, or day of death", "days"),
                Column("ITTFL", "text", "Intention-to-treat flag", codes=_YN),
                Column("SAFFL", "text", "Safety flag: at least one dose", codes=_YN),
                Column(
                    "RESPEFL", "text", "Response-evaluable flag", codes=_YN, note="baseline and at least one later scan"
                ),
                Column("DRAW", "integer", "Draw of the population's parameters"),
                Column(
                    "RCODE", "text", "Result code of the simulation", codes=_RESULT_CODES, note="OK, or what failed"
                ),
            ),
        ),
        TableSpec(
            "adtr",
            "Tumour measurements",
            "one scan of one subject (baseline included)",
            (
                *_KEYS,
                Column("PARAMCD", "text", "Parameter code", codes=("SUMDIAM",)),
                Column("AVISITN", "integer", "Scan number", note="0: baseline"),
                Column("ADY", "number", "Day of the scan", "days"),
                Column("AVAL", "number", "Sum of measurements as read", "mm"),
                Column("BASE", "number", "Baseline sum", "mm"),
                Column("PCHG", "number", "Change from baseline", "%"),
                Column("NADIR", "number", "Smallest sum before this scan", "mm"),
                Column("PCHGN", "number", "Change from nadir", "%"),
                Column("NEWLFL", "text", "New lesion seen at this scan or before", codes=_YN),
                Column("TUMVOL", "number", "Simulated tumour volume", "mL", note="true, not read"),
                Column(
                    "ESCPCT",
                    "number",
                    "Living tumour cells that escape T cells",
                    "%",
                    note="true, not read; null at baseline",
                ),
                Column(
                    "ANL01FL", "text", "Analysis flag 01", codes=_YN, note="up to and including the first progression"
                ),
            ),
        ),
        TableSpec(
            "adrs",
            "Response",
            "one scan of one subject (OVR), or one subject (BOR)",
            (
                *_KEYS,
                Column("PARAMCD", "text", "Parameter code", codes=("OVR", "BOR")),
                Column("AVISITN", "integer", "Scan number", note="null for BOR"),
                Column(
                    "ADY",
                    "number",
                    "Day of the assessment",
                    "days",
                    note="BOR: the day it was first reached, null for NE",
                ),
                Column("AVALC", "text", "Response", codes=_RESPONSES),
                Column("CRIT", "text", "Criteria and confirmation rule"),
            ),
        ),
        TableSpec(
            "adtte",
            "Time to event",
            "one subject and parameter (DOR and TTR: responders only)",
            (
                *_KEYS,
                Column("PARAMCD", "text", "Parameter code", codes=("OS", "PFS", "PFS2", "DOR", "TTR")),
                Column(
                    "AVAL",
                    "number",
                    "Time to event or censoring",
                    "months",
                    note="from randomisation; DOR: from the first response",
                ),
                Column("ADY", "number", "Study day of the event or of censoring", "days"),
                Column("CNSR", "integer", "0 event, 1 censored", codes=("0", "1")),
                Column("EVNTDESC", "text", "Event or reason for censoring", codes=_EVENTS),
            ),
        ),
        TableSpec(
            "adae",
            "Adverse events",
            "one event",
            (
                *_KEYS,
                Column("AEDECOD", "text", "Event, CTCAE term"),
                Column("AEBODSYS", "text", "Body system"),
                Column("AETOXGR", "integer", "CTCAE grade", codes=("1", "2", "3", "4", "5")),
                Column("AEREL", "text", "Related to treatment", codes=_YN, note="as an investigator would judge"),
                Column("AETRT", "text", "Drug the event is attributed to"),
                Column("ASTDY", "number", "Day of onset", "days"),
                Column("AENDY", "number", "Day of resolution", "days", note="null if unresolved"),
                Column("AEACN", "text", "Action taken", codes=("NONE", "DRUG INTERRUPTED", "DRUG WITHDRAWN")),
                Column("CORTFL", "text", "Treated with steroids", codes=_YN),
                Column("IRAEFL", "text", "Immune-related", codes=_YN),
                Column(
                    "TRTEMFL",
                    "text",
                    "Treatment-emergent flag",
                    codes=_YN,
                    note="begins within 30 days of the last dose",
                ),
            ),
        ),
        TableSpec(
            "adex",
            "Exposure",
            "one dose",
            (
                *_KEYS,
                Column("EXTRT", "text", "Drug"),
                Column("EXDOSE", "number", "Dose given, in EXDOSU"),
                Column(
                    "EXDOSU", "text", "Unit of the dose", codes=("mg", "cells", "PFU", "VP", "CFU", "IU", "Gy", "%")
                ),
                Column("EXROUTE", "text", "Route"),
                Column("ASTDY", "number", "Day of the dose", "days"),
                Column("EXDURM", "number", "Duration of the infusion", "min", note="0: bolus"),
            ),
        ),
        TableSpec(
            "adpc",
            "Drug concentrations and tumour over time",
            "one day of one subject and parameter (the first few subjects of each arm)",
            (
                *_KEYS,
                Column(
                    "PARAMCD", "text", "Parameter code", note="TUMVOL, or a drug's name for its plasma concentration"
                ),
                Column("ADY", "number", "Day", "days"),
                Column("AVAL", "number", "Value without assay error"),
                Column("AVALU", "text", "Unit", codes=("mg/L", "mL")),
            ),
        ),
    )
}


def _schema(spec: TableSpec) -> dict[str, pl.DataType]:
    import polars as pl

    kinds: dict[Kind, pl.DataType] = {"text": pl.String(), "integer": pl.Int64(), "number": pl.Float64()}
    return {column.name: kinds[column.kind] for column in spec.columns}


def empty_table(name: str) -> pl.DataFrame:
    """Return table `name` without rows, typed as its specification says."""
    import polars as pl

    return pl.DataFrame(schema=_schema(TABLES[name]))


def typed(name: str, columns: Mapping[str, object]) -> pl.DataFrame:
    """Build table `name` from columns; a missing or unknown column is a ValueError that names it."""
    import polars as pl

    schema = _schema(TABLES[name])
    if wrong := set(columns) ^ set(schema):
        raise ValueError(f"table {name}: columns missing or unknown: {', '.join(sorted(wrong))}")
    return pl.DataFrame({key: columns[key] for key in schema}, schema=schema, nan_to_null=True)
