"""The figures of a report as files of their own, with colours written out, so that any program can open them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesotrial.app.listing import slug

__all__ = ["figures_of"]

_FIGURE = re.compile(r'<svg role="img" aria-label="([^"]*)" .*?</svg>', re.DOTALL)


def figures_of(report: str, arms: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Return each figure of a report's page: file name to (title, SVG in the colours of the light page).

    `arms` are the drugs of each arm, which decide the colours.
    """
    from html import unescape

    from mesotrial.report.colours import arm_places
    from mesotrial.report.svg import light_colours, stand_alone

    light, colours = light_colours(), {}
    for arm, place in enumerate(arm_places(arms)):
        colours[f"arm-{arm}"], colours[f"arm-{arm}-text"] = light[f"c-{place}"], light[f"c-{place}-text"]
    found = {}
    for drawn in _FIGURE.finditer(report):
        title = unescape(drawn[1])
        found[f"{slug(title)}.svg"] = title, stand_alone(drawn[0], colours)
    return found
