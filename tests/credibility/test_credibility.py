"""The credibility page: every heading, filled from the board that it is given, in both forms."""

import json
from xml.etree import ElementTree

import pytest

from mesotrial.cli import main
from mesotrial.credibility import credibility_page, gather, write_credibility
from mesotrial.credibility.blocks import Figure, Heading, Items, Table, Text, to_html, to_markdown
from mesotrial.credibility.criteria import criteria
from mesotrial.credibility.overlays import overlay_figure
from mesotrial.validate import validate

HEADINGS = (
    "Question of interest", "Context of use", "Influence", "Technical criteria", "Verification", "Validation", "Uncertainty", "Applicability", "Model card",
)  # fmt: skip


@pytest.fixture(scope="module")
def board():
    return validate(role="calibration", trials=("ms01",), patients_per_arm=60)


def test_the_page_has_every_heading_and_the_board_s_rows(board, tmp_path):
    junit = tmp_path / "tests.xml"
    junit.write_text(
        '<testsuites><testsuite><testcase classname="tests.engine.test_a" name="x"/>'
        '<testcase classname="tests.engine.test_a" name="y"><failure/></testcase></testsuite></testsuites>'
    )
    html, markdown, scoreboard = write_credibility(tmp_path, board, junit)
    assert "MS01" in scoreboard.read_text()
    for text in (html.read_text(), markdown.read_text()):
        for words in HEADINGS:
            assert words in text
        assert "MS01" in text and "tests.engine" in text
    pictures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"rates.svg", "ms01-os.svg"} <= pictures
    for name in pictures:
        assert f"](figures/{name})" in markdown.read_text()
        drawn = (tmp_path / "figures" / name).read_text()
        assert ElementTree.fromstring(drawn).tag.endswith("svg") and "var(" not in drawn
    assert "<svg" in html.read_text() and "http" not in html.read_text().replace("http://www.w3.org", "")


def test_curves_shapes_and_comparisons_are_those_of_the_board(board):
    (about,) = board["trials"]
    assert {(one["arm"], one["parameter"]) for one in about["curves"]} == {
        (arm, parameter) for arm in ("ASC", "ASC+MVP", "ASC+vinorelbine") for parameter in ("PFS", "OS")
    }
    for one in about["curves"]:
        assert one["share"][0] == 1 and one["share"] == sorted(one["share"], reverse=True)
        assert len(one["share"]) == len(one["months"])
    text = overlay_figure(board, about, "OS")
    assert "MS01" in text and "<svg" in text
    beside = gather.tumour_shapes(board, {"ms01": "ASC"})
    assert {row[0] for row in beside} == {"OAK, atezolizumab", "OAK, docetaxel", "MS01, ASC, simulated"}
    row = {
        "trial": "T", "arm": "a", "comparator": "b", "subgroup": "all", "code": "OS_HR", "simulated": 0.8, "lo90": 0.64, "hi90": 1.0, "published": 0.9,
    }  # fmt: skip
    assert gather.comparisons([row])[0][-1] == "95 %"  # 1 is the upper end of an interval of 90 %


def _scores(**given):
    figures = {"interval_score": 1.0, "rate_points_mae": 4.0, "median_percent_mae": None}
    carried = {"interval_score": 2.0, "rate_points_mae": 4.4, "median_percent_mae": None}
    base = {"rows": 9, "mean_abs_z": 0.65, "inside90": 0.8, "inside90_lo95": 0.72, "inside90_hi95": 0.88}
    return base | {"shared": figures | {"carry_over": carried}} | given


def test_criteria_are_judged_from_the_board():
    worse = _scores(shared={"interval_score": 3.0, "rate_points_mae": 1.0, "median_percent_mae": None} | {
        "carry_over": {"interval_score": 2.0, "rate_points_mae": 2.0, "median_percent_mae": None}})  # fmt: skip
    families = {"response": _scores(), "pfs": worse, "os": _scores(), "toxicity": _scores()}
    rows = [{"role": "calibration", "z": z} for z in (0.1, -2.6, None)]
    found = criteria({"rows": rows, "roles": {"calibration": _scores(), "validation": _scores(families=families)}})
    assert [met for _, _, met in found] == ["yes", "no", "no", "yes", "yes", "no", "no"]
    assert found[1][1] == "1 beyond" and found[4][1] == "50 % better" and found[5][1] == "9 % better"
    assert found[-1][1] == "not progression: interval score"
    assert len(criteria({"rows": rows, "roles": {"calibration": _scores()}})) == 2
    nothing = {"interval_score": None, "rate_points_mae": None, "median_percent_mae": None}
    unpaired = _scores(shared=nothing | {"carry_over": nothing})
    alone = unpaired | {"families": dict.fromkeys(("response", "pfs", "os", "toxicity"), unpaired)}
    assert [asked for asked, *_ in criteria({"rows": rows, "roles": {"validation": alone}})] == [
        "Validation: inside 90 % consistent with 90 %, by trial",
        "Validation: mean |z| at most 0.9",
    ]
    assert not criteria({"rows": rows, "roles": {"validation": alone | {"mean_abs_z": None}}})


def test_a_whole_digitised_curve_is_compared():
    board = validate(role="calibration", trials=("maps",), patients_per_arm=50)
    found = {(one["arm"], one["parameter"]): one["published"] for one in board["trials"][0]["curves"]}
    assert len(found) == 4
    assert all(0 < one["by_chance"] < one["distance"] + 0.1 < 1 and one["months"] > 24 for one in found.values())
    text = to_markdown("x", credibility_page(board))
    assert (
        "Whole curves where they were digitised" in text
        and "50 simulated patients an arm, seed 1, population posterior-4. Fewer than 2,000" in text
    )


def test_blocks_become_html_and_markdown():
    blocks = [
        Heading("A & B"),
        Text("x < y"),
        Items(("one",)),
        Table(("a", "b"), (("c|d", "1"),)),
        Figure("<svg/>", "Seen", "one"),
    ]
    assert "A &amp; B" in to_html("T", blocks) and "x &lt; y" in to_html("T", blocks)
    assert "| c/d | 1 |" in to_markdown("T", blocks)


def test_a_board_without_rows_of_a_role_still_makes_a_page(board):
    empty = {**board, "roles": {"validation": {"rows": 0}, **board["roles"]}}
    assert any(isinstance(block, Heading) for block in credibility_page(empty))


@pytest.mark.parametrize("text", ["{}", "no json", '{"schema": "other"}'])
def test_a_file_that_is_no_scoreboard_is_refused(text, tmp_path, capsys):
    file = tmp_path / "board.json"
    file.write_text(text)
    assert main(["credibility", "--scoreboard", str(file), "--out", str(tmp_path / "out")]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_broken_report_of_tests_is_refused(board, tmp_path, capsys):
    file, junit = tmp_path / "board.json", tmp_path / "junit.xml"
    file.write_text(json.dumps(board))
    junit.write_text("<not")
    assert main(["credibility", "--scoreboard", str(file), "--tests", str(junit), "--out", str(tmp_path / "o")]) == 2
    assert "JUnit" in capsys.readouterr().err
