"""A run from the command line, and its folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mesotrial.catalogue import load_design
from mesotrial.cli.model import _SUMMARY_SCHEMA
from mesotrial.run import Run, RunFolderError, load_run, remake_report, run_trial
from mesotrial.trial import TABLES

Snapshot = Callable[[Path], dict[str, bytes]]
SMALL = ("run", "maps2", "--patients-per-arm", "8")


@pytest.fixture
def copied(small_run: Run, tmp_path: Path) -> Path:
    """A copy of the small run, to spoil."""
    return Path(shutil.copytree(small_run.path, tmp_path / "copied"))


def test_a_run_says_what_it_does_and_what_came_out(command: Any) -> None:
    result = command(*SMALL)
    assert result.code == 0
    assert "Compiling the model" in result.err and "Writing the report" in result.err
    assert "simulate" in result.err and "in all" in result.err
    for words in ("Nivolumab (nivo)", "OS, median months", "90 %", "Published", "49.2 %", "51 %", "covered"):
        assert words in result.out
    assert "Not for the care of an individual" in result.out
    assert result.out.splitlines()[-1] == "runs/maps2-n8/report.html"
    assert Path("runs/maps2-n8/report.html").is_file()


def test_the_table_fits_a_narrow_terminal(command: Any, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = command(*SMALL, "--out", str(copied), "--all-rows").out
    scored = sum(row["z"] is not None for row in load_run(copied).summary["endpoints"])
    assert out.count(" ✓\n") + out.count(" ✗\n") == scored > 10
    assert "…" not in out
    assert max(len(line) for line in out.splitlines()) <= max(80, len(str(copied)) + len("/report.html"))


def test_the_folder_holds_the_files_of_the_contract(small_run: Run) -> None:
    expected = {"design.yaml", "status.json", "summary.json", "report.html", "provenance.json"}
    assert expected | {f"{name}.parquet" for name in TABLES} <= {path.name for path in small_run.path.iterdir()}
    status = small_run.status
    assert (status["state"], status["done"], status["total"]) == ("finished", 16, 16)
    assert set(status) == {"state", "done", "total", "started", "finished", "message"}
    provenance = small_run.provenance
    for key in (
        "version",
        "versions",
        "seed",
        "command",
        "model_hash",
        "catalogue_hash",
        "population_version",
        "timings",
    ):
        assert provenance[key], key
    assert small_run.design == load_design("maps2")


def test_each_table_describes_itself(small_run: Run) -> None:
    for name, spec in TABLES.items():
        schema = pq.read_schema(small_run.path / f"{name}.parquet")
        assert schema.names == [column.name for column in spec.columns]
        for column in spec.columns:
            about = schema.field(column.name).metadata
            assert about[b"label"].decode() == column.label
            assert about[b"unit"].decode() == column.unit
            assert tuple(json.loads(about[b"codes"])) == column.codes
        assert json.loads(schema.metadata[b"mesotrial"])["seed"] == 1
        assert small_run.tables[name].columns == schema.names


def test_the_summary_is_what_its_schema_says(small_run: Run) -> None:
    schema = json.loads(_SUMMARY_SCHEMA.read_text(encoding="utf-8"))
    assert set(small_run.summary) == set(schema["properties"])
    kinds = {"string": str, "number": (int, float), "null": type(None), "boolean": bool, "integer": int}
    fields = schema["$defs"]["row"]["properties"]
    for row in small_run.summary["endpoints"]:
        assert set(row) == set(fields)
        for name, value in row.items():
            if "enum" in fields[name]:
                assert value in fields[name]["enum"]
                continue
            allowed = fields[name]["type"]
            assert isinstance(
                value, tuple(kinds[kind] for kind in ([allowed] if isinstance(allowed, str) else allowed))
            )


def test_a_run_counts_who_is_not_randomised(command: Any) -> None:
    result = command("run", "nvalt5", "--patients-per-arm", "8", "--out", "led-in")
    summary = load_run(Path("led-in")).summary
    counts = summary["lead_in"]["trial"]
    schema = json.loads(_SUMMARY_SCHEMA.read_text(encoding="utf-8"))
    assert set(counts) == set(schema["$defs"]["lead_in"]["properties"])
    lost = sum(counts[name] for name in ("died", "progressed", "came_off", "failed"))
    assert counts["fit"] >= 16 and counts["began"] == counts["fit"] + lost
    assert counts["share_fit"] == counts["fit"] / counts["began"]
    said = f"Of {counts['began']} people who began the lead-in"
    assert said in " ".join(result.out.split())
    page = Path("led-in/report.html").read_text(encoding="utf-8")
    assert said in page and "Before randomisation" in page
    again = run_trial("nvalt5", patients_per_arm=10, out="led-in")
    assert again.kept == 16 and again.summary["lead_in"]["trial"]["fit"] >= 20


def test_a_run_again_gives_the_same_files_whatever_the_threads(
    small_run: Run, tmp_path: Path, snapshot: Snapshot
) -> None:
    again = run_trial(small_run.design, patients_per_arm=8, out=tmp_path / "again", threads=1, command="a test")
    same = {"status.json", "provenance.json", "report.html"}
    first, second = ({k: v for k, v in snapshot(run.path).items() if k not in same} for run in (small_run, again))
    assert first == second


def test_a_finished_run_is_returned_as_it_is(command: Any, copied: Path, snapshot: Snapshot) -> None:
    before = snapshot(copied)
    result = command(*SMALL, "--out", str(copied))
    assert result.code == 0 and "finished already" in result.err
    assert snapshot(copied) == before


@pytest.mark.parametrize("file", ["report.html", "summary.json", "adsl.parquet", "status.json", "design.yaml"])
def test_a_run_that_lost_a_file_gets_it_back(copied: Path, small_run: Run, file: str) -> None:
    (copied / file).unlink()
    run = run_trial("maps2", patients_per_arm=8, out=copied)
    assert not run.reused and run.kept == 16 and run.status["state"] == "finished"
    if file != "status.json":
        assert (copied / file).is_file()


def test_a_damaged_table_is_noticed(copied: Path, small_run: Run) -> None:
    table = copied / "adtte.parquet"
    table.write_bytes(table.read_bytes()[:-100])
    assert not run_trial("maps2", patients_per_arm=8, out=copied, command="a test").reused
    assert table.read_bytes() == (small_run.path / "adtte.parquet").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--seed", "2"), "seed: 1 there, 2 asked for"),
        (("--patients-per-arm", "7"), "patients per arm: 8 there, 7 asked for"),
        (("--population", "typical"), "population: fitted there, typical asked for"),
    ],
)
def test_a_folder_with_another_run_is_refused(
    command: Any, copied: Path, snapshot: Snapshot, change: tuple[str, ...], words: str
) -> None:
    before = snapshot(copied)
    result = command(*SMALL, "--out", str(copied), *change)
    assert result.code == 2 and words in result.err and "Nothing was changed" in result.err
    assert snapshot(copied) == before


def test_another_design_of_the_same_name_is_refused(command: Any, copied: Path, snapshot: Snapshot) -> None:
    before = snapshot(copied)
    text = load_design("maps2").source_text.replace("n: 63", "n: 64")
    Path("changed.yaml").write_text(text, encoding="utf-8")
    result = command("run", "changed.yaml", "--patients-per-arm", "8", "--out", str(copied))
    assert result.code == 2 and "different design" in result.err
    assert snapshot(copied) == before


def test_a_folder_with_files_that_are_no_run_is_refused(command: Any, snapshot: Snapshot) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    result = command(*SMALL, "--out", "mine")
    assert result.code == 2 and "thesis.txt" in result.err
    assert snapshot(Path("mine")) == {"thesis.txt": b"years of work"}


def test_json_is_one_object_on_standard_output(command: Any, copied: Path) -> None:
    result = command(*SMALL, "--out", str(copied), "--json")
    assert result.json["summary"]["schema"] == "mesotrial/summary/1"
    assert result.json["report"] == str(copied / "report.html")


def test_quiet_says_only_where_the_page_is(command: Any) -> None:
    result = command(*SMALL, "--quiet")
    assert (result.out, result.err) == ("runs/maps2-n8/report.html\n", "")


def test_the_bank_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Run) -> None:
    monkeypatch.setattr("mesotrial.trial.simulate.BANK_PER_ARM", 20)
    run = run_trial("maps2", out=tmp_path / "own sizes")
    assert run.tables["adsl"].height == 125
    assert run.bank["adsl"].height == 40
    assert run.summary["bank"] == {"nivo": 20, "nivo+ipi": 20}
    assert small_run.bank is small_run.tables
    assert remake_report(run.path) == run.report


def test_the_report_is_made_anew_from_the_folder(command: Any, copied: Path, small_run: Run) -> None:
    (copied / "report.html").unlink()
    result = command("report", str(copied))
    assert (result.code, result.out) == (0, f"{copied}/report.html\n")
    assert (copied / "report.html").read_bytes() == (small_run.path / "report.html").read_bytes()


def test_an_interrupted_run_is_said_so_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def interrupt(done: int, total: int, message: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial("maps2", patients_per_arm=8, out=folder, progress=interrupt)
    assert load_run(folder).status["state"] == "interrupted"
    with pytest.raises(RunFolderError, match="not finished"):
        remake_report(folder)
    run = run_trial("maps2", patients_per_arm=8, out=folder)
    assert (run.status["state"], run.kept) == ("finished", 8)


def test_a_failure_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no luck")

    monkeypatch.setattr("mesotrial.analysis.summarise", fail)
    with pytest.raises(RuntimeError):
        run_trial("maps2", patients_per_arm=8, out=tmp_path / "run")
    status = load_run(tmp_path / "run").status
    assert (status["state"], status["message"]) == ("failed", "no luck")


def test_folders_are_named_by_what_differs(command: Any) -> None:
    from mesotrial.run.work import _default_folder

    assert _default_folder("maps2", None, 1, "fitted") == Path("runs/maps2")
    assert _default_folder("maps2", 8, 3, "typical") == Path("runs/maps2-n8-seed3-typical")
    assert _default_folder("../a b", None, 1, "fitted") == Path("runs/a-b")


def test_a_trial_that_nobody_ran_shows_what_was_simulated(command: Any) -> None:
    example = Path(__file__).parents[2] / "examples" / "relapsed_what_if.yaml"
    result = command("run", str(example), "--patients-per-arm", "4")
    assert result.code == 0, result.err
    assert "OS, median months" in result.out and "Nothing was published" in result.out
