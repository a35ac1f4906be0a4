"""Against solutions known in closed form."""

import dataclasses

import numpy as np
import pytest
from engine_cases import DEFAULTS, INPUTS
from hypothesis import given, settings
from hypothesis import strategies as st

from mesotrial.engine import Doses, ResultCode


def patients(n=1, **changes):
    rows = np.tile(DEFAULTS, (n, 1))
    for name, value in changes.items():
        rows[:, INPUTS.index(name)] = value
    return rows


def two_compartments(t, dose, duration=0.0, cl=1.2, v=4.0, q=0.8, p=3.0):
    """Amount in the centre after a bolus or infusion (Gabrielsson and Weiner, biexponential disposition)."""
    total = (cl + q) / v + q / p
    root = np.sqrt(total**2 - 4 * (cl / v) * (q / p))
    fast, slow = (total + root) / 2, (total - root) / 2
    parts = (((fast - q / p) / (fast - slow), fast), ((q / p - slow) / (fast - slow), slow))
    if duration == 0:
        return sum(dose * c * np.exp(-rate * t) for c, rate in parts)
    on = np.minimum(t, duration)
    return sum(dose / duration * c / rate * (np.exp(-rate * (t - on)) - np.exp(-rate * t)) for c, rate in parts)


def test_decay_growth_and_time_in_the_rate(analytic):
    times = np.array([0.5, 3.0, 7.25, 20.0])
    rates = np.array([0.1, 0.3, 2.0])
    state = analytic.start(patients(3, k=rates, r=0.5 * rates))
    seen = analytic.observe_saved(analytic.advance(state, until=20, save_at=times), ["y", "L", "w", "half"])
    assert seen["y"] == pytest.approx(2 * np.exp(-rates[:, None] * times), rel=1e-7, abs=1e-12)
    growth = 0.5 * rates[:, None]
    assert seen["L"] == pytest.approx(10 / (1 + 99 * np.exp(-growth * times)), rel=1e-7)
    assert seen["w"] == pytest.approx(np.tile(np.sin(times), (3, 1)), abs=1e-7)
    assert seen["half"] == pytest.approx(np.tile(np.log(2) / rates[:, None], (1, 4)))


@pytest.mark.parametrize("duration", [0.0, 0.04, 2.5])
def test_one_and_two_compartments(analytic, duration):
    times = np.array([0.02, 1.0, 2.5, 6.0, 15.0])
    doses = Doses([0, 0], [0, 0], ["A", "C"], [100.0, 50.0], [duration, duration])
    state = analytic.advance(analytic.start(patients()), until=15, doses=doses, save_at=times)
    seen = analytic.observe_saved(state, ["A", "C", "conc"])
    assert seen["A"][0] == pytest.approx(two_compartments(times, 100.0, duration), rel=1e-7)
    # One compartment is two without flow between them.
    assert seen["C"][0] == pytest.approx(two_compartments(times, 50.0, duration, q=1e-9), rel=1e-6)
    assert seen["conc"] == pytest.approx(seen["C"] / 4)


def test_an_infusion_spans_advances(analytic):
    state = analytic.start(patients(2))
    state = analytic.advance(state, until=1, doses=Doses([1], [0.5], ["A"], [100.0], [4.0]))
    assert len(state.pending) == 1
    for until in (1.1, 3.0, 4.5):
        state = analytic.advance(state, until=until)
    assert len(state.pending) == 0
    state = analytic.advance(state, until=9)
    assert analytic.observe(state, ["A"])["A"] == pytest.approx([0, two_compartments(8.5, 100.0, 4.0)], rel=1e-7)


def test_a_dose_after_until_waits(analytic):
    state = analytic.advance(analytic.start(patients()), until=1, doses=Doses([0], [3.0], "A", [100.0]))
    assert analytic.observe(state, ["A"])["A"] == 0
    state = analytic.advance(state, until=5)
    assert analytic.observe(state, ["A"])["A"] == pytest.approx(two_compartments(2.0, 100.0), rel=1e-7)


def test_a_dose_acts_before_an_observation_at_the_same_time(analytic):
    doses = Doses([0, 0], [2.0, 5.0], ["A", "A"], [100.0, 7.0])
    state = analytic.advance(analytic.start(patients()), until=5, doses=doses, save_at=[2.0, 5.0])
    saved = analytic.observe_saved(state, ["A"])["A"][0]
    left = two_compartments(3.0, 100.0)
    assert saved == pytest.approx([100.0, left + 7], rel=1e-7)
    assert analytic.observe(state, ["A"])["A"] == saved[1]
    # A dose at the present time is not in the past.
    again = analytic.advance(state, until=5, doses=Doses([0], [5.0], "A", [1.0]))
    assert analytic.observe(again, ["A"])["A"] == saved[1] + 1


def test_save_times_per_patient_in_any_order(analytic):
    times = np.array([[9.0, np.nan, 3.0], [0.0, 11.0, 4.0]])
    state = analytic.advance(analytic.start(patients(2)), until=10, save_at=times)
    seen = analytic.observe_saved(state, ["y", "V"])
    expected = np.where((times > 0) & (times <= 10), 2 * np.exp(-0.3 * times), np.nan)
    assert seen["y"] == pytest.approx(expected, rel=1e-7, nan_ok=True)
    assert (np.isnan(seen["V"]) == np.isnan(expected)).all()


def test_each_patient_has_its_own_until(analytic):
    until = np.array([1.0, 4.0, 2.0])
    state = analytic.advance(analytic.start(patients(3)), until=until)
    assert (state.time_days == until).all()
    assert analytic.observe(state, ["y"])["y"] == pytest.approx(2 * np.exp(-0.3 * until), rel=1e-7)


def test_a_failed_patient_gets_a_code_and_disturbs_nobody(analytic):
    start = analytic.start(patients(4, b=[0.0, 0.5, 0.0, np.nan]))
    state = analytic.advance(start, until=10, doses=Doses([1, 2], [9.0, 9.0], "A", [1.0, 1.0], [5.0, 5.0]))
    assert state.code[1] in (ResultCode.STEP_TOO_SMALL, ResultCode.NOT_FINITE)  # x = 1 / (1 - b t) ends at day 2
    assert state.code[[0, 2, 3]].tolist() == [ResultCode.OK, ResultCode.OK, ResultCode.NOT_FINITE]
    assert state.time_days[1] == pytest.approx(2, abs=1e-6)
    assert np.isfinite(state.values[:3]).all()
    assert state.pending.patient.tolist() == [2]
    later = analytic.advance(state, until=12)
    assert later.time_days.tolist() == [12, state.time_days[1], 12, 0]
    alone = analytic.advance(analytic.start(patients(1, b=0.0)), until=10)
    assert (alone.values[0] == state.values[0]).all()
    assert all(code.sentence for code in ResultCode)


def test_too_many_steps_is_a_code(analytic, monkeypatch):
    monkeypatch.setattr(analytic._backend, "_max_steps", 5)
    state = analytic.advance(analytic.start(patients(2)), until=50)
    assert (state.code == ResultCode.MAX_STEPS).all()
    assert (state.steps == 5).all()
    assert (state.time_days < 50).all()


def fixed_step_errors(analytic, h):
    """Errors of the decay and of the time-dependent rate, at the end and between steps."""
    start = dataclasses.replace(analytic.start(patients()), step_days=np.array([h]))
    times = np.array([4 + 0.37 * h, 8.0])
    seen = analytic.observe_saved(analytic.advance(start, until=8, save_at=times), ["y", "w"])
    decay = abs(seen["y"][0] - 2 * np.exp(-0.3 * times))
    wave = abs(seen["w"][0] - np.sin(times))
    return [decay[1], wave[1], decay[0], wave[0]]


def test_order_of_convergence(analytic, monkeypatch):
    """Order 5 at the end of a step, and at least 4 between steps."""
    monkeypatch.setattr(analytic._backend, "_rtol", 1e300)
    errors = []
    for h in (0.5, 0.25, 0.125):
        monkeypatch.setattr(analytic._backend, "_max_step_days", h)
        errors.append(fixed_step_errors(analytic, h))
    orders = np.log2(np.array(errors)[:-1] / np.array(errors)[1:])
    assert orders[:, :2] == pytest.approx(5, abs=0.5)
    assert (orders[:, 2:] > 3.8).all()


def test_initial_values_of_choice_and_a_later_start(analytic):
    state = analytic.start(patients(2), time_days=3.0, initial={"y": [5.0, 6.0], "w": 1.0})
    state = analytic.advance(state, until=4.0)
    seen = analytic.observe(state, ["y", "w"])
    assert seen["y"] == pytest.approx(np.array([5, 6]) * np.exp(-0.3), rel=1e-7)
    assert seen["w"] == pytest.approx(np.full(2, 1 + np.sin(4) - np.sin(3)), rel=1e-7)


amounts = st.floats(0.1, 100)
a_dose = st.tuples(st.integers(0, 2), st.floats(0, 20), amounts, st.sampled_from([0.0, 0.04, 1.0, 6.0]))


@settings(max_examples=60, deadline=None)
@given(st.lists(a_dose, max_size=8), st.lists(st.floats(0.01, 25), max_size=4), st.floats(0.01, 3))
def test_mass_is_conserved(analytic, doses, visits, rate):
    """Three closed compartments hold what was given so far, whatever the doses and the visits."""
    state = analytic.start(patients(3, uv=rate))
    columns = list(zip(*doses, strict=True)) or [(), (), (), ()]
    given_doses = Doses(columns[0], columns[1], ["U1"] * len(doses), columns[2], columns[3])
    for until in (*sorted(visits), 30.0):
        state = analytic.advance(state, until=until, doses=given_doses)
        given_doses = None
    expected = np.zeros(3)
    for patient, _, amount, _ in doses:
        expected[patient] += amount
    assert analytic.observe(state, ["total"])["total"] == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"until": -1.0}, "patient 0"),
        ({"until": np.inf}, "patient 0"),
        ({"until": 9.0, "doses": Doses([1], [0.5], "A", [1.0])}, "patient 1 is at day 1.0, the dose of A at day 0.5"),
        ({"until": 9.0, "doses": Doses([1], [2.0], "y", [1.0])}, "'y' is no state named in dosed"),
        ({"until": 9.0, "doses": Doses([1], [2.0], "AA", [1.0])}, "'AA' is no dosed state"),
        ({"until": 9.0, "doses": Doses([5], [2.0], "A", [1.0])}, "row 0 is for patient 5"),
        ({"until": 9.0, "save_at": np.zeros((3, 1))}, "save_at has 3 rows for 2 patients"),
    ],
)
def test_misuse_is_named(analytic, arguments, message):
    state = analytic.advance(analytic.start(patients(2)), until=1)
    with pytest.raises(ValueError, match=message):
        analytic.advance(state, **arguments)


def test_other_misuse_is_named(analytic):
    state = analytic.start(patients(2))
    with pytest.raises(ValueError, match="expected \\(n_patients, 10\\)"):
        analytic.start(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="'z' is no state"):
        analytic.start(patients(), initial={"z": 1.0})
    with pytest.raises(ValueError, match="'conk' is no observable of this model; did you mean conc"):
        analytic.observe(state, ["conk"])
    with pytest.raises(ValueError, match="give save_at to advance"):
        analytic.observe_saved(state, ["y"])
    with pytest.raises(ValueError, match="amount has shape"):
        Doses([0], [0.0], "A", [1.0, 2.0])
    with pytest.raises(ValueError, match="negative in row 1"):
        Doses([0, 0], [0.0, 1.0], "A", 1.0, [0.0, -1.0])
    with pytest.raises(ValueError, match="not a finite number in row 0"):
        Doses([0], [np.nan], "A", 1.0)
    with pytest.raises(ValueError, match="state has 2 rows"):
        Doses([0], [1.0], ["A", "A"], 1.0)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda names: np.array(names, dtype=object)])
def test_the_states_of_doses_are_kept_row_by_row(kind):
    doses = Doses([2, 0, 1], [0.0, 1.0, 2.0], kind(["B", "A", "B"]), 1.0)
    assert doses.state == ["B", "A", "B"]
    assert doses.names == ("B", "A")
    assert Doses([], [], "A", []).names == ()
