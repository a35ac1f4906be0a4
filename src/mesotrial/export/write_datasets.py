"""Datasets as files: CSV with a list of columns, SAS transport files (version 5), Dataset-JSON 1.1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.export.datasets import Dataset, fit_for_transport
from mesotrial.export.define import define_xml
from mesotrial.run.files import write_whole

if TYPE_CHECKING:
    from mesotrial.export.about import About

__all__ = ["write_adam", "write_dataset_json", "write_xpt"]

_KINDS = {"text": "string", "integer": "integer", "number": "double"}


def write_adam(folder: Path, data: Sequence[Dataset], about: About) -> Iterator[Path]:
    """Write one CSV file a dataset (missing values are empty), and `columns.csv` with every column's label, unit, codes and note."""
    import polars as pl

    for dataset in data:
        yield _whole(folder / f"{dataset.name.lower()}.csv", dataset.frame.write_csv)
    rows = [
        {
            "dataset": dataset.name,
            "column": variable.name,
            "type": variable.kind,
            "label": variable.label,
            "unit": variable.unit,
            "codes": "; ".join(code if code == word else f"{code} = {word}" for code, word in variable.codes.items()),
            "note": variable.note,
        }
        for dataset in data
        for variable in dataset.variables
    ]
    yield _whole(folder / "columns.csv", pl.DataFrame(rows).write_csv)


def write_xpt(folder: Path, data: Sequence[Dataset], about: About) -> Iterator[Path]:
    """Write one SAS transport file (version 5) a dataset, and define.xml.

    What the format cannot hold is written as it can (`fit_for_transport`): ASCII only, texts of at most 200 bytes.
    """
    import pyreadstat

    fitted = [fit_for_transport(dataset) for dataset in data]
    for dataset in fitted:
        labels: dict[str, str | None] = {variable.name: variable.full_label for variable in dataset.variables}

        def write(file: Path, dataset: Dataset = dataset, labels: dict[str, str | None] = labels) -> None:
            pyreadstat.write_xport(
                dataset.frame,
                str(file),
                file_label=dataset.title[:40],
                column_labels=labels,
                table_name=dataset.name,
                file_format_version=5,
            )

        yield _whole(folder / f"{dataset.name.lower()}.xpt", write)
    yield _define(folder, fitted, about, "xpt")


def write_dataset_json(folder: Path, data: Sequence[Dataset], about: About) -> Iterator[Path]:
    """Write one Dataset-JSON 1.1 file a dataset, and define.xml (CDISC, Dataset-JSON Specification v1.1, 2024)."""
    for dataset in data:
        text = json.dumps(_json(dataset, about), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        yield _whole(folder / f"{dataset.name.lower()}.json", _writer(text))
    yield _define(folder, data, about, "json")


def _json(dataset: Dataset, about: About) -> dict[str, Any]:
    return {
        "datasetJSONCreationDateTime": about.written,
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"{about.study}.{dataset.name}",
        "dbLastModifiedDateTime": about.simulated,
        "originator": "mesotrial (simulated data)",
        "sourceSystem": {"name": "mesotrial", "version": about.version},
        "studyOID": about.study,
        "metaDataVersionOID": about.metadata,
        "metaDataRef": "define.xml",
        "itemGroupOID": f"IG.{dataset.name}",
        "records": dataset.frame.height,
        "name": dataset.name,
        "label": dataset.title,
        "columns": [_column(dataset, place) for place in range(len(dataset.variables))],
        "rows": [list(row) for row in dataset.frame.iter_rows()],
    }


def _column(dataset: Dataset, place: int) -> dict[str, Any]:
    variable = dataset.variables[place]
    column: dict[str, Any] = {
        "itemOID": f"IT.{dataset.name}.{variable.name}",
        "name": variable.name,
        "label": variable.full_label,
        "dataType": _KINDS[variable.kind],
    }
    if variable.kind == "text":
        column["length"] = dataset.text_length(variable.name)
    if variable.name in dataset.keys:
        column["keySequence"] = dataset.keys.index(variable.name) + 1
    return column


def _define(folder: Path, data: Sequence[Dataset], about: About, ending: str) -> Path:
    return _whole(folder / "define.xml", _writer(define_xml(data, about, ending)))


def _writer(text: str) -> Any:
    return lambda file: file.write_text(text, encoding="utf-8")


def _whole(path: Path, write: Any) -> Path:
    write_whole(path, write)
    return path
