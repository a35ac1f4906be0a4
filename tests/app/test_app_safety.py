"""What strangers may send: hosts, origins, sizes, paths, fields and designs."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesotrial.app import Settings, comparing, exposure
from mesotrial.app.bounds import Refused, number, run_name, whole
from mesotrial.app.check import check_design
from mesotrial.app.guard import MOST_BYTES
from mesotrial.catalogue import load_design

_KNOWN = (200, 303, 400, 404, 405, 413, 415, 422, 429, 503)
_QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "1e309",
            "nan",
            "inf",
            "٣",
            "1" * 30,
            "../../etc/passwd",
            "own:../../x",
            "<script>",
            "\x00",
            "%00",
            "maps2",
        ]
    ),
)


def test_foreign_hosts_and_origins(client):
    assert client.get("/", host="evil.example").status == 421
    assert client.get("/", host="127.0.0.1:8765").status == 200
    run = {"design": "confirm", "patients": "20"}
    assert client.post("/runs", run, origin="http://evil.example").status == 403
    assert client.post("/runs", run, sec_fetch_site="cross-site").status == 403
    assert client.post("/runs", run, origin="null").status == 403
    assert client.post("/runs", run, origin="http://localhost").status == 303


def test_sizes_and_types(client):
    assert client.post("/trials/own", b"design=" + b"x" * MOST_BYTES).status == 413
    assert client.post("/trials/own", {"design": "name: x"}, content_length="12").status in _KNOWN
    assert client.post("/trials/own", b"{}", content_type="application/json").status == 415
    assert client.post("/trials/own", b"&".join(b"a%d=1" % i for i in range(200))).status == 400


def test_no_path_leads_out_of_the_runs_folder(client, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "status.json").write_text(json.dumps({"state": "finished"}))
    (secret / "report.html").write_text("secret")
    (client.state.settings.runs / "link").symlink_to(secret)
    (client.state.settings.runs / "inside").mkdir()
    (client.state.settings.runs / "inside" / "status.json").write_text(json.dumps({"state": "finished"}))
    (client.state.settings.runs / "inside" / "private.txt").write_text("secret")
    for name in ("link", "..", ".explorer", "../secret", "%2e%2e", "a/../../secret", "", ".", "x\x00y", "inside\n"):
        for end in ("", "/status.json", "/files/report.html", "/files/all.zip"):
            answer = client.get(f"/runs/{name}{end}")
            if name != "" or end:
                assert answer.status in (400, 404, 405), (name, end)
            assert "secret" not in answer.text.replace("../secret", "").replace("a/../../secret", "")
    assert client.get("/runs/inside/files/private.txt").status == 404
    assert client.get("/runs/inside/files/..%2fprivate.txt").status == 404


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\\b", "a..b", "-x", ".x", "a" * 101, "a b", "a\n"])
def test_names_of_runs(name):
    with pytest.raises(Refused):
        run_name(name)


@_QUICK
@given(
    path=st.sampled_from(
        [
            "/treatments",
            "/trials",
            "/statements",
            "/patient",
            "/compare",
            "/evidence",
            "/patient/model",
            "/trials/own",
            "/runs",
        ]
    ),
    fields=st.dictionaries(
        st.sampled_from(
            [
                "q",
                "line",
                "kind",
                "step",
                "treatment",
                "dose",
                "stop",
                "priming_strength",
                "histology",
                "t1",
                "age",
                "tumour",
                "topic",
            ]
        ),
        _TEXT,
    ),
)
def test_any_address_gets_an_answer(client, path, fields):
    from urllib.parse import urlencode

    answer = client.get(path, urlencode(fields, errors="replace"))
    assert answer.status in _KNOWN
    assert "<script>" not in answer.text.replace('<script src="/static', "")


@_QUICK
@given(
    path=st.sampled_from(["/runs", "/compare", "/trials/own", "/patient/model", "/runs/x/cancel", "/runs/x/resume"]),
    fields=st.dictionaries(
        st.sampled_from(
            ["design", "model", "size", "patients", "seed", "t1", "t2", "age", "people", "tumour", "line", "ecog"]
        ),
        _TEXT,
    ),
)
def test_any_form_gets_an_answer(client, path, fields, monkeypatch):
    monkeypatch.setattr(
        "mesotrial.app.trials.check_design", _quick_check
    )  # a process for each example would be slow; see below
    monkeypatch.setattr("mesotrial.app.models.model_course", lambda *_: _quick_check(""))
    assert client.post(path, fields).status in _KNOWN


def _quick_check(text: str) -> tuple[str, str]:
    raise Refused("not read")


@given(st.text(max_size=30))
def test_numbers_are_bounded(text):
    for read in (lambda: number({"x": text}, "x", 0, 10, 5), lambda: whole({"x": text}, "x", 0, 10, 5)):
        try:
            assert 0 <= read() <= 10
        except Refused as error:
            assert "x:" in error.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name"),
        ("!!python/object/apply:os.system ['touch hacked']", "expected"),
        ("name: !!python/object/apply:os.system ['touch hacked']", ""),
        ("a: &a [1]\nb: [*a, *a]", "aliases"),
        ("[" * 3000, "nested too deeply"),
        ("name: x\n" + "a" * 70_000, "at most"),
        ("name: [1\n", "YAML"),
    ],
)
def test_hostile_designs_are_refused_in_words(text, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as refused:
        check_design(text)
    assert words in refused.value.message
    assert "Traceback" not in refused.value.message
    assert list(Path.cwd().iterdir()) == []


def test_a_design_of_ones_own(client):
    yaml = load_design("maps2").to_yaml().replace("n: 63", "n: 30")
    answer = client.post("/trials/own", {"design": yaml})
    assert answer.status == 303
    page = client.get(answer.headers["location"])
    assert page.status == 200
    assert "(30)" in page.text
    assert "What looks odd" in page.text  # 30 of one arm and 62 of the other, with a ratio of 1:1
    assert "MARS 2" in client.get("/trials/own", "from=mars2").text
    assert client.get("/trials/own", "from=nobody").status == 404
    key = "own:" + answer.headers["location"].rpartition("/")[2]
    asked = client.post("/runs", {"design": key, "patients": "10"})
    assert asked.status == 303
    job = client.state.jobs.find(asked.headers["location"].rpartition("/")[2])
    assert job.arguments[:2] == ("mesotrial", "run")
    broken = client.post("/trials/own", {"design": yaml.replace("ipilimumab 1 mg/kg", "ipilimumab 1 mg/kk")})
    assert broken.status == 400
    assert "mg/kk" in broken.text
    assert "line" in broken.text


def test_a_run_that_is_too_large_gets_its_command(client):
    answer = client.post("/runs", {"design": "maps2", "patients": "100000", "seed": "7"})
    assert answer.status == 422
    assert "mesotrial run maps2 --patients-per-arm 100000 --seed 7" in answer.text
    answer = client.post("/compare", {"t1": "nivolumab", "t2": "placebo", "line": "relapsed", "people": "50000"})
    assert answer.status == 422
    assert "mesotrial compare nivolumab placebo --patient relapsed --people 50000" in answer.text


def test_people_that_no_trial_had_are_refused_before_they_wait(client):
    fields = {"t1": "nivolumab", "t2": "placebo", "line": "relapsed"}
    refused = client.post("/compare", {**fields, "tumour": "480", "ecog": "ECOG 0"})
    assert refused.status == 400
    assert "ardly anyone in the trial" in refused.text
    assert client.post("/compare", {**fields, "tumour": "5"}).status == 400
    asked = client.post("/compare", {**fields, "tumour": "80.5"})
    assert asked.status == 303
    job = client.state.jobs.find(asked.headers["location"].rpartition("/")[2])
    assert "tumour 80.5 mm, relapsed" in job.arguments


def test_a_second_line_counts(client):
    """Regimens after progression are regimens."""
    yaml = load_design("maps2").to_yaml()
    choice = "    - share: 0.05\n      regimens: [nivolumab 3 mg/kg IV over 60 min q2w]\n"
    added = yaml.replace(
        "arms:\n- name", f"arms:\n- second_line:\n    regimens: []\n    one_of:\n{20 * choice}  name", 1
    )
    assert added != yaml
    with pytest.raises(Refused, match="at most 6 arms with 16 regimens"):
        check_design(added)


def test_others_who_can_reach_it_are_told_of(tmp_path):
    for host, names, words in (
        ("127.0.0.1", (), None),
        ("localhost", (), None),
        ("0.0.0.0", (), "answers to any name"),
        ("::", (), "--public-name"),
        ("0.0.0.0", ("x.example",), "whoever can reach"),
        ("192.0.2.7", (), "whoever can reach"),
    ):
        told = exposure(Settings(tmp_path, host, public_names=names))
        assert (words in told) if words else told == ""
        assert ("any name" in told) == (host in ("0.0.0.0", "::") and not names)


def test_comparisons_are_checked_one_at_a_time(client, monkeypatch):
    """Checking draws people in the server itself."""
    now, most = [], []

    def counted(request, form):
        now.append(1)
        most.append(len(now))
        time.sleep(0.05)
        now.pop()
        return "compare-0"

    async def empty(request):
        return {}

    async def together():
        request = SimpleNamespace(app=SimpleNamespace(state=client.state))
        return await asyncio.gather(*(comparing._ask(request) for _ in range(4)))

    monkeypatch.setattr(comparing, "_asked", counted)
    monkeypatch.setattr(comparing, "form_of", empty)
    assert [answer.status_code for answer in asyncio.run(together())] == [303] * 4
    assert most == [1] * 4
