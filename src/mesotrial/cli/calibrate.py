"""``calibrate``: fit the population to published calibration results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag, names_in

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("calibrate")(calibrate)


def calibrate(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the calibration; run again to go on.")
    ] = Path("calibration"),
    targets: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Designs to fit to; by default every calibration trial.", show_default=False),
    ] = None,
    members: Annotated[
        int, typer.Option(metavar="N", help="Parameter sets in the smoother's ensemble, at least 10.")
    ] = 100,
    draws: Annotated[int, typer.Option(metavar="N", help="Parameter sets in the posterior, at least 10.")] = 200,
    patients: Annotated[
        int,
        typer.Option(
            "--patients", "-n", metavar="N", help="Simulated patients of each arm, for each set, at least 50."
        ),
    ] = 400,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same posterior.")] = 1,
    processes: Annotated[
        int | None, typer.Option(metavar="P", help="Processes; by default one a core.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Fit the population to published results of role calibration: an ensemble smoother (ES-MDA), then iterated posterior linearisation.

    Results kept for validation are refused. Every evaluation is kept as soon as it is done, so that an interrupted calibration goes on where it stopped;
    all of it takes 1.4 hours of one processor. The folder ends with `posterior.csv` (equally likely parameter sets), `fitted.yaml` (their means),
    `targets.csv` (published against fitted), `informed.csv` (prior to posterior), `sensitivity.csv` (PAWN) and `known_truth.csv` (simulation-based
    calibration).

    `mesotrial run maps2 --population DIR` then takes these patients.

    It needs the extra `search`; in a clone: `.uv/bin/uv run --extra search mesotrial calibrate`.

    Examples:

    - `mesotrial calibrate --out calibration`
    - `mesotrial calibrate --targets confirm,determine --members 60 --patients 200 --out quick`
    """
    import numpy as np

    from mesotrial.analysis import RefusedTargetError
    from mesotrial.analysis.codes import COVERED
    from mesotrial.calibration import calibrate as fit
    from mesotrial.calibration import load_targets
    from mesotrial.calibration.fit import kept_evaluations
    from mesotrial.calibration.results import write_results
    from mesotrial.calibration.targets import DESIGNS
    from mesotrial.cli.progress import Reporter
    from mesotrial.run import RequestError

    designs = DESIGNS if targets is None else names_in("--targets", targets)
    kept = kept_evaluations(out)
    opening = f"Calibrating in {out}" + (f", which holds {kept} evaluations" if kept else "")
    with Reporter(opening, quiet=quiet, unit="evaluations") as reporter:
        try:
            found = fit(
                out,
                members=members,
                draws=draws,
                patients_per_arm=patients,
                seed=seed,
                processes=processes,
                targets=load_targets(designs),
                progress=reporter.progress,
            )
        except RefusedTargetError as error:
            raise RequestError(str(error)) from None
        except KeyboardInterrupt:
            kept = kept_evaluations(out)
            print(f"Interrupted; {kept} evaluations are kept in {out}: the same command goes on.", file=sys.stderr)
            raise
    provenance = f"ES-MDA ({members} members) and posterior linearisation, {patients} patients per arm, seed {seed}, designs {' '.join(designs)}"
    written = write_results(out, found, provenance=provenance)
    z = found.z()[np.isfinite(found.z())]  # a median that no draw reached has none
    mean, covered, worst = float(abs(z).mean()), float((abs(z) <= COVERED).mean()), float(abs(z).max())
    if as_json:
        from mesotrial.cli.output import print_json

        files = [str(path) for path in written]
        print_json({"targets": len(z), "mean_abs_z": mean, "covered": covered, "worst": worst, "files": files})
        return
    from mesotrial.cli.output import console

    terminal = console()
    terminal.print(f"{len(z)} targets: mean |z| {mean:.2f}, {100 * covered:.0f} % covered, the worst |z| {worst:.2f}")
    for path in written:
        terminal.print(f"  {path}")
