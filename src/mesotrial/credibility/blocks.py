"""A page as a list of blocks, and the same page as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

__all__ = ["FIGURES", "Block", "Figure", "Heading", "Items", "Table", "Text", "to_html", "to_markdown"]


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; every cell is text. Columns from `numbers_from` on are aligned right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers_from: int = 1


@dataclass(frozen=True)
class Figure:
    """An inline SVG; Markdown, which has none, shows the file `figures/NAME.svg`."""

    svg: str
    caption: str
    name: str


FIGURES = "figures"  # the folder beside a Markdown page

Block = Heading | Text | Items | Table | Figure


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Return the page as Markdown."""
    parts = [f"# {title}"]
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Text(text):
                parts.append(text)
            case Items(items):
                parts.append("\n".join(f"- {item}" for item in items))
            case Figure(_, caption, name):
                parts.append(f"![{caption}]({FIGURES}/{name}.svg)\n\n*{caption}*")
            case Table(columns, rows, first):
                marks = ["---" if place < first else "---:" for place in range(len(columns))]
                lines = [columns, marks, *rows]
                parts.append(
                    "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
                )
    return "\n\n".join(parts) + "\n"


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Return the page as one self-contained HTML file, in the style of a run's report."""
    style = (files("mesotrial.report") / "page.css").read_text(encoding="utf-8")
    body: list[str] = []
    opened = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            body.append(("</section>" if opened else "") + "<section>")
            opened = True
        body.append(_html(block))
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<meta name="color-scheme" content="light dark"/>\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}\n</style>\n</head>\n<body>\n<header><h1>{escape(title)}</h1></header>\n<main>\n"
        + "\n".join(body)
        + ("\n</section>" if opened else "")
        + "\n</main>\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Items(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Figure(svg, caption, _):
            return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        case Table(columns, rows, first):
            head = "".join(f'<th scope="col"{_side(i, first)}>{escape(name)}</th>' for i, name in enumerate(columns))
            lines = "".join(
                "<tr>" + "".join(f"<td{_side(i, first)}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
                for row in rows
            )
            return (
                '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table><thead><tr>'
                f"{head}</tr></thead><tbody>{lines}</tbody></table></div>"
            )


def _side(place: int, first: int) -> str:
    return ' class="n"' if place >= first else ""
