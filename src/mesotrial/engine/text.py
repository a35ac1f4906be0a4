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


def read_source(source: str | Path) -> str:
    """Return SBML for a path (.xml, .sbml or .ant) or for model text, which may be SBML or Antimony."""
    folder = None
    if isinstance(source, Path) or ("\n" not in source and source.endswith((".xml", ".sbml", ".ant"))):
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ModelError(f"The model file {path} cannot be read: {error.strerror}") from error
        folder = path.parent
    else:
        text = source
    return to_sbml(text, folder=folder)


def to_sbml(text: str, *, folder: Path | None = None) -> str:
    """Return SBML for model text, which may be SBML or Antimony; `folder` as in `antimony_to_sbml`."""
    return text if text.lstrip().startswith("<") else antimony_to_sbml(text, folder=folder)
