"""The figures of a report as files of their own, with colours written out, so that any program can open them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from mesotrial.app.listing import slug

__all__ = ["figures_of"]

_FIGURE = re.compile(r'<svg role="img" aria-label="([^"]*)" (viewBox="0 0 ([0-9.]+) ([0-9.]+)")>(.*?)</svg>', re.DOTALL)
_VARIABLE = re.compile(r"var\(--([a-z0-9-]+)\)")
_SCALE = 2  # a figure is 384 points wide in its own units


def figures_of(report: str, arms: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Return each figure of a report's page: file name to (title, SVG in the colours of the light page).

    `arms` are the drugs of each arm, which decide the colours.
    """
    from html import unescape

    from mesotrial.report.colours import arm_places

    colours = dict(_light())
    for arm, place in enumerate(arm_places(arms)):
        colours[f"arm-{arm}"], colours[f"arm-{arm}-text"] = colours[f"c-{place}"], colours[f"c-{place}-text"]
    found = {}
    for label, box, wide, tall, content in _FIGURE.findall(report):
        size = f'width="{_SCALE * float(wide):g}" height="{_SCALE * float(tall):g}"'
        drawn = _VARIABLE.sub(lambda name: colours.get(name[1], "#000000"), content)
        paper = f'<rect width="{wide}" height="{tall}" fill="{colours["paper"]}"/>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}" {box} {size}>'
        found[f"{slug(unescape(label))}.svg"] = (unescape(label), f"{head}{paper}{drawn}</svg>\n")
    return found


@cache
def _light() -> dict[str, str]:
    """Return the colours of the light page, from the first rule of its style sheet."""
    style = (files("mesotrial.report") / "page.css").read_text(encoding="utf-8")
    rule = style[style.index("{") + 1 : style.index("}")]
    found = dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", rule))
    return found | {"face": "Helvetica, Arial, sans-serif"}
