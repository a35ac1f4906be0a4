"""Where the catalogue's own files are, and how a file's text is read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from mesotrial.catalogue._yaml import Document, read_yaml
from mesotrial.catalogue.errors import CatalogueError, DataError

__all__ = ["DATA", "packaged", "packaged_names", "read_text"]

DATA = Path(__file__).parent / "data"
Kind = Literal["designs", "drugs"]


@cache
def packaged_names(kind: Kind) -> tuple[str, ...]:
    """Give the names of the catalogue's designs or drugs: those of the files."""
    return tuple(sorted(path.stem for path in (DATA / kind).glob("*.yaml")))


@cache
def packaged(kind: Kind, name: str) -> tuple[Document, str]:
    """Read one of the catalogue's own YAML files: the document and its text."""
    path = DATA / kind / f"{name}.yaml"
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
