"""NONMEM event rows: the rules of the table, and courses against superposition."""

import numpy as np
import pytest

from mesotrial.engine import EventError, SteadyStateError, compile_model, read_events, run_events

MODEL = """
  k = 0.4; ka = 1.5; depot = 0; depot' = -ka*depot; A = 0; A' = ka*depot - k*A; n = 2; n' = 0;
"""
STATES = ("depot", "A")


@pytest.fixture(scope="module")
def simulator(kernel_cache):
    return compile_model(MODEL, observables=["depot", "A", "n"], inputs=["k"], dosed=STATES, rtol=1e-9, atol=1e-12)


def table(header, *rows, states=STATES):
    names = header.split()
    columns = {name: [row.split()[i] for row in rows] for i, name in enumerate(names)}
    return read_events(columns, states)


def course(simulator, events, times, k=0.4):
    parameters = np.full((len(events.patients), 1), k)
    return run_events(simulator, parameters, events, save_at=times)


def bolus(t, k=0.4):
    return np.where(t >= 0, np.exp(-k * np.maximum(t, 0)), 0.0)


TIMES = np.array([0.0, 0.5, 1.0, 2.0, 3.25, 6.0, 9.0])


def test_doses_come_before_observations_whatever_the_order(simulator):
    events = table("ID TIME EVID AMT CMT", "x 0 0 0 .", "x 0 1 10 2", "x 1 0 . A", "x 1 1 5 A", "y 0 1 2 A")
    assert events.patients == ("x", "y")
    assert events.observations == ((0.0, 1.0), ())
    assert events.dosed() == ("A",)
    seen = course(simulator, events, TIMES).values["A"]
    assert seen == pytest.approx(np.array([10 * bolus(TIMES) + 5 * bolus(TIMES - 1), 2 * bolus(TIMES)]), rel=1e-7)


def test_additional_doses_infusions_and_what_evid_is_by_default(simulator):
    events = table("TIME AMT II ADDL RATE DUR CMT", "0 10 2 2 0 0 A", "1 6 . . 3 . A", "3 0 0 0 0 0 .")
    assert events.doses().time_days.tolist() == [0, 2, 4, 1]
    assert events.doses().duration_days.tolist() == [0, 0, 0, 2]
    assert events.observations == ((3.0,),)
    by_duration = table("TIME AMT II ADDL RATE DUR CMT", "0 10 2 2 0 0 A", "1 6 . . . 2 A")
    on = np.clip(TIMES - 1, 0, 2)
    infused = 3 / 0.4 * (np.exp(-0.4 * (np.maximum(TIMES - 1, 0) - on)) - np.exp(-0.4 * np.maximum(TIMES - 1, 0)))
    expected = sum(10 * bolus(TIMES - d) for d in (0, 2, 4)) + infused
    for one in (events, by_duration):
        assert course(simulator, one, TIMES).values["A"][0] == pytest.approx(expected, rel=1e-7)


def test_a_reset_ends_infusions_and_additional_doses(simulator):
    events = table(
        "TIME EVID AMT II ADDL DUR CMT", "0 1 10 1 9 0 A", "1 1 30 0 0 9 A", "2.5 3 0 0 0 0 .", "3 1 4 0 0 0 A"
    )
    assert events.doses().time_days.tolist() == [0, 1, 2, 1, 3]
    course_ = course(simulator, events, TIMES)
    assert course_.values["A"][0][4:] == pytest.approx(4 * bolus(TIMES[4:] - 3), rel=1e-7)
    assert course_.state.steps[0] > 0


def test_additional_doses_after_evid_4_do_not_reset(simulator):
    events = table("TIME EVID AMT II ADDL CMT", "0 1 10 0 0 A", "2 4 8 1 3 A")
    seen = course(simulator, events, TIMES).values["A"][0]
    assert seen[2] == pytest.approx(10 * bolus(1.0))
    assert seen[3] == 8
    assert seen[5] == pytest.approx(sum(8 * bolus(6.0 - d) for d in (2, 3, 4, 5)), rel=1e-7)


@pytest.mark.parametrize("duration", [0.0, 0.5, 3.0])
def test_steady_state_is_the_sum_of_all_former_doses(simulator, duration):
    events = table(
        "ID TIME EVID AMT II SS DUR CMT", "1 0 1 99 0 0 0 A", f"1 1 1 10 2 1 {duration} A", "2 0 0 0 0 0 0 ."
    )
    seen = course(simulator, events, TIMES).values["A"]
    after = TIMES[2:] - 1
    if duration:
        former = [after + 2 * j for j in range(200)]
        on = [np.minimum(t, duration) for t in former]
        each = [
            10 / duration / 0.4 * (np.exp(-0.4 * (t - w)) - np.exp(-0.4 * t)) for t, w in zip(former, on, strict=True)
        ]
    else:
        each = [10 * bolus(after + 2 * j) for j in range(200)]
    assert seen[0][2:] == pytest.approx(sum(each), rel=1e-6)
    assert (seen[1] == 0).all()


def test_steady_state_of_absorbed_doses_and_of_an_endless_infusion(simulator):
    events = table("TIME EVID AMT RATE II SS ADDL CMT", "0 1 0 2 0 1 0 A", "3 1 10 0 1 1 9 depot")
    seen = course(simulator, events, TIMES)
    assert seen.values["A"][0][:4] == pytest.approx(2 / 0.4 * np.exp(-0.4 * TIMES[:4]), rel=1e-6)
    assert seen.values["depot"][0][[5, 6]] == pytest.approx([10 / (1 - np.exp(-1.5))] * 2, rel=1e-6)


def test_no_steady_state_is_named(simulator):
    events = table("TIME EVID AMT II SS CMT", "0 1 1 1 1 A")
    with pytest.raises(SteadyStateError, match="Doses to A every 1 days lead to no steady state: A still changes"):
        course(simulator, events, TIMES, k=0.0)


def test_a_file(tmp_path, simulator):
    path = tmp_path / "doses.csv"
    path.write_text("id,time,amt,cmt,weight\nann,0,10,A,70\n\nbob,1,5,A,80\n", encoding="utf-8")
    assert read_events(path, STATES).patients == ("ann", "bob")
    path.write_text("id,time,amt,cmt\nann,0,10,A\nbob,1,5\n", encoding="utf-8")
    with pytest.raises(EventError, match="Row 3: 3 fields, the header has 4"):
        read_events(path, STATES)
    path.write_text("id,amt\n", encoding="utf-8")
    with pytest.raises(EventError, match="TIME among them"):
        read_events(path, STATES)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 1 10 5 2 0 0 0 A", "RATE and DUR are both given"),
        ("0 1 10 0 0 0 3 0 A", "ADDL needs II > 0"),
        ("0 1 10 0 0 1 1.5 0 A", "ADDL is 1.5, not a whole number"),
        ("0 1 10 0 0 1 2e6 0 A", "more than 1,000,000 doses"),
        ("0 1 0 0 0 0 0 0 A", "AMT is 0 in a dose"),
        ("0 1 -1 0 0 0 0 0 A", "AMT is -1 in a dose"),
        ("0 1 1 -2 0 0 0 0 A", "RATE is -2; rates and durations set by the model"),
        ("0 1 1 0 -2 0 0 0 A", "DUR is negative"),
        ("0 1 1 0 0 0 0 1 A", "SS 1 needs II > 0"),
        ("0 1 1 0 0 1 0 2 A", "SS is 2; only 1"),
        ("0 1 0 3 0 1 0 1 A", "endless infusion"),
        ("0 1 1 0 0 0 0 0 a", "'a' is no state of this model"),
        ("0 1 1 0 0 0 0 0 3", "CMT is 3; the states are numbered 1 to 2 .1 depot, 2 A."),
        ("0 1 1 0 0 0 0 0 -2", "CMT is -2"),
        ("0 1 1 0 0 0 0 0 .", "CMT is missing"),
        ("0 0 1 0 0 0 0 0 A", "AMT is 1 in a row that gives no dose"),
        ("0 3 0 0 0 0 4 0 A", "ADDL is 4 in a row that gives no dose"),
        ("0 7 1 0 0 0 0 0 A", "EVID is 7"),
        (". 1 1 0 0 0 0 0 A", "TIME is missing"),
        ("0 1 ten 0 0 0 0 0 A", "AMT is 'ten', not a number"),
        ("0 1 inf 0 0 0 0 0 A", "AMT is inf, not a finite number"),
    ],
)
def test_each_bad_row_has_one_message(row, message):
    with pytest.raises(EventError, match=f"^Row 3: .*{message}") as caught:
        table("TIME EVID AMT RATE DUR II ADDL SS CMT", "0 2 0 0 0 0 0 0 .", row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("times", [[3, 2], [-1, 2], [], [0, np.nan], [[0, 1], [2, 3]]])
def test_samples_must_ascend_from_the_start(simulator, times):
    with pytest.raises(ValueError, match="save_at must be days in ascending order from the start at day 0"):
        course(simulator, table("TIME AMT CMT", "0 1 A"), times)


def test_times_must_ascend_and_columns_match():
    with pytest.raises(EventError, match="Row 3: TIME 0 of ID 1 comes after 1"):
        table("TIME AMT CMT", "1 1 A", "0 1 A")
    with pytest.raises(EventError, match="differ in length"):
        read_events({"TIME": [0], "AMT": [1, 2]}, STATES)
    with pytest.raises(EventError, match="no rows"):
        read_events({"TIME": []}, STATES)
