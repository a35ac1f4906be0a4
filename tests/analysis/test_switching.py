"""RPSFT and IPCW against R survival 3.5 (uniroot on survdiff; coxph on the weighted counting process), and on trials whose truth is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis import hazard_ratio
from mesotrial.analysis.switching import ipcw_hazard_ratio, rpsft, untreated_times

ORACLE: dict[str, Any] = json.loads((Path(__file__).parent / "oracles" / "switching.json").read_text())


def _column(name: str) -> Any:
    return np.array([np.nan if value is None else value for value in ORACLE[name]])


DATA = tuple(_column(name) for name in ("time", "event", "treated"))


def test_psi_and_its_interval_agree_with_survdiff_in_r() -> None:
    found = rpsft(*DATA, _column("switch"), censoring=_column("limit"))
    np.testing.assert_allclose([found.psi, found.lower, found.upper], ORACLE["psi"], atol=2e-3)
    assert found.factor == pytest.approx(np.exp(-found.psi))


def test_the_weighted_hazard_ratio_agrees_with_coxph_in_r() -> None:
    found = ipcw_hazard_ratio(*DATA, _column("progression"), _column("switch"), group=_column("group"), copies=20)
    assert found.log_value == pytest.approx(ORACLE["ipcw_log_hr"], rel=1e-8)
    assert found.lower < found.value < found.upper


def _trial(n: int, factor: float, share: float) -> tuple[Any, ...]:
    """A trial in which treatment multiplies survival by `factor`, also after the control's change at progression."""
    rng = np.random.default_rng(6)
    treated = np.arange(n) % 2 == 1
    untreated, limit = rng.exponential(12, n), rng.uniform(24, 60, n)
    progression = untreated * rng.uniform(0.2, 0.6, n)
    switch = np.where(~treated & (rng.random(n) < share), progression, np.nan)
    on = np.where(treated, untreated, np.where(np.isnan(switch), 0.0, untreated - np.nan_to_num(switch)))
    real = untreated + on * (factor - 1)
    time, event = np.minimum(real, limit), real <= limit
    switch[switch >= time] = np.nan
    return time, event, treated, progression * np.where(treated, factor, 1.0), switch, limit


def test_a_known_effect_is_found_though_most_controls_changed() -> None:
    time, event, treated, progression, switch, limit = _trial(4000, 1.6, 0.7)
    policy = hazard_ratio(time, event, treated)
    assert policy.value > 0.75
    found = rpsft(time, event, treated, switch, censoring=limit)
    assert found.factor == pytest.approx(1.6, rel=0.08)
    assert found.lower < np.log(1 / 1.6) < found.upper
    assert found.hazard_ratio.value == pytest.approx(1 / 1.6, abs=0.06)
    weighted = ipcw_hazard_ratio(time, event, treated, progression, switch, copies=0)
    assert weighted.value == pytest.approx(1 / 1.6, abs=0.08)


def test_without_a_change_both_are_the_plain_comparison() -> None:
    time, event, treated, progression, _, limit = _trial(400, 1.5, 0.0)
    never = np.full(time.size, np.nan)
    weighted = ipcw_hazard_ratio(time, event, treated, progression, never, copies=0)
    assert weighted.log_value == pytest.approx(hazard_ratio(time, event, treated).log_value, abs=1e-3)
    assert rpsft(time, event, treated, never, censoring=limit).psi < 0


def test_untreated_times_by_hand() -> None:
    times, events = untreated_times(
        np.array([10.0, 10.0]),
        np.array([True, True]),
        np.array([10.0, 4.0]),
        np.array([30.0, 12.0]),
        float(np.log(0.5)),
    )
    np.testing.assert_allclose(times, [5.0, 6.0])  # 10 halved; 6 off + 4 on halved = 8, but censored again at 12 / 2
    assert events.tolist() == [True, False]


def test_nothing_to_estimate_is_unknown() -> None:
    nobody = np.zeros(4, bool)
    time = np.arange(1.0, 5.0)
    group = np.array([True, False, True, False])
    assert np.isnan(rpsft(time, nobody, group, np.full(4, np.nan), censoring=time).psi)
    assert np.isnan(ipcw_hazard_ratio(time, nobody, group, time, np.full(4, np.nan)).value)
    with pytest.raises(ValueError, match="beyond the time of censoring"):
        rpsft(time, nobody, group, time, censoring=time - 1)
