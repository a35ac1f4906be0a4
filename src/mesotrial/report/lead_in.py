"""What comes before randomisation, in words: the treatment, and what became of those who began it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mesotrial.report.words import listed, percent

if TYPE_CHECKING:
    from mesotrial.catalogue import LeadIn

__all__ = ["lead_in_counts", "lead_in_words"]

_REQUIRED = {
    "none": "who is alive",
    "no_progression": "who has not progressed",
    "completed": "who has not progressed or come off treatment for side effects",
}
_LOST = {
    "died": "died",
    "progressed": "progressed",
    "came_off": "came off treatment for side effects",
    "failed": "could not be simulated to the end",
}


def lead_in_words(lead_in: LeadIn) -> str:
    """Say what is given before randomisation, for how long, and who is randomised after it."""
    given = [regimen.text for regimen in lead_in.regimens]
    choices = [
        f"{percent(choice.share)} {' + '.join(regimen.text for regimen in choice.regimens)}"
        for choice in lead_in.one_of
    ]
    treatment = " + ".join([*given, *([f"one of: {'; '.join(choices)}"] if choices else [])])
    return f"{lead_in.weeks:g} weeks before randomisation, {treatment}. Randomised is {_REQUIRED[lead_in.require]} by then."


def lead_in_counts(counts: Mapping[str, Any]) -> str:
    """Say what became of those who began the lead-in; `counts` are `LeadInCounts.to_dict`."""
    lost = [f"{counts[name]:,} {words}" for name, words in _LOST.items() if counts[name]]
    return (
        f"Of {counts['began']:,} people who began the lead-in, {listed(lost) if lost else 'nobody was lost'}; "
        f"{counts['fit']:,} ({percent(counts['share_fit'])}) could be randomised."
    )
