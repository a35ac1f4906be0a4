"""The error that refuses a model, and the wording of an unknown name."""

from collections.abc import Iterable
from difflib import get_close_matches


class ModelError(ValueError):
    """A model or a name in it that the engine cannot use; the message names the symbol and the reason."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a `name` that is no `kind` of this model, with the nearest known names."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{name!r} is no {kind} of this model{hint}"
