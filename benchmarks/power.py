"""How fast trials are resampled: 10,000 trials of 600 patients, a log-rank test and a Cox estimate each; then with six tests, and with three looks.

Run: .venv/bin/python benchmarks/power.py [trials]

`wall_s` is what somebody waits on two threads; `cpu_s` is the process's own time, which other work on the machine changes little.
"""

import json
import math
import sys
import time

from mesotrial.analysis.power import Accrual, Conduct, bank_of_fail_rates, resample_trials
from mesotrial.catalogue import read_test

PATIENTS, EVENTS = 600, 400
CASES = {
    "log-rank and Cox": (("logrank",), (EVENTS,)),
    "log-rank and Cox at three looks": (("logrank",), (200, 300, EVENTS)),
    "six tests and Cox": (
        ("stratified logrank", "logrank", "fh(0,1)", "maxcombo", "rmst 24", "milestone 24"),
        (EVENTS,),
    ),
}


def conduct(tests: tuple[str, ...], looks: tuple[int, ...]) -> Conduct:
    return Conduct(
        patients=PATIENTS,
        ratio=(1, 1),
        block=4,
        accrual=Accrual((18.0,), (PATIENTS / 18,)),
        horizon=36.0,
        looks=tuple((0, events) for events in looks),
        efficacy=(1.96,) * len(looks),
        futility=(-math.inf,) * len(looks),
        tests=tuple(map(read_test, tests)),
        dropout_per_year=(0.02, 0.02),
    )


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rates = [{"stratum": name, "duration": 1, "fail_rate": 0.05, "hr": 0.75} for name in ("a", "b")]
    bank = bank_of_fail_rates(rates, patients=2000)
    resample_trials(conduct(*CASES["six tests and Cox"]), [bank], 20)  # compile
    for name, case in CASES.items():
        began, busy = time.perf_counter(), time.process_time()
        found = resample_trials(conduct(*case), [bank], trials, threads=2)
        seconds = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - busy}
        assert not math.isnan(found.log_ratios.sum())
        print(json.dumps({"case": name, "trials": trials, **{key: round(one, 2) for key, one in seconds.items()}}))


if __name__ == "__main__":
    main()
