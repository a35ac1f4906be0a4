"""The tables of a run as datasets for exchange: PARAM beside PARAMCD, keys, classes, decodes of codes, and a label with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mesotrial.trial.tables import TABLES, Column

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LONGEST_LABEL", "Dataset", "Variable", "datasets", "fit_for_transport"]

LONGEST_LABEL = 40
LONGEST_TEXT = 200  # bytes of a text in a SAS transport file, version 5
_YN = {"Y": "Yes", "N": "No"}
_DECODES: Mapping[str, Mapping[str, str]] = {
    "SEX": {"F": "Female", "M": "Male"},
    "AVALC": {
        "CR": "Complete response",
        "PR": "Partial response",
        "SD": "Stable disease",
        "PD": "Progressive disease",
        "NE": "Not evaluable",
    },
    "CNSR": {"0": "Event", "1": "Censored"},
    "ECOGBL": {"0": "0", "1": "1 or more"},
    "AETOXGR": {str(grade): f"Grade {grade}" for grade in range(1, 6)},
    "RCODE": {
        "OK": "Simulated to the end",
        "MAX_STEPS": "Too many steps needed",
        "STEP_TOO_SMALL": "Solution changes too abruptly",
        "NOT_FINITE": "A value became infinite or undefined",
    },
    "PARAMCD": {
        "SUMDIAM": "Sum of measurements (mm)",
        "OVR": "Overall response at a scan",
        "BOR": "Best overall response",
        "OS": "Overall survival (months)",
        "PFS": "Progression-free survival (months)",
        "DOR": "Duration of response (months)",
        "TTR": "Time to response (months)",
        "TUMVOL": "Tumour volume (mL)",
    },
    **dict.fromkeys(("SIMFL", "ITTFL", "SAFFL", "RESPEFL", "NEWLFL", "ANL01FL", "AEREL", "TRTEMFL"), _YN),
}
# ADaM class and subclass of define.xml, and the variables that tell one row from another.
_ABOUT: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "adsl": ("SUBJECT LEVEL ANALYSIS DATASET", "", ("STUDYID", "USUBJID")),
    "adtr": ("BASIC DATA STRUCTURE", "", ("STUDYID", "USUBJID", "PARAMCD", "AVISITN")),
    "adrs": ("BASIC DATA STRUCTURE", "", ("STUDYID", "USUBJID", "PARAMCD", "AVISITN")),
    "adtte": ("BASIC DATA STRUCTURE", "TIME-TO-EVENT", ("STUDYID", "USUBJID", "PARAMCD")),
    "adae": ("OCCURRENCE DATA STRUCTURE", "ADVERSE EVENT", ("STUDYID", "USUBJID", "AETRT", "AEDECOD", "ASTDY")),
    "adex": ("OCCURRENCE DATA STRUCTURE", "", ("STUDYID", "USUBJID", "EXTRT", "ASTDY")),
    "adpc": ("BASIC DATA STRUCTURE", "", ("STUDYID", "USUBJID", "PARAMCD", "ADY")),
}


@dataclass(frozen=True)
class Variable:
    """One variable: `codes` are the values it may take with their meaning (the value itself where nothing more is to say)."""

    name: str
    kind: Literal["text", "integer", "number"]
    label: str
    unit: str
    codes: Mapping[str, str]
    note: str

    @property
    def full_label(self) -> str:
        """The label with its unit, where 40 characters hold both."""
        with_unit = f"{self.label} ({self.unit})"
        return with_unit if self.unit and len(with_unit) <= LONGEST_LABEL else self.label


@dataclass(frozen=True)
class Dataset:
    """One dataset: its rows (`frame`, columns in the order of `variables`) and what is said of them."""

    name: str
    title: str
    structure: str
    kind: str
    subkind: str
    keys: tuple[str, ...]
    variables: tuple[Variable, ...]
    frame: pl.DataFrame

    def text_length(self, name: str) -> int:
        """Return the bytes that the longest value of a text needs, at least 1."""
        longest = self.frame[name].str.len_bytes().max()
        return max(1, int(str(longest)) if longest is not None else 1)


def datasets(tables: Mapping[str, pl.DataFrame]) -> list[Dataset]:
    """Return the datasets of a run's tables (`mesotrial.TABLES`), subjects first."""
    made = []
    for name, spec in TABLES.items():
        kind, subkind, keys = _ABOUT[name]
        variables = [_variable(column) for column in spec.columns]
        frame = tables[name]
        if "PARAMCD" in frame.columns:
            place = frame.columns.index("PARAMCD") + 1
            variables.insert(place, Variable("PARAM", "text", "Parameter", "", {}, ""))
            names = frame.columns
            frame = frame.with_columns(_param(frame)).select(*names[:place], "PARAM", *names[place:])
        made.append(
            Dataset(
                name.upper(),
                spec.title,
                f"one record per {spec.row.removeprefix('one ')}",
                kind,
                subkind,
                keys,
                tuple(variables),
                frame,
            )
        )
    return made


def fit_for_transport(dataset: Dataset) -> Dataset:
    """Return the dataset as a SAS transport file, version 5, can hold it: ASCII, and longer texts continued in further variables.

    A text of more than 200 bytes goes on in a variable with 1, 2, ... at the end of its name, cut between words where it can be.
    """
    import polars as pl

    variables: list[Variable] = []
    columns: list[pl.Series] = []
    for variable in dataset.variables:
        column = dataset.frame[variable.name]
        if variable.kind != "text":
            variables.append(variable)
            columns.append(column)
            continue
        pieces = [_pieces(_ascii(text)) if text is not None else [""] for text in column.to_list()]
        for part in range(max((len(some) for some in pieces), default=1)):
            name = variable.name if part == 0 else f"{variable.name[:7]}{part}"
            variables.append(replace(variable, name=name))
            columns.append(pl.Series(name, [some[part] if part < len(some) else "" for some in pieces], pl.String))
    return replace(dataset, variables=tuple(variables), frame=pl.DataFrame(columns))


def _variable(column: Column) -> Variable:
    decode = _DECODES.get(column.name, {})
    codes = {code: decode.get(code, code) for code in column.codes}
    return Variable(column.name, column.kind, column.label, column.unit, codes, column.note)


def _param(frame: pl.DataFrame) -> pl.Series:
    import polars as pl

    names = _DECODES["PARAMCD"]
    return pl.Series(
        "PARAM",
        [names.get(code, f"Plasma concentration of {code.lower()} (mg/L)") for code in frame["PARAMCD"].to_list()],
        pl.String,
    )


def _ascii(text: str) -> str:
    """Write a text in ASCII; accents are taken off, and what has no near letter becomes a question mark."""
    import unicodedata

    return unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode() if not text.isascii() else text


def _pieces(text: str, longest: int = LONGEST_TEXT) -> Sequence[str]:
    pieces = []
    while len(text) > longest:
        cut = text.rfind(" ", 1, longest) + 1 or longest
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]
