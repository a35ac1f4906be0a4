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


def test_a_model_with_events(command: Any) -> None:
    Path("model.ant").write_text("x = 1; x' = 1; E1: at (x > 2.5): x = 0;\n", encoding="utf-8")
    result = command("simulate", "model.ant", "--until", "3", "--out", "r.csv")
    assert result.code == 0, result.err
    assert pl.read_csv("r.csv")["x"].to_list() == pytest.approx([1, 2, 0.5, 1.5])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "-1", "--out", "r.csv"), "must be positive"),
        (("--until", "3", "--out", "r.txt"), "must end in .parquet or .csv"),
        (("--until", "3", "--out", "no/r.csv"), "no folder no"),
        (("--until", "3", "--out", "r.csv", "--set", "k"), "expected NAME=NUMBER"),
        (("--until", "3", "--out", "r.csv", "--set", "kk=1"), "'kk' is no constant or state of this model"),
        (("--until", "3", "--out", "r.csv", "--set", "k=nan"), "--set k=nan: nan is not a finite number"),
        (("--until", "3", "--out", "r.csv", "--set", "k=1", "--set", "k=2"), "--set k=2: k is given twice"),
        (("--until", "3", "--out", "r.csv", "--set", "twice=1"), "twice is computed by the model"),
        (("--until", "3", "--out", "r.csv", "--observe", "z"), "model.ant: 'z' is no state"),
        (("--until", "3", "--out", "r.csv", "--doses", "none.csv"), "none.csv"),
        (("--until", "1e9", "--step", "1e-3", "--out", "r.csv"), "rows are too many"),
    ],
)
def test_wrong_requests(command: Any, model: str, arguments: tuple[str, ...], words: str) -> None:
    result = command("simulate", model, *arguments)
    assert result.code in (1, 2) and words in result.err and "Traceback" not in result.err
    assert not list(Path().glob("r.*"))


def test_a_model_without_states(command: Any) -> None:
    Path("model.ant").write_text("k = 3; y := k*time;\n", encoding="utf-8")
    result = command("simulate", "model.ant", "--until", "2", "--out", "r.csv")
    assert result.code == 0, result.err
    assert pl.read_csv("r.csv")["y"].to_list() == [0, 3, 6]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.xml", b"", "m.xml: The model is empty"),
        ("m.ant", b"# nothing\n", "m.ant: The model is empty"),
        ("m.ant", b"k = 3;\n", "m.ant: nothing in the model changes"),
        ("m.xml", b"\xff\xfe\x80", "m.xml cannot be read: it is no text in UTF-8"),
        ("m.xml", b"<sbml", "m.xml: The SBML cannot be read"),
        ("m.ant", b"x = 1; x' = -k*x; var k;\n", "m.ant: k has no value"),
    ],
)
def test_a_bad_model_is_named_with_its_file(command: Any, name: str, content: bytes, words: str) -> None:
    Path(name).write_bytes(content)
    result = command("simulate", name, "--until", "2", "--out", "r.csv")
    assert result.code == 2 and words in result.err


def test_a_value_that_the_model_cannot_take_is_refused(command: Any) -> None:
    Path("m.ant").write_text("n = 1.5; d = 0; d' = -d; x = 1; x' = -d^n*x;\n", encoding="utf-8")
    result = command("simulate", "m.ant", "--until", "2", "--set", "n=-1", "--out", "r.csv")
    assert result.code == 2 and "m.ant: n is an exponent and must be positive" in result.err


@pytest.mark.parametrize("option", ["--doses", "--table"])
def test_what_is_read_is_not_overwritten(command: Any, model: str, option: str) -> None:
    Path("r.csv").write_text("ID,k\n1,2\n", encoding="utf-8")
    result = command("simulate", model, "--until", "2", option, "r.csv", "--out", "../here/r.csv")
    assert result.code == 2 and "would overwrite r.csv" in result.err
    assert Path("r.csv").read_text(encoding="utf-8") == "ID,k\n1,2\n"


def test_a_bad_row_is_named_with_its_file(command: Any, model: str) -> None:
    Path("d.csv").write_text("TIME,AMT,CMT,ADDL\n0,1,y,3\n", encoding="utf-8")
    result = command("simulate", model, "--until", "2", "--doses", "d.csv", "--out", "r.csv")
    assert result.code == 2 and "d.csv: Row 2: ADDL needs II > 0" in result.err


def test_a_failure_is_told_and_what_was_done_is_kept(command: Any) -> None:
    Path("model.ant").write_text("x = 1; x' = x^2;\n", encoding="utf-8")
    result = command("simulate", "model.ant", "--until", "2", "--step", "0.8", "--out", "r.csv", "--quiet")
    assert result.code == 1 and "Not all could be simulated to the end" in result.err
    assert pl.read_csv("r.csv")["x"].is_nan().to_list() == [False, False, True, True]
