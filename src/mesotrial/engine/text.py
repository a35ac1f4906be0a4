"""Model text: Antimony to SBML, and libsbml's check of the units."""

import threading
from pathlib import Path

from mesotrial.engine.errors import ModelError

# libAntimony keeps the loaded modules in process-wide state.
_ANTIMONY = threading.Lock()


def antimony_to_sbml(text: str, *, folder: Path | None = None) -> str:
    """Translate Antimony `text` into SBML (Level 3 Version 2).

    `folder` is where `import "file"` statements are looked up. Of several modules the last is the model.

    Raises:
        ModelError: with Antimony's message, which names the line.
    """
    import antimony

    with _ANTIMONY:
        antimony.clearPreviousLoads()
        antimony.clearDirectories()
        if folder is not None:
            antimony.addDirectory(str(folder))
        try:
            if antimony.loadAntimonyString(text) < 0:
                raise ModelError(f"Antimony cannot read the model. {str(antimony.getLastError()).strip()}")
            sbml: str = antimony.getSBMLString(antimony.getMainModuleName())
        except UnicodeError:
            raise ModelError(
                "Antimony cannot read the model: it has characters other than ASCII outside of texts"
            ) from None
        antimony.clearPreviousLoads()
        return sbml


def unit_warnings(sbml: str) -> list[str]:
    """Return every warning and error of libsbml's consistency checks, units included, one line each."""
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, True)
    document.checkConsistency()
    found = [document.getError(i) for i in range(document.getNumErrors())]
    return [f"line {e.getLine()}: {e.getSeverityAsString()}: {' '.join(e.getMessage().split())}" for e in found]


def model_path(source: str | Path) -> Path | None:
    """Return the path (.xml, .sbml or .ant) that `source` is, or None where it is model text."""
    is_path = isinstance(source, Path) or ("\n" not in source and source.endswith((".xml", ".sbml", ".ant")))
    return Path(source) if is_path else None


def read_text(path: Path) -> str:
    """Return the text of a model file.

    Raises:
        ModelError: there is no such file, or it is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ModelError(f"The model file {path} cannot be read: it is no text in UTF-8") from None


def to_sbml(text: str, *, folder: Path | None = None) -> str:
    """Return SBML for model text, which may be SBML or Antimony; `folder` as in `antimony_to_sbml`."""
    if not text.strip():
        raise ModelError("The model is empty: write it in SBML or Antimony")
    return text if text.lstrip().startswith("<") else antimony_to_sbml(text, folder=folder)
