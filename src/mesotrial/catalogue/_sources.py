"""Where the catalogue's own files are, and the user's beside them, and how a file's text is read.

The environment variable ``MESOTRIAL_CATALOGUE`` may name a folder with ``drugs/`` and ``designs/`` (YAML), ``mechanisms/`` (Antimony) and a
``translation.csv``; its entries come on top of the catalogue's, and in place of those of the same name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from mesotrial.catalogue._yaml import Document, read_yaml
from mesotrial.catalogue.errors import CatalogueError, DataError

__all__ = ["DATA", "OWN", "own_folder", "own_mechanisms", "packaged", "packaged_names", "read_text"]

DATA = Path(__file__).parent / "data"
OWN = "MESOTRIAL_CATALOGUE"
Kind = Literal["designs", "drugs"]


def own_folder() -> Path | None:
    """Give the user's own catalogue folder, None where there is none.

    Raises:
        CatalogueError: the environment variable names no folder.
    """
    named = os.environ.get(OWN)
    if not named:
        return None
    if not Path(named).is_dir():
        raise CatalogueError(f"{OWN} names {named}, which is not a folder; unset it, or make the folder")
    return Path(named)


def own_mechanisms() -> Mapping[str, str]:
    """Give the text of the user's own mechanisms (files ``mechanisms/NAME.ant``) by name."""
    folder = own_folder()
    if folder is None:
        return {}
    return {path.stem: read_text(path) for path in sorted((folder / "mechanisms").glob("*.ant"))}


def packaged_names(kind: Kind) -> tuple[str, ...]:
    """Give the names of the catalogue's designs or drugs: those of the files."""
    return _names(kind, own_folder())


def packaged(kind: Kind, name: str) -> tuple[Document, str]:
    """Read one of the catalogue's own YAML files: the document and its text."""
    return _packaged(kind, name, own_folder())


@cache
def _names(kind: Kind, own: Path | None) -> tuple[str, ...]:
    folders = [DATA / kind, *([own / kind] if own else [])]
    return tuple(sorted({path.stem for folder in folders for path in folder.glob("*.yaml")}))


@cache
def _packaged(kind: Kind, name: str, own: Path | None) -> tuple[Document, str]:
    path = DATA / kind / f"{name}.yaml"
    if own is not None and (own / kind / f"{name}.yaml").is_file():
        path = own / kind / f"{name}.yaml"
    text = read_text(path)
    return read_yaml(text, str(path)), text


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        CatalogueError: when there is no such file, or it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(str(path), None, "", f"is not text in UTF-8 (byte {error.start})") from None
    except FileNotFoundError:
        raise CatalogueError(f"there is no file {path}") from None
    except OSError as error:
        raise CatalogueError(f"cannot read {path}: {error.strerror}") from None
