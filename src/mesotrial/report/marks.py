"""Small drawings made by hand: an interval on a scale, for a cell of a table, and one hundred people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mesotrial.analysis import codes

__all__ = ["interval_mark", "one_hundred"]

_WIDE, _TALL = 132.0, 26.0
_EDGE = 6.0
_LOWEST_RATIO, _HIGHEST_RATIO = 0.25, 4.0


def interval_mark(row: Mapping[str, Any], longest_months: float, colour: str) -> str:
    """Return a row's simulated value and interval (above) and the published ones (below) on one scale, as SVG hidden from screen readers.

    Rates lie between 0 and 100 %, medians between 0 and `longest_months`, hazard ratios between 1/4 and 4 on a log scale. The numbers
    stand in the cells beside it.
    """
    code = row["code"]

    def across(value: float) -> float:
        if codes.is_hazard_ratio(code):
            share = math.log(max(value, _LOWEST_RATIO) / _LOWEST_RATIO) / math.log(_HIGHEST_RATIO / _LOWEST_RATIO)
        else:
            share = value / (longest_months if codes.is_median(code) else 1.0)
        return round(_EDGE + (_WIDE - 2 * _EDGE) * min(max(share, 0.0), 1.0), 1)

    middle = (
        '<line x1="{0}" x2="{0}" y1="2" y2="24" class="scale"/>'.format(across(1.0))
        if codes.is_hazard_ratio(code)
        else ""
    )
    parts = [f'<line x1="{_EDGE}" x2="{_WIDE - _EDGE}" y1="13" y2="13" class="scale"/>{middle}']
    if row["lo90"] is not None:
        end = across(row["hi90"]) if row["hi90"] is not None else _WIDE
        parts.append(
            f'<line x1="{across(row["lo90"])}" x2="{end}" y1="8" y2="8" class="band" style="stroke: var(--{colour})"/>'
        )
    if row["simulated"] is not None:
        parts.append(f'<circle cx="{across(row["simulated"])}" cy="8" r="3.6" style="fill: var(--{colour})"/>')
    if row["published_lo"] is not None and row["published_hi"] is not None:
        ends = across(row["published_lo"]), across(row["published_hi"])
        parts.append(f'<line x1="{ends[0]}" x2="{ends[1]}" y1="19" y2="19" class="published"/>')
    if row["published"] is not None:
        x = across(row["published"])
        parts.append(f'<path d="M{x} 14.6L{x + 4.4:.1f} 19L{x} 23.4L{x - 4.4:.1f} 19Z" class="diamond"/>')
    return f'<svg class="mark" viewBox="0 0 {_WIDE:g} {_TALL:g}" aria-hidden="true">{"".join(parts)}</svg>'


def one_hundred(count: int, colour: str, label: str, *, perhaps: int = 0) -> str:
    """Return ten rows of ten people, `count` of them filled from the top and then `perhaps` in half, as SVG labelled `label`."""
    people = "".join(
        f'<circle cx="{8 + 16 * (i % 10)}" cy="{8 + 16 * (i // 10)}" r="6.2" class="{kind}"/>'
        for i, kind in enumerate(["full"] * count + ["perhaps"] * perhaps + ["empty"] * (100 - count - perhaps))
    )
    return f'<svg class="people" role="img" aria-label="{label}" viewBox="0 0 160 160" style="--fill: var(--{colour})">{people}</svg>'
