"""``simulate``: a model and event rows in, a table out."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

MODEL = "k = 0.5; x = 4; x' = -k*x; twice := 2*x; y = 0; y' = -y;\n"


@pytest.fixture(autouse=True, scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESOTRIAL_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        yield


@pytest.fixture
def model(command: Any) -> str:
    Path("model.ant").write_text(MODEL, encoding="utf-8")
    return "model.ant"


def test_a_model_over_time(command: Any, model: str) -> None:
    result = command(
        "simulate", model, "--until", "3", "--step", "0.7", "--set", "k=0.25", "--set", "y=1", "--out", "r.parquet"
    )
    assert result.code == 0, result.err
    frame = pl.read_parquet("r.parquet")
    assert frame.columns == ["ID", "TIME", "x", "y", "twice"]
    times = frame["TIME"].to_numpy()
    assert times == pytest.approx([0, 0.7, 1.4, 2.1, 2.8, 3.0])
    assert frame["twice"].to_numpy() == pytest.approx(8 * np.exp(-0.25 * times), rel=1e-5)
    assert frame["y"].to_numpy() == pytest.approx(np.exp(-times), rel=1e-5)


def test_event_rows(command: Any, model: str) -> None:
    Path("d.csv").write_text("ID,TIME,AMT,CMT,II,ADDL\nann,0,1,y,0,0\nbob,1,2,y,1,1\n", encoding="utf-8")
    result = command(
        "simulate", model, "--until", "2", "--doses", "d.csv", "--observe", "y", "--out", "r.csv", "--json"
    )
    assert result.code == 0, result.err
    assert result.json == {"file": "r.csv", "patients": 2, "rows": 6, "columns": ["y"], "failed": []}
    frame = pl.read_csv("r.csv")
    assert frame["ID"].to_list() == ["ann"] * 3 + ["bob"] * 3
    expected = [1, np.exp(-1), np.exp(-2), 0, 2, 2 + 2 * np.exp(-1)]
    assert frame["y"].to_numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "-1", "--out", "r.csv"), "must be positive"),
        (("--until", "3", "--out", "r.txt"), "must end in .parquet or .csv"),
        (("--until", "3", "--out", "no/r.csv"), "no folder no"),
        (("--until", "3", "--out", "r.csv", "--set", "k"), "expected NAME=NUMBER"),
        (("--until", "3", "--out", "r.csv", "--set", "kk=1"), "'kk' is no constant or state of this model"),
        (("--until", "3", "--out", "r.csv", "--observe", "z"), "'z' is no state"),
        (("--until", "3", "--out", "r.csv", "--doses", "none.csv"), "none.csv"),
        (("--until", "1e9", "--step", "1e-3", "--out", "r.csv"), "rows are too many"),
    ],
)
def test_wrong_requests(command: Any, model: str, arguments: tuple[str, ...], words: str) -> None:
    result = command("simulate", model, *arguments)
    assert result.code == 2 and words in result.err and "Traceback" not in result.err
    assert not list(Path().glob("r.*"))


def test_a_bad_row_is_named_with_its_file(command: Any, model: str) -> None:
    Path("d.csv").write_text("TIME,AMT,CMT,ADDL\n0,1,y,3\n", encoding="utf-8")
    result = command("simulate", model, "--until", "2", "--doses", "d.csv", "--out", "r.csv")
    assert result.code == 2 and "d.csv: Row 2: ADDL needs II > 0" in result.err


def test_a_failure_is_told_and_what_was_done_is_kept(command: Any) -> None:
    Path("model.ant").write_text("x = 1; x' = x^2;\n", encoding="utf-8")
    result = command("simulate", "model.ant", "--until", "2", "--step", "0.8", "--out", "r.csv", "--quiet")
    assert result.code == 1 and "Not all could be simulated to the end" in result.err
    assert pl.read_csv("r.csv")["x"].is_nan().to_list() == [False, False, True, True]


def test_a_table_of_parameters(command: Any, model: str) -> None:
    Path("p.csv").write_text("ID,k,y\nann,0.1,1\nbob,0.2,3\n", encoding="utf-8")
    Path("d.csv").write_text("ID,TIME,AMT,CMT\nbob,1,2,x\n", encoding="utf-8")
    wanted = ("--until", "2", "--observe", "x,y", "--out", "r.parquet", "--quiet")
    result = command("simulate", model, *wanted, "--table", "p.csv", "--doses", "d.csv", "--set", "x=5")
    assert result.code == 0, result.err
    frame = pl.read_parquet("r.parquet")
    assert frame["ID"].to_list() == ["ann"] * 3 + ["bob"] * 3
    t = np.array([0.0, 1, 2])
    expected = [*(5 * np.exp(-0.1 * t)), 5, *(5 * np.exp(-0.2 * t[1:]) + 2 * np.exp(-0.2 * (t[1:] - 1)))]
    assert frame["x"].to_numpy() == pytest.approx(expected, rel=1e-5)
    assert frame["y"].to_numpy() == pytest.approx([*np.exp(-t), *(3 * np.exp(-t))], rel=1e-5)
    pl.DataFrame({"k": [0.1, 0.2, 0.3]}).write_parquet("p.parquet")
    Path("e.csv").write_text("TIME,AMT,CMT\n1,2,y\n", encoding="utf-8")  # without ID: for everyone
    result = command("simulate", model, *wanted, "--table", "p.parquet", "--doses", "e.csv")
    assert result.code == 0, result.err
    frame = pl.read_parquet("r.parquet")
    assert frame["ID"].unique(maintain_order=True).to_list() == ["1", "2", "3"]
    assert frame["y"].to_numpy() == pytest.approx([0, 2, 2 * np.exp(-1)] * 3, rel=1e-5)


@pytest.mark.parametrize(
    ("table", "doses", "words"),
    [
        ("ID,k\na,0.1\nb,fast\n", "", "p.csv: Row 3: k is 'fast', not a finite number"),
        ("ID,k\na,0.1\nb,\n", "", "p.csv: Row 3: k is None, not a finite number"),
        ("ID,k\na,0.1\na,0.2\n", "", "p.csv: Row 3: ID a is given twice"),
        ("ID,kk\na,0.1\n", "", "'kk' is no constant or state of this model; did you mean k?"),
        ("k\n", "", "p.csv has no rows"),
        ("x,k\n1,1\n", "", "x is given by --set and by a column"),
        ("k\n1\n", "ID,TIME,AMT,CMT\n9,0,1,y\n", "d.csv: Row 2: ID 9 is no patient of the batch"),
        ("k\n1\n", "TIME,AMT,CMT\n-1,1,y\n", "d.csv: Row 2: TIME is -1, before the start at day 0"),
        ("k\n1\n", "TIME,AMT,CMT\n0,ten,y\n", "d.csv: Row 2: AMT is 'ten', not a number"),
        ("k\n1\n", "TIME,AMT,AMT\n0,1,1\n", "d.csv: Row 1: the column AMT is given twice"),
        ("k\n1\n", "TIME,AMT,CMT\n0,1\n", "d.csv: Row 2: 2 fields, the header has 3"),
        ("k\n1\n", "TIME,AMT,CMT\n0,1,z\n", "d.csv: Row 2: CMT: 'z' is no state of this model"),
        ("k\n1\n", "TIME,AMT,CMT,EVID\n0,1,y,7\n", "d.csv: Row 2: EVID is 7, not 0 (observation)"),
    ],
)
def test_bad_tables_name_row_and_column(command: Any, model: str, table: str, doses: str, words: str) -> None:
    Path("p.csv").write_text(table, encoding="utf-8")
    Path("d.csv").write_text(doses, encoding="utf-8")
    given = ("--doses", "d.csv") if doses else ()
    result = command("simulate", model, "--until", "2", "--out", "r.csv", "--table", "p.csv", "--set", "x=1", *given)
    assert result.code == 2 and words in result.err and "Traceback" not in result.err
    assert not Path("r.csv").exists()
