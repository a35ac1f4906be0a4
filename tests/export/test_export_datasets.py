"""ADaM tables for other programs: read back by pyreadstat and R, and consistent with their define.xml."""

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesotrial.export import FORMATS, export_run
from mesotrial.export.datasets import LONGEST_TEXT, _pieces, datasets, fit_for_transport
from mesotrial.export.define import DEFINE, ODM
from mesotrial.run import Run
from mesotrial.trial import TABLES

XLINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def exported(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("exports")
    return {form: export_run(small_run, form, out=base / form).folder for form in FORMATS}


def test_transport_files_hold_the_tables_read_back_by_pyreadstat(small_run: Run, exported: dict[str, Path]) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    for dataset in datasets(small_run.tables):
        frame, about = pyreadstat.read_xport(
            str(exported["xpt"] / f"{dataset.name.lower()}.xpt"), output_format="polars"
        )
        assert about.table_name == dataset.name
        assert about.column_names == [variable.name for variable in dataset.variables]
        assert about.column_labels == [variable.full_label for variable in dataset.variables]
        assert frame.height == small_run.tables[dataset.name.lower()].height > 0
        for variable in dataset.variables:
            written, found = dataset.frame[variable.name].to_list(), frame[variable.name].to_list()
            if variable.kind == "text":
                assert found == [text or "" for text in written], variable.name
            else:  # the format's numbers have 56 bits: more than a double's 53
                found = [None if value is None or value != value else value for value in found]
                assert found == written, variable.name


def test_transport_files_are_read_by_r_with_foreign_and_haven(small_run: Run, exported: dict[str, Path]) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("no R here")
    script = f"""
    for (package in c("foreign", "haven")) if (!requireNamespace(package, quietly = TRUE)) quit(status = 9)
    one <- foreign::read.xport("{exported["xpt"]}/adtte.xpt"); two <- haven::read_xpt("{exported["xpt"]}/adtte.xpt")
    for (x in list(one, as.data.frame(two))) {{
      os <- x[x$PARAMCD == "OS", ]
      cat(nrow(x), sum(os$CNSR == 0), format(sum(os$AVAL), digits = 15), attr(two$AVAL, "label"), sep = "|", "\\n")
    }}"""
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if done.returncode == 9:
        pytest.skip("R has no foreign or haven")
    assert done.returncode == 0, done.stderr
    table = small_run.tables["adtte"]
    survival = table.filter(pl.col("PARAMCD") == "OS")
    for line in done.stdout.strip().splitlines():
        rows, events, total, label, _ = line.split("|")
        assert int(rows) == table.height
        assert int(events) == (survival["CNSR"] == 0).sum()
        assert float(total) == pytest.approx(survival["AVAL"].sum(), rel=1e-12)
        assert label == "Time to event or censoring (months)"


def test_dataset_json_holds_the_tables_as_the_specification_1_1_says(small_run: Run, exported: dict[str, Path]) -> None:
    kinds = {"string": str, "integer": int, "double": float}
    for dataset in datasets(small_run.tables):
        text = (exported["dataset-json"] / f"{dataset.name.lower()}.json").read_text(encoding="utf-8")
        found = json.loads(text)
        assert found["datasetJSONVersion"] == "1.1.0"
        assert (found["name"], found["records"]) == (dataset.name, dataset.frame.height)
        assert [tuple(row) for row in found["rows"]] == dataset.frame.rows()
        for place, column in enumerate(found["columns"]):
            assert {"itemOID", "name", "label", "dataType"} <= set(column)
            values = [row[place] for row in found["rows"] if row[place] is not None]
            assert all(type(value) is kinds[column["dataType"]] for value in values), column["name"]
            if column["dataType"] == "string":
                assert max((len(value.encode()) for value in values), default=1) <= column["length"]
        keys = sorted(column["keySequence"] for column in found["columns"] if "keySequence" in column)
        assert keys == list(range(1, len(dataset.keys) + 1))


def test_keys_tell_one_record_from_another(small_run: Run) -> None:
    for dataset in datasets(small_run.tables):
        assert dataset.frame.select(dataset.keys).is_unique().all(), dataset.name


@pytest.mark.parametrize("form", ["xpt", "dataset-json"])
def test_define_xml_describes_every_file_and_every_reference_is_defined(form: str, exported: dict[str, Path]) -> None:
    root = ET.parse(exported[form] / "define.xml").getroot()
    space = {"o": ODM, "d": DEFINE}
    defined = {item.get("OID"): item for item in root.iterfind(".//o:ItemDef", space)}
    referred = [item.get("ItemOID") for item in root.iterfind(".//o:ItemRef", space)]
    assert sorted(referred) == sorted(defined)
    lists = {item.get("OID") for item in root.iterfind(".//o:CodeList", space)}
    assert lists == {item.get("CodeListOID") for item in root.iterfind(".//o:CodeListRef", space)}
    comments = {item.get("OID") for item in root.iterfind(".//d:CommentDef", space)}
    assert comments == {item.get(f"{{{DEFINE}}}CommentOID") for item in root.iter()} - {None}
    files = {str(leaf.get(XLINK)) for leaf in root.iterfind(".//d:leaf", space)}
    assert files == {path.name for path in exported[form].iterdir()} - {"define.xml"}
    assert len(files) == len(TABLES)


def test_define_xml_has_the_units_and_the_codes(exported: dict[str, Path]) -> None:
    root = ET.parse(exported["xpt"] / "define.xml").getroot()
    space = {"o": ODM}
    text = {
        item.get("OID"): item.findtext("o:Description/o:TranslatedText", namespaces=space)
        for item in root.iterfind(".//o:ItemDef", space)
    }
    assert text["IT.ADSL.AGE"] == "Age (years)"
    simulated = next(one for one in root.iterfind(".//o:CodeList", space) if one.get("OID") == "CL.SIMFL")
    assert [item.get("CodedValue") for item in simulated] == ["Y"]
    response = next(one for one in root.iterfind(".//o:CodeList", space) if one.get("OID") == "CL.AVALC")
    words = {item.get("CodedValue"): item.findtext("o:Decode/o:TranslatedText", namespaces=space) for item in response}
    assert words["PR"] == "Partial response" and len(words) == 5


def test_csv_holds_the_tables_and_the_list_of_columns(small_run: Run, exported: dict[str, Path]) -> None:
    columns = pl.read_csv(exported["adam"] / "columns.csv")
    for dataset in datasets(small_run.tables):
        found = pl.read_csv(exported["adam"] / f"{dataset.name.lower()}.csv", schema=dataset.frame.schema)
        assert found.equals(dataset.frame), dataset.name
        listed = columns.filter(pl.col("dataset") == dataset.name)["column"].to_list()
        assert listed == found.columns
    assert columns.filter(pl.col("column") == "SIMFL")["codes"].unique().to_list() == ["Y = Yes"]


def test_every_label_fits_a_transport_file(small_run: Run) -> None:
    for dataset in datasets(small_run.tables):
        assert all(len(variable.full_label) <= 40 for variable in dataset.variables)


def test_long_and_foreign_texts_are_continued_and_written_in_ascii(small_run: Run) -> None:
    long = " + ".join(f"nivolumab {dose} mg IV over 30 min q2w" for dose in range(100, 112))
    tables = dict(small_run.tables)
    tables["adsl"] = tables["adsl"].with_columns(REGIMEN=pl.lit(long), TRT01P=pl.lit("niño → x"))
    whole = datasets(tables)[0]
    fitted = fit_for_transport(whole)
    names = [variable.name for variable in fitted.variables if variable.name.startswith("REGIMEN")]
    assert names == ["REGIMEN", "REGIMEN1", "REGIMEN2"] and len(long) > 2 * LONGEST_TEXT
    first = fitted.frame.row(0, named=True)
    assert "".join(first[name] for name in names) == long
    assert all(len(first[name]) <= LONGEST_TEXT for name in names)
    assert first["TRT01P"] == "nin?o ? x"
    assert fitted.frame.columns == [variable.name for variable in fitted.variables]


@given(st.text(st.characters(codec="ascii"), max_size=1000))
def test_the_pieces_of_a_text_make_the_text(text: str) -> None:
    pieces = _pieces(text)
    assert "".join(pieces) == text
    assert all(len(piece) <= LONGEST_TEXT for piece in pieces)


def test_an_export_leaves_the_run_as_it_was(small_run: Run, exported: dict[str, Path]) -> None:
    for name, spec in TABLES.items():
        assert small_run.tables[name].columns == [column.name for column in spec.columns]


def test_tables_without_rows_can_be_exported(small_run: Run, tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    from mesotrial.export.about import about_run
    from mesotrial.export.write_datasets import write_dataset_json, write_xpt

    tables = {name: frame.clear() if name != "adsl" else frame for name, frame in small_run.tables.items()}
    about = about_run(small_run, bank=False)
    assert len(list(write_xpt(tmp_path, datasets(tables), about))) == len(TABLES) + 1
    assert len(list(write_dataset_json(tmp_path, datasets(tables), about))) == len(TABLES) + 1
    frame, meta = pyreadstat.read_xport(str(tmp_path / "adae.xpt"), output_format="polars")
    assert frame.height == 0 and meta.column_names[0] == "STUDYID"
