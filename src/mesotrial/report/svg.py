"""Matplotlib figures as small inline SVG whose colours follow the page: light, dark or print.

Figures are drawn with the marker colours of `THEME`; in the SVG each becomes a CSS variable that the page's style sheet sets.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ARMS", "GRID", "INK", "LEGEND_LINE", "MUTED", "PAPER", "PATIENTS", "RESPONSES", "THEME", "WIDTH", "arm_colour", "arm_dashes",
    "drawing", "figure", "heading", "inline_svg", "legend_line", "light_colours", "months_axis", "plain_axes", "stand_alone",
]  # fmt: skip

WIDTH = 384.0  # points: a figure is this wide in its own units, whatever its width on the page

LEGEND_LINE = 14.5  # points from one line of a legend to the next

_LONGEST_HEADING = 50  # letters of a heading or a legend that fit

INK, MUTED, GRID, PAPER = "#010100", "#010101", "#010102", "#010103"
ARMS = ("#010200", "#010201", "#010202", "#010203")
RESPONSES: Mapping[str, str] = {"CR": "#010300", "PR": "#010301", "SD": "#010302", "PD": "#010303", "NE": "#010304"}
PATIENTS = ("#010400", "#010401", "#010402", "#010403")

THEME: Mapping[str, str] = {
    INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper",
    **{colour: f"arm-{i}" for i, colour in enumerate(ARMS)},
    **{colour: name.lower() for name, colour in RESPONSES.items()},
    **{colour: f"patient-{i}" for i, colour in enumerate(PATIENTS)},
}  # fmt: skip

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mesotrial",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "axes.unicode_minus": True,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Give Matplotlib the report's style while figures are drawn."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def figure(height: float) -> Figure:
    """Return an empty figure of the usual width, `height` points tall, with the word SIMULATED across it."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(WIDTH / 72, height / 72))
    FigureCanvasSVG(drawn)
    mark: dict[str, Any] = {
        "fontsize": 36,
        "color": MUTED,
        "alpha": 0.11,
        "ha": "center",
        "va": "center",
        "rotation": 18,
        "weight": "bold",
    }
    drawn.text(0.55, 0.58, "SIMULATED", zorder=-1, **mark)
    return drawn


def plain_axes(drawn: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes whose edges lie the given points away from the figure's edges, with a light horizontal grid."""
    width, height = drawn.get_size_inches() * 72
    axes = drawn.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(length=3, pad=3)
    return axes


def months_axis(axes: Axes, *, labelled: bool = True) -> None:
    """Make the x axis one of whole months; a panel above another goes unlabelled."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 3, 6, 10]))
    axes.tick_params(labelbottom=labelled)
    if labelled:
        axes.set_xlabel("Months since randomisation")


def heading(drawn: Figure, text: str, colour: str = INK) -> None:
    """Write the figure's heading at its top left, cut where it would not fit."""
    height = drawn.get_size_inches()[1] * 72
    drawn.text(
        4 / WIDTH,
        1 - 13 / height,
        _cut(text, _LONGEST_HEADING),
        weight="bold",
        fontsize=11.5,
        va="center",
        color=colour,
    )


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


def legend_line(
    axes: Axes, place: int, arms: int, label: str, n: int, tall: float, left: float, *, line: int | None = None
) -> None:
    """Name the arm at `place`, with its `n` patients, above axes `tall` points high, after a piece of its line; on the legend's `line` (by default its place)
    of `arms`.
    """
    from matplotlib.lines import Line2D

    right, count = 14.0, f" (n = {n})"
    text = _cut(label, _LONGEST_HEADING - len(count)) + count

    across = WIDTH - left - right
    y = 1 + (8 + (arms - 1 - (place if line is None else line)) * LEGEND_LINE) / tall
    look: dict[str, Any] = {"color": arm_colour(place), "linewidth": 1.9, "linestyle": arm_dashes(place)}
    axes.add_line(Line2D([0, 26 / across], [y, y], transform=axes.transAxes, clip_on=False, **look))
    axes.text(32 / across, y, text, transform=axes.transAxes, va="center")


def arm_colour(place: int) -> str:
    """Return the colour of the arm at `place` in the design."""
    return ARMS[place % len(ARMS)]


def arm_dashes(place: int) -> tuple[int, Sequence[float]]:
    """Return the line style of the arm at `place`: arms can be told apart without colour."""
    return (0, ((), (6, 1.6), (2, 1.2), (6, 1.4, 1.2, 1.4))[place % 4])


def inline_svg(drawn: Figure, name: str, title: str) -> str:
    """Return the figure as an `<svg>` element for a page: no prologue, unique ids starting with `name`, labelled `title`, page colours."""
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    drawn.canvas.print_figure(buffer, format="svg", metadata=nothing, facecolor="none")
    return _tidy(buffer.getvalue().decode(), name, title)


_DRAWN = re.compile(r'<svg role="img" aria-label="([^"]*)" (viewBox="0 0 ([0-9.]+) ([0-9.]+)")>(.*)</svg>', re.DOTALL)
_VARIABLE = re.compile(r"var\(--([a-z0-9-]+)\)")
_SCALE = 2  # a figure is 384 points wide in its own units


def stand_alone(svg: str, colours: Mapping[str, str] | None = None) -> str:
    """Return an element of `inline_svg` as a file that any program can open: colours written out, those of the light page or `colours` by name."""
    known = {**light_colours(), **(colours or {})}

    def written(found: re.Match[str]) -> str:
        return _VARIABLE.sub(written, known[found[1]]) if found[1] in known else "#000000"

    drawn = _DRAWN.fullmatch(svg.strip())
    if drawn is None:
        raise ValueError("this is no figure of a page")
    label, box, wide, tall, content = drawn.groups()
    size = f'width="{_SCALE * float(wide):g}" height="{_SCALE * float(tall):g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}" {box} {size}>'
    paper = f'<rect width="{wide}" height="{tall}" fill="{known["paper"]}"/>'
    return f"{head}{paper}{_VARIABLE.sub(written, content)}</svg>\n"


@cache
def light_colours() -> Mapping[str, str]:
    """Return the colours of the light page by name, from the first rule of its style sheet, and a face that every program has."""
    style = (files("mesotrial.report") / "page.css").read_text(encoding="utf-8")
    rule = style[style.index("{") + 1 : style.index("}")]
    return {**dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", rule)), "face": "Helvetica, Arial, sans-serif"}


_ELEMENT = re.compile(r"<svg[^>]*>")
_VIEW_BOX = re.compile(r'viewBox="([^"]*)"')
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r"(url\(#|href=\"#)([^)\"]*)")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_FAMILY = re.compile(r"(font: |font-family: )([^;\"]*?)'DejaVu Sans'[^;\"]*")
_UNWANTED = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", re.DOTALL)
_BREAK = re.compile(r"\s*\n\s*")
_CLUTTER = re.compile(r" (?=[LMCQz/]\b)| transform=\"rotate\(-0 [^)]*\)\"|(?<=>) (?=<)")
_COLOUR = re.compile("|".join(THEME))


def _tidy(text: str, name: str, title: str) -> str:
    from markupsafe import escape

    view_box = _VIEW_BOX.search(text)
    opening = _ELEMENT.search(text)
    assert view_box is not None, "matplotlib wrote no viewBox"
    assert opening is not None, "matplotlib wrote no svg element"
    body = text[opening.end() :]
    body = _UNWANTED.sub("", body)
    referred = {target for _, target in _REFERENCE.findall(body)}
    body = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in referred else "", body)
    body = _REFERENCE.sub(rf"\g<1>{name}-\g<2>", body).replace("xlink:href", "href")
    body = _LONG_NUMBER.sub(r"\1", body)
    body = _FAMILY.sub(lambda found: f"{found[1]}{found[2]}var(--face)", body)
    body = _COLOUR.sub(lambda found: f"var(--{THEME[found[0]]})", body)
    body = _CLUTTER.sub("", _BREAK.sub(" ", body))
    return f'<svg role="img" aria-label="{escape(title)}" viewBox="{view_box[1]}">{body.strip()}'
