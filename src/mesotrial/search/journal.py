"""The folder of a search: what was asked for, a line for each candidate as it is finished, and the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mesotrial.run import RunFolderError
from mesotrial.run.files import read_json, write_json

__all__ = ["Candidate", "Journal"]

SCHEMA = "mesotrial/search/1"
_REQUEST, _LINES = "search.json", "journal.jsonl"
_RESULT = "result.json"


@dataclass(frozen=True)
class Candidate:
    """One choice of values: its benefit and cost, or why it makes no design."""

    choice: Mapping[str, Any]
    benefit: float | None
    cost: float | None
    refused: str = ""


class Journal:
    """The candidates of a search, in memory and in its folder."""

    def __init__(self, folder: Path, request: Mapping[str, Any]) -> None:
        """Open or begin the search `request` in `folder`.

        Raises `RunFolderError` where the folder holds another search, or files that are no search.
        """
        self.folder = folder
        self.candidates: list[Candidate] = []
        if folder.exists() and not folder.is_dir():
            raise RunFolderError(f"{folder} is a file; give the name of a folder")
        held = read_json(folder / _REQUEST)
        if held is None and folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise RunFolderError(
                f"{folder} holds files that are no search. Nothing was changed. Give another folder (--out)"
            )
        if held is not None:
            different = [key for key in request if held.get(key) != request[key]]
            if different:
                words = ", ".join(f"{key.removesuffix('_hash')}" for key in different)
                raise RunFolderError(
                    f"{folder} holds another search (different {words}). Nothing was changed. Give another folder (--out), or move this one away"
                )
            self._read()
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / _REQUEST, request)
        except OSError as error:
            raise RunFolderError(f"cannot write to {folder}: {error.strerror}") from None

    def add(self, candidate: Candidate) -> None:
        """Keep a candidate, on disk at once."""
        self.candidates.append(candidate)
        with (self.folder / _LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(candidate), allow_nan=False) + "\n")

    def finish(self, result: Mapping[str, Any]) -> Path:
        """Write the result and return its path."""
        path = self.folder / _RESULT
        write_json(path, {"schema": SCHEMA, **result})
        return path

    def _read(self) -> None:
        """Read the finished candidates; a last line cut short by a crash is dropped."""
        path = self.folder / _LINES
        whole = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                self.candidates.append(Candidate(**json.loads(line)))
            except (ValueError, TypeError):
                break
            whole.append(line + "\n")
        if path.is_file():
            path.write_text("".join(whole), encoding="utf-8")
