"""Time and memory of many patients for three years of this project's model, of whom only endpoints are kept; as JSON.

Run: .venv/bin/python benchmarks/million.py [--patients 1000000] [--chunk 10000] [--threads 1]

Nivolumab every 3 weeks for two years, ipilimumab every 6, chemotherapy at first, scans every 6 weeks for three years. Kept are the
least and the last volume of each patient. `seconds` are of processor time by tenth of the patients, which shows whether time is linear;
`peak_gib` is the most memory that the process ever had. The patients are 2,048 different ones, repeated.
"""

import argparse
import json
import resource
import sys
import time

import numpy as np
from rivals.problems import own

DIFFERENT = 2048
SCANS = np.arange(42.0, 3 * 364 + 1, 42.0)
RTOL = 1e-6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patients", type=int, default=1_000_000)
    options.add_argument("--chunk", type=int, default=10_000)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    from mesotrial.engine import Doses, compile_model

    problem = own(DIFFERENT)
    names = {"observables": problem.observables, "inputs": problem.inputs, "dosed": problem.dosed}
    simulator = compile_model(problem.text, **names, rtol=RTOL, threads=chosen.threads)
    plan = list(problem.doses)
    plan += [(day + 364, *rest) for day, *rest in plan if rest[0].startswith(("nivolumab", "ipilimumab"))]
    best, last = np.empty(chosen.patients), np.empty(chosen.patients)
    seconds, failed = [0.0] * 10, 0
    for first in range(0, chosen.patients, chosen.chunk):
        rows = np.arange(first, min(first + chosen.chunk, chosen.patients)) % DIFFERENT
        began = time.process_time()
        doses = Doses(
            np.tile(np.arange(len(rows)), len(plan)),
            np.repeat([day for day, *_ in plan], len(rows)),
            np.repeat([state for _, state, *_ in plan], len(rows)),
            np.concatenate([amount[rows] for _, _, amount, _ in plan]),
            np.repeat([days for *_, days in plan], len(rows)),
        )
        initial = {name: values[rows] for name, values in problem.initial.items()}
        state = simulator.start(problem.table[rows], initial=initial)
        state = simulator.advance(state, until=SCANS[-1], doses=doses, save_at=SCANS)
        volume = simulator.observe_saved(state, ["tumour_volume"])["tumour_volume"]
        best[first : first + len(rows)], last[first : first + len(rows)] = volume.min(axis=1), volume[:, -1]
        failed += int((state.code != 0).sum())
        seconds[10 * first // chosen.patients] += time.process_time() - began
        print(f"\r{first + len(rows):,} patients", end="", file=sys.stderr)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    result = {
        "patients": chosen.patients,
        "seconds": seconds,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "failed": failed,
        "median_best_ml": float(np.nanmedian(best)),
        "median_last_ml": float(np.nanmedian(last)),
    }
    print(file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
