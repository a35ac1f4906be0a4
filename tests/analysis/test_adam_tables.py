"""The patient-level tables against their specification, and the page of the documentation that lists it.

After a change of the specification:  python tests/analysis/test_adam_tables.py  writes that page anew.
"""

from pathlib import Path

import polars as pl
import pytest

from mesotrial.catalogue import load_design
from mesotrial.engine import ResultCode
from mesotrial.trial import simulate_trial
from mesotrial.trial.tables import TABLES, Column, TableSpec

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"

_OPENING = """# The tables of a run

Patient-level tables with the names of CDISC ADaM, as Parquet files in the folder of a run. Days count from randomisation (day 0); a month is 30.4375 days.
Each column's label, unit, code list and note are also in the file, as metadata of the column; an empty unit is a number without one. `STUDYID` begins with
`SIM-` and `SIMFL` is `Y` in every row: nobody here is a real person.
"""


def documentation() -> str:
    """The page that lists every table and column."""
    return "\n".join([_OPENING, *(line for spec in TABLES.values() for line in _table(spec))])


def _table(spec: TableSpec) -> list[str]:
    rows = [
        f"| `{column.name}` | {column.kind} | {_described(column)} | {column.unit} | {', '.join(f'`{code}`' for code in column.codes)} |"
        for column in spec.columns
    ]
    return [
        f"## {spec.name}: {spec.title}\n",
        f"One row is {spec.row}.\n",
        "| column | type | label | unit | values |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _described(column: Column) -> str:
    return f"{column.label}: {column.note}" if column.note else column.label


@pytest.fixture(scope="module", params=["maps2", "checkmate743"])
def simulated(request: pytest.FixtureRequest) -> dict[str, pl.DataFrame]:
    return dict(simulate_trial(load_design(request.param), patients_per_arm=40, seed=2).tables)


def test_the_page_lists_what_there_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == documentation(), __doc__


def test_every_column_has_a_label_and_every_measure_a_unit() -> None:
    for spec in TABLES.values():
        for column in spec.columns:
            assert 0 < len(column.label) <= 40  # what a SAS transport file has room for
            assert len(column.name) <= 8
            has_its_own_column = (
                column.name in ("AVAL", "EXDOSE") and {"AVAL": "AVALU", "EXDOSE": "EXDOSU"}[column.name] in spec.by_name
            )
            assert column.kind != "number" or column.unit or has_its_own_column, f"{spec.name}.{column.name}"


def test_result_codes_are_those_of_the_engine() -> None:
    assert TABLES["adsl"].by_name["RCODE"].codes == tuple(code.name for code in ResultCode)


def test_values_are_those_of_the_code_lists(simulated: dict[str, pl.DataFrame]) -> None:
    assert set(simulated) == set(TABLES)
    for name, frame in simulated.items():
        assert frame.columns == [column.name for column in TABLES[name].columns]
        for column in TABLES[name].columns:
            if column.codes:
                found = {str(value) for value in frame[column.name].drop_nulls().unique()}
                assert found <= set(column.codes), f"{name}.{column.name}"


def test_every_row_is_marked_as_simulated_and_belongs_to_a_subject(simulated: dict[str, pl.DataFrame]) -> None:
    subjects = simulated["adsl"]
    assert subjects["USUBJID"].n_unique() == subjects.height
    for name, frame in simulated.items():
        assert (frame["SIMFL"] == "Y").all(), name
        assert frame["STUDYID"].str.starts_with("SIM-").all(), name
        keys = ["STUDYID", "USUBJID", "TRT01P"]
        assert frame.select(keys).unique().join(subjects.select(keys), on=keys, how="anti").is_empty(), name


if __name__ == "__main__":
    PAGE.write_text(documentation(), encoding="utf-8")
