"""What a run keeps on disk: parts that survive, files that are damaged, disks that are full, and two who want one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mesotrial.catalogue import Design, load_design
from mesotrial.population import load_ensemble
from mesotrial.run import Run, RunBusyError, RunFolderError, load_run, remake_report, run_trial
from mesotrial.run.identity import identity_of
from mesotrial.run.lock import is_held, locked
from mesotrial.run.parts import PARTS, PartFiles
from mesotrial.trial import Model, Part, Trial, build_model, simulate, simulate_trial

N = 9


@pytest.fixture(scope="module")
def design() -> Design:
    return load_design("maps2")


@pytest.fixture(scope="module")
def model(design: Design) -> Model:
    return build_model(design, load_ensemble())


@pytest.fixture(scope="module")
def identity(design: Design) -> dict[str, Any]:
    return identity_of(design, patients_per_arm=N, seed=1, population="fitted")


@pytest.fixture(scope="module")
def whole(design: Design, model: Model) -> Trial:
    return simulate_trial(design, patients_per_arm=N, model=model)


@pytest.fixture(autouse=True, scope="module")
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "CHUNK", 4)
        yield


@pytest.fixture(scope="module")
def kept(design: Design, model: Model, identity: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the parts of a run: 4, 4 and 1 patients of each arm."""
    folder = tmp_path_factory.mktemp("kept")
    simulate_trial(design, patients_per_arm=N, model=model, store=PartFiles(folder, identity))
    return folder


@pytest.fixture
def copied(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copied"))


def assert_same(one: Mapping[str, pl.DataFrame], other: Mapping[str, pl.DataFrame]) -> None:
    assert set(one) == set(other)
    for name, frame in one.items():
        assert_frame_equal(other[name], frame, check_exact=True)


def parts(folder: Path) -> list[Path]:
    return sorted((folder / PARTS).iterdir())


def test_parts_are_taken_up(design: Design, model: Model, whole: Trial, copied: Path, identity: dict[str, Any]) -> None:
    names = [path.name.rsplit("-", 1)[0] for path in parts(copied)]
    assert names == ["0-0-0-4", "0-0-4-8", "0-0-8-9", "0-1-0-4", "0-1-4-8", "0-1-8-9"]
    parts(copied)[1].unlink()
    again = simulate_trial(design, patients_per_arm=N, model=model, store=PartFiles(copied, identity))
    assert again.reused == 2 * N - 4
    assert_same(whole.tables, again.tables)
    assert again.status_counts == whole.status_counts


@pytest.mark.parametrize("change", [{"seed": 2}, {"model_hash": "x"}, {"program_hash": "x"}, {"population_hash": "x"}])
def test_parts_of_another_run_are_not(
    design: Design, model: Model, whole: Trial, copied: Path, identity: dict[str, Any], change: dict[str, Any]
) -> None:
    """Even under the same place in the folder: the name says what decided their content."""
    again = simulate_trial(design, patients_per_arm=N, model=model, store=PartFiles(copied, identity | change))
    assert again.reused == 0
    assert_same(whole.tables, again.tables)


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "another", "unreadable"])
def test_a_damaged_part_is_simulated_anew(
    design: Design, model: Model, whole: Trial, copied: Path, identity: dict[str, Any], damage: str
) -> None:
    victim, other = parts(copied)[0], parts(copied)[1]
    data = victim.read_bytes()
    changed = {
        "empty": b"",
        "truncated": data[: len(data) // 2],
        "flipped": data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
        "another": b"not a zip file" * 100,
        "unreadable": b"",
    }[damage]
    victim.write_bytes(changed)
    if damage == "unreadable":
        victim.unlink()
        victim.symlink_to(other.with_suffix(".gone"))
    again = simulate_trial(design, patients_per_arm=N, model=model, store=PartFiles(copied, identity))
    assert again.reused == 2 * N - 4
    assert_same(whole.tables, again.tables)
    assert victim.read_bytes() != changed


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_bytes_a_part_has_it_is_whole_or_not_there(kept: Path, data: st.DataObject) -> None:
    path = parts(kept)[0]
    good = path.read_bytes()
    store = _Named(kept, path.name)
    at = data.draw(st.integers(0, len(good) - 1) | st.integers(len(good) - 600, len(good) - 1))
    new = data.draw(st.binary(min_size=1, max_size=4))
    part = Part(0, 0, 0, pl.Series([0]).to_numpy())
    expected = store.load(part)
    assert expected is not None
    try:
        path.write_bytes(good[:at] + new + good[at + len(new) :])
        found = store.load(part)
    finally:
        path.write_bytes(good)
    if found is not None:
        assert_same(expected, found)


class _Named(PartFiles):
    """A store whose parts all have one name, to look at a file alone."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._one, self._used = folder / PARTS, name, set()

    def _name(self, part: object) -> str:
        return self._one


def test_an_extended_arm_keeps_its_parts(design: Design, model: Model, copied: Path, identity: dict[str, Any]) -> None:
    before = {path.name: path.read_bytes() for path in parts(copied)}
    larger = simulate_trial(design, patients_per_arm=14, model=model, store=PartFiles(copied, identity))
    at_once = simulate_trial(design, patients_per_arm=14, model=model)
    assert larger.reused == 2 * N
    assert_same(at_once.tables, larger.tables)
    after = {path.name: path.read_bytes() for path in parts(copied)}
    assert before.items() <= after.items() and len(after) == len(before) + 4


def test_a_part_is_a_zip_file_of_parquet_files(kept: Path) -> None:
    with zipfile.ZipFile(parts(kept)[0]) as file:
        assert file.testzip() is None
        assert pl.read_parquet(file.read("adsl.parquet")).height == 4


# The whole folder


def test_a_run_is_extended_and_not_shrunk(tmp_path: Path) -> None:
    small = run_trial("maps2", patients_per_arm=6, out=tmp_path / "run")
    assert (small.reused, small.kept) == (False, 0)
    large = run_trial("maps2", patients_per_arm=N, out=tmp_path / "run")
    assert (large.reused, large.kept, large.status["total"]) == (False, 12, 2 * N)
    at_once = run_trial("maps2", patients_per_arm=N, out=tmp_path / "at once")
    assert_same(at_once.tables, large.tables)
    for name in ("summary.json", "adsl.parquet", "adtte.parquet", "design.yaml"):
        assert (large.path / name).read_bytes() == (at_once.path / name).read_bytes()
    with pytest.raises(RunFolderError, match="patients per arm: 9 there, 6 asked for"):
        run_trial("maps2", patients_per_arm=6, out=tmp_path / "run")
    assert run_trial("maps2", patients_per_arm=N, out=tmp_path / "run").reused


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("name", ["status.json", "summary.json"])
def test_a_full_disk_loses_nothing_that_was_finished(tmp_path: Path, name: str) -> None:
    """The system itself says that there is no space: the file's draft is a link to the device that is always full."""
    folder = tmp_path / "run"

    def fill(done: int, total: int, message: str) -> None:
        draft = folder / f".{name}.{os.getpid()}.tmp"
        if done == total and not draft.is_symlink():
            draft.symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left on device. What was finished is kept"):
        run_trial("maps2", patients_per_arm=5, out=folder, progress=fill)
    run = load_run(folder)
    assert run.status["state"] == "failed" and "No space left" in run.status["message"]
    with pytest.raises(RunFolderError, match="not finished"):
        remake_report(folder)
    assert run_trial("maps2", patients_per_arm=5, out=folder).kept == 10


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """As a quota: a part cannot be written."""
    resource = pytest.importorskip("resource")
    folder = tmp_path / "run"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(done: int, total: int, message: str) -> None:
        if done:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))

    try:
        with pytest.raises(OSError, match="File too large. What was finished is kept"):
            run_trial("maps2", patients_per_arm=5, out=folder, progress=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_run(folder).status["state"] == "failed"
    assert len(parts(folder)) == 1
    assert run_trial("maps2", patients_per_arm=5, out=folder).kept == 4


def test_a_folder_that_is_worked_on_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked(folder):
        assert is_held(folder)
        with pytest.raises(RunBusyError, match=f"is being worked on by process {os.getpid()}, since 20"):
            run_trial("maps2", patients_per_arm=4, out=folder)
    assert not is_held(folder) and not list(folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="a process is killed as POSIX does")
def test_the_lock_of_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mesotrial.run.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert is_held(tmp_path)
        with pytest.raises(RunBusyError, match=f"process {process.pid}"), locked(tmp_path):
            pass
        process.kill()
    assert (tmp_path / ".lock").exists() and not is_held(tmp_path)
    with locked(tmp_path):
        assert is_held(tmp_path)
    assert not (tmp_path / ".lock").exists()


def test_a_run_whose_process_is_gone_is_interrupted_and_tidied(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code = f"""
import os
from mesotrial.run import run_trial
run_trial("maps2", patients_per_arm=4, out={str(folder)!r}, progress=lambda done, total, message: os._exit(9) if done == total else None)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    (folder / ".adsl.parquet.4711.tmp").write_bytes(b"half a table")
    status = load_run(folder).status
    assert status["state"] == "interrupted" and "goes on from there" in status["message"]
    run = run_trial("maps2", patients_per_arm=4, out=folder)
    assert isinstance(run, Run) and run.kept == 8
    assert not list(folder.rglob(".*"))
