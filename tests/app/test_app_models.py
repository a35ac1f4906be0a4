"""A model of one's own: read as data, refused in one line where it is hostile, and over time what its equations say."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pytest

from mesotrial.app.bounds import Refused
from mesotrial.app.confine import ask_confined
from mesotrial.app.course import MOST_LETTERS, POINTS, model_course
from mesotrial.engine import antimony_to_sbml

_DECAY = "x = 8; x' = -k*x; k = 0.5; double := 2*x;\n"


def test_from_text_to_numbers(client):
    sent = client.post("/patient/model", {"model": _DECAY})
    assert sent.status == 303
    where = sent.headers["location"]
    page = client.get(where, "until=4&set=k+%3D+1").text
    for words in (
        "1 state, 1 constant",
        "x over time, from 8 to",
        "mesotrial simulate model.ant --until 4 --step 0.01 --set k=1",
        "Nobody has checked it",
    ):
        assert words in page, words
    answer = client.get(f"{where}/course.csv", "until=4&set=k+%3D+1")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert len(rows) == POINTS + 1
    for row in rows[:: POINTS // 4]:
        assert float(row["x"]) == pytest.approx(8 * math.exp(-float(row["TIME"])), rel=1e-4)
        assert float(row["double"]) == pytest.approx(2 * float(row["x"]), rel=1e-4)
    assert client.get(f"{where}/model.txt").text == _DECAY
    for query in (
        "set=nobody+%3D+1",
        "set=k",
        "set=k%3D1,k%3D2",
        "set=k%3D1e999",
        "until=0",
        "until=1e9",
        "set=__class__%3D1",
    ):
        assert client.get(where, query).status == 400, query


def test_sbml_is_the_same_model(client):
    there = client.post("/patient/model", {"model": antimony_to_sbml(_DECAY)}).headers["location"]
    assert "mesotrial simulate model.xml" in client.get(there).text
    assert model_course(antimony_to_sbml(_DECAY), 365.0)["course"] == model_course(_DECAY, 365.0)["course"]


def _bomb() -> str:
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 15))
    sbml = antimony_to_sbml("x = 1;\n").replace("?>", f'?><!DOCTYPE sbml [<!ENTITY a0 "ha">{laughs}]>', 1)
    return sbml.replace('id="x"', 'id="x" name="&a14;"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("not a model {", ""),
        ("\x00\ud800" * 20, ""),
        ("x = 1; x' = " + "(" * 5000 + "x" + ")" * 5000 + ";", "memory exhausted"),
        ("x = 1; x' = -y;", "no value is given for y"),
        ('import "/etc/passwd"\nx = 1; x\' = 1;', ""),
        ("x = 1; x' = __import__('os').system('touch hacked');", ""),
        ("k = 3;", "nothing in this model changes"),
        ("x = 1; //" + "a" * MOST_LETTERS, "mesotrial simulate model.ant"),
        (_bomb(), ""),
    ],
)
def test_hostile_models_are_refused_in_words(client, text, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = client.post("/patient/model", {"model": text})
    assert answer.status in (400, 413)
    assert words in answer.text.replace("&#39;", "'")
    assert "Traceback" not in answer.text
    assert "root:" not in answer.text
    assert {path.name for path in Path.cwd().iterdir()} <= {"runs"}
    assert not (client.state.settings.runs / ".explorer" / "models").exists()


def test_what_runs_away_says_so():
    """A state that becomes infinite is drawn as far as it goes, with the reason."""
    found = model_course("x = 1; x' = x*x;", 5.0)
    assert found["failed"]
    assert found["course"]["x"][-1] is None


def test_a_reader_that_breaks_takes_nothing_with_it():
    with pytest.raises(Refused, match="the thing goes beyond the bounds"):
        ask_confined("this", b"", seconds=5, what="the thing")


def test_only_own_models(client):
    for name in ("0" * 16, "../designs/0", "..%2f", "x" * 16, "0" * 15):
        assert client.get(f"/patient/model/{name}").status == 404


def test_a_model_is_written_once(client):
    """Whole, and never again: who reads it while somebody sends the same one never sees half of it."""
    where = client.post("/patient/model", {"model": _DECAY}).headers["location"]
    (file,) = (client.state.settings.runs / ".explorer" / "models").iterdir()
    os.utime(file, ns=(1, 1))
    inode = file.stat().st_ino
    assert client.post("/patient/model", {"model": _DECAY}).headers["location"] == where
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (1, inode)
    assert [file] == list(file.parent.iterdir())
    assert file.read_text(encoding="utf-8") == _DECAY
