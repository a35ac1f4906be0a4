"""Tables as documents: RTF (one file a table, landscape) and one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.files import write_whole

if TYPE_CHECKING:
    from mesotrial.export.about import About
    from mesotrial.export.result_tables import ResultTable

__all__ = ["html_page", "rtf_document", "write_documents"]

_PAGE, _MARGIN = (15840, 12240), 1080  # twentieths of a point: 11 x 8.5 inches
_WIDTH = _PAGE[0] - 2 * _MARGIN
_FIRST = 0.34  # share of the width for the names of the rows
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0 .5rem}caption{text-align:left;font-weight:600;font-size:1.15rem}"
    "th,td{padding:.3rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid #d5d5d5}thead th{border-bottom:2px solid #1a1a1a}"
    "tbody th{font-weight:400}tbody th[colspan]{font-weight:600}.inner{padding-left:1.8rem}p.note{color:#444;margin:0 0 2rem}"
)


def write_documents(folder: Path, tables: Sequence[ResultTable], about: About, context: str) -> Iterator[Path]:
    """Write `<table>.rtf` for each table, and `tables.html` with all of them; `context` says what the numbers are for."""
    for table in tables:
        yield _whole(folder / f"{table.name}.rtf", rtf_document(table, about, context), "ascii")
    yield _whole(folder / "tables.html", html_page(tables, about, context), "utf-8")


def rtf_document(table: ResultTable, about: About, context: str) -> str:
    """Return a table as an RTF document (Microsoft, RTF Specification 1.9.1), whose header rows repeat on every page."""
    first = int(_WIDTH * _FIRST)
    step = (_WIDTH - first) / max(1, len(table.columns))
    edges = [first, *(first + round(step * (place + 1)) for place in range(len(table.columns)))]
    lines = [
        r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}}",
        rf"\paperw{_PAGE[0]}\paperh{_PAGE[1]}\landscape\margl{_MARGIN}\margr{_MARGIN}\margt{_MARGIN}\margb{_MARGIN}\f0\fs18",
        rf"{{\pard\sb0\sa120\b\fs22 {_rtf(table.title)}\par}}",
        _row(["", *table.columns], edges, bold=True, header=True),
        *(
            _row([name, *cells], edges) if cells or not table.columns else _row([name], [edges[-1]], bold=True)
            for name, cells in table.rows
        ),
        *([] if table.rows else [_row(["None"], [edges[-1]])]),
    ]
    for text in (table.note, about.line + ".", context):
        lines.append(rf"{{\pard\sb60\fs16 {_rtf(text)}\par}}")
    return "\n".join([*lines, "}", ""])


def html_page(tables: Sequence[ResultTable], about: About, context: str) -> str:
    """Return one page with every table; no script, nothing fetched."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(about.title)}: tables</title>\n<style>{_STYLE}</style>',
        f"</head>\n<body>\n<h1>{escape(about.title)}</h1>\n<p>{escape(about.line)}.</p>\n<p><strong>{escape(context)}</strong></p>",
    ]
    for table in tables:
        heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
        parts.append(
            f"<table>\n<caption>{escape(table.title)}</caption>\n<thead><tr><td></td>{heads}</tr></thead>\n<tbody>"
        )
        for name, cells in table.rows:
            inner = ' class="inner"' if name.startswith(" ") else ""
            if cells:
                body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
                parts.append(f'<tr><th scope="row"{inner}>{escape(name.strip())}</th>{body}</tr>')
            else:
                parts.append(f'<tr><th colspan="{len(table.columns) + 1}" scope="rowgroup">{escape(name)}</th></tr>')
        if not table.rows:
            parts.append(f'<tr><td colspan="{len(table.columns) + 1}">None</td></tr>')
        parts.append(f'</tbody>\n</table>\n<p class="note">{escape(table.note)}</p>')
    return "\n".join([*parts, "</body>\n</html>", ""])


def _row(cells: Sequence[str], edges: Sequence[int], *, bold: bool = False, header: bool = False) -> str:
    border = r"\clbrdrb\brdrs\brdrw10" if header else ""
    defined = "".join(rf"{border}\cellx{edge}" for edge in edges)
    weight = r"\b " if bold else r"\b0 "
    shown = "".join(
        rf"\pard\intbl\{'ql' if place == 0 else 'qc'}\li{_indent(cell)}{weight}{_rtf(cell.strip())}\cell"
        for place, cell in enumerate(cells)
    )
    return rf"{{\trowd\trgaph70{chr(92)}trkeep{chr(92) + 'trhdr' if header else ''}{defined}{shown}\row}}"


def _indent(text: str) -> int:
    return 240 if text.startswith(" ") else 0


def _rtf(text: str) -> str:
    """Escape a text: RTF is ASCII, other characters are written by number, each UTF-16 unit as a signed 16-bit one."""
    out = []
    for sign in text:
        if sign in "\\{}":
            out.append("\\" + sign)
        elif " " <= sign <= "~":
            out.append(sign)
        else:
            units = sign.encode("utf-16-le")
            for place in range(0, len(units), 2):
                out.append(rf"\u{int.from_bytes(units[place : place + 2], 'little', signed=True)}?")
    return "".join(out)


def _whole(path: Path, text: str, encoding: str) -> Path:
    write: Any = lambda file: file.write_text(text, encoding=encoding, newline="\n")  # noqa: E731
    write_whole(path, write)
    return path
