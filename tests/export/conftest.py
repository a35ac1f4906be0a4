"""One small run to export."""

import pytest

from mesotrial.run import Run, run_trial


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """MAPS2 with 12 patients an arm; tests write into copies or other folders."""
    return run_trial("maps2", patients_per_arm=12, seed=3, out=tmp_path_factory.mktemp("runs") / "small")
