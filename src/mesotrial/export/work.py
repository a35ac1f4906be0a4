"""The export of a run: one folder a format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from mesotrial.export.about import about_run
from mesotrial.run import RequestError, load_run

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.run import Run

__all__ = ["FORMATS", "Export", "Format", "export_run"]

Format = Literal["adam", "xpt", "dataset-json", "simtrial", "rtf"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class Export:
    """What was written: the folder, its files, and the arm that others are compared with (formats simtrial and rtf)."""

    folder: Path
    files: tuple[Path, ...]
    control: str


def export_run(
    run: Run | str | Path,
    form: Format,
    *,
    out: str | Path | None = None,
    bank: bool = False,
    control: str | None = None,
) -> Export:
    """Write a finished run in the format of other programs and return what was written.

    ``adam``
        CSV files, one a table, and `columns.csv` (labels, units, codes). The run's own Parquet files hold the same.
    ``xpt``
        SAS transport files, version 5, and define.xml 2.1.
    ``dataset-json``
        CDISC Dataset-JSON 1.1, and define.xml 2.1.
    ``simtrial``
        Times to event with the seven columns of R's simtrial; `enroll_rate` and `fail_rate` of gsDesign2.
    ``rtf``
        Tables of baseline, response, survival and toxicity, as RTF and as one HTML page.

    `out` is by default the folder ``export/<format>`` in the run. `bank` takes the larger group behind the intervals instead of the trial's own
    patients. `control` names the arm that others are compared with; by default the published comparator, else the first arm.

    Raises
    ------
    RunFolderError
        The folder is no finished run.
    RequestError
        An unknown format or arm, or a place that cannot be written to.

    """
    if form not in FORMATS:
        raise RequestError(f"no format is called {form!r}; known: {', '.join(FORMATS)}")
    if isinstance(run, str | Path):
        run = load_run(run)
    if (state := run.status.get("state")) != "finished":
        raise RequestError(f"the run in {run.path} is {state}, not finished; run it again first")
    reference = _control(run, control)
    folder = Path(out) if out is not None else run.path / "export" / form
    tables = run.bank if bank else run.tables
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = tuple(_write(run, form, folder, tables, bank, reference))
    except FileExistsError:
        raise RequestError(f"{folder} is a file; give the name of a folder (--out)") from None
    except (PermissionError, NotADirectoryError) as error:
        raise RequestError(f"cannot write to {folder}: {error.strerror}") from None
    return Export(folder, files, reference)


def _write(
    run: Run, form: Format, folder: Path, tables: Mapping[str, pl.DataFrame], bank: bool, control: str
) -> Iterator[Path]:
    from mesotrial.export.datasets import datasets
    from mesotrial.export.write_datasets import write_adam, write_dataset_json, write_xpt

    about = about_run(run, bank=bank)
    if form == "simtrial":
        from mesotrial.export.simtrial import write_simtrial

        patients = sum(run.summary["patients_per_arm"].values())
        return write_simtrial(folder, run.design, tables, control, patients)
    if form == "rtf":
        from mesotrial.export.documents import write_documents
        from mesotrial.export.result_tables import result_tables
        from mesotrial.report import CONTEXT_OF_USE

        return write_documents(folder, result_tables(run.design, tables, control), about, CONTEXT_OF_USE)
    writers = {"adam": write_adam, "xpt": write_xpt, "dataset-json": write_dataset_json}
    return writers[form](folder, datasets(tables), about)


def _control(run: Run, asked: str | None) -> str:
    names = [arm.name for arm in run.design.arms]
    if asked is None:
        rows = run.summary["endpoints"]
        return next((row["comparator"] for row in rows if row["comparator"] in names), names[0])
    if asked not in names:
        raise RequestError(f"no arm is called {asked!r}; the arms of this run: {', '.join(names)}")
    return asked
