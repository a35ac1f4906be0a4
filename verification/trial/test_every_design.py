"""Every design of the catalogue runs, with a few patients, to the end."""

import pytest

from mesotrial.catalogue import load_design
from mesotrial.catalogue._sources import packaged_names
from mesotrial.trial import exploratory_arms, simulate_trial

_PATIENTS = 12


@pytest.mark.parametrize("name", packaged_names("designs"))
def test_it_runs_without_a_failed_patient(name: str) -> None:
    design = load_design(name)
    trial = simulate_trial(design, patients_per_arm=_PATIENTS, seed=1)
    unknown = exploratory_arms(design)  # these people are simulated at either end of what is not known, too
    assert trial.status_counts == {"OK": _PATIENTS * (len(design.arms) + 2 * len(unknown))}
    assert len(trial.ends) == (2 if unknown else 0)
    patients = trial.tables["adsl"]
    assert dict(patients["TRT01P"].value_counts().iter_rows()) == {arm.name: _PATIENTS for arm in design.arms}
    assert trial.tables["adex"].height >= _PATIENTS * len(design.arms)  # everybody gets what the arm gives
    assert trial.tables["adtte"].filter(PARAMCD="OS")["AVAL"].min() > 0
