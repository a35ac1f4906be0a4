"""Event tables as people mangle them: a table comes out or an error that names the row, and nothing hangs."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesotrial.engine import EventError, EventTable, read_events

TEXT = """\
ID,TIME,EVID,AMT,RATE,DUR,CMT,II,ADDL,SS
1,0,1,100,0,0.02,depot,14,5,0
1,7,0,.,.,.,.,.,.,.
2,0,1,50,10,.,2,7,3,1
2,30,3,0,0,0,0,0,0,0
2,31,4,25,0,0,central,0,0,0
"""
PIECES = (
    "",
    ",",
    "\n",
    ".",
    "-1",
    "0",
    "1e308",
    "nan",
    "inf",
    "1e9",
    "x",
    '"',
    "3.5",
    "99",
    "\t",
    "\x00",
    "é",
    "ADDL",
    "999999999",
)


@settings(max_examples=400, deadline=2000)
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 6), st.sampled_from(PIECES) | st.text(max_size=3)),
        min_size=1,
        max_size=4,
    )
)
@example([(TEXT.index("14,5"), 2, "0")])  # ADDL without II
def test_a_mangled_table_is_a_table_or_names_its_row(tmp_path_factory, changes):
    text = TEXT
    for at, cut, piece in changes:
        text = text[:at] + piece + text[at + cut :]
    file: Path = tmp_path_factory.getbasetemp() / "events.csv"
    file.write_text(text, encoding="utf-8", newline="", errors="replace")
    try:
        table = read_events(file, ("depot", "central"))
    except EventError as error:
        assert "ow" in str(error) or "columns" in str(error)
    else:
        assert isinstance(table, EventTable)
        doses = table.doses()
        assert (doses.duration_days >= 0).all() and (doses.amount > 0).all()
