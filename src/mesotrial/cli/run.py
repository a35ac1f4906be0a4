"""``run`` and ``report``: the main job, and its page again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesotrial.cli.options import DesignName, JsonFlag, QuietFlag

if TYPE_CHECKING:
    from mesotrial.catalogue import Design
    from mesotrial.run import Run

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run)
    app.command("report")(report)


def run(
    design: DesignName,
    patients_per_arm: Annotated[
        int | None,
        typer.Option(
            "--patients-per-arm",
            "-n",
            metavar="N",
            help="Patients in each arm; without it the design's own sizes and a bank of 2,000 an arm.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="S", help="The same seed gives the same patients and the same results.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="The run's folder; without it runs/ and the name of the design.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="T", help="Threads; by default all. Results do not depend on it.", show_default=False),
    ] = None,
    population: Annotated[
        str,
        typer.Option(
            metavar="fitted|typical|DIR",
            help="fitted: patients as they differ. typical: everyone has the median parameters. DIR: those of a calibration.",
        ),
    ] = "fitted",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    all_rows: Annotated[
        bool,
        typer.Option("--all-rows", help="Show every endpoint, not only those that are scored or on the patient page."),
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Run a trial: simulate it, compare it with what was published, write its tables and its page.

    The run is a folder. The same command finds a finished run again and goes on with one that was cut off; with more patients per arm it extends the one in
    the folder.

    Examples:

    - `mesotrial run maps2`
    - `mesotrial run checkmate743 --patients-per-arm 1000 --seed 7`
    - `mesotrial run checkmate743 --patients-per-arm 5000 --seed 7 --out runs/checkmate743-n5000-seed7`
    - `mesotrial run my-trial.yaml --out runs/first-try --json`
    """  # fmt: skip
    from mesotrial.catalogue import load_design
    from mesotrial.cli.progress import Reporter
    from mesotrial.run import run_trial

    trial = load_design(design)
    silent = quiet or as_json
    with Reporter(_announcement(trial, patients_per_arm, seed), quiet=quiet) as reporter:
        try:
            done = run_trial(
                trial,
                out=out,
                patients_per_arm=patients_per_arm,
                seed=seed,
                threads=threads,
                population=population,
                progress=reporter.progress,
                command=_command_line(),
            )
        except KeyboardInterrupt as error:
            reporter.say(str(error))
            raise
    reporter.say(_ending(done))
    if as_json:
        _print_run(done)
    if not silent:
        from mesotrial.cli.results import show_results

        show_results(done.design, done.summary, all_rows=all_rows)
    if not as_json:
        print(done.report)
    if open_page:
        _open(done.report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.", show_default=False)],
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make the page of a run anew, from the run's own files.

    Examples:

    - `mesotrial report runs/maps2`
    - `mesotrial report runs/maps2 --open`
    """
    from mesotrial.cli.output import print_json
    from mesotrial.run import remake_report

    path = remake_report(run)
    if as_json:
        print_json({"run": run, "report": path})
    else:
        print(path)
    if open_page:
        _open(path)


def _announcement(design: Design, patients_per_arm: int | None, seed: int) -> str:
    sizes = " + ".join(f"{patients_per_arm or arm.n:,} {arm.label}" for arm in design.arms)
    bank = "" if patients_per_arm else ", and 2,000 per arm for the intervals"
    return f"{design.title}\n{sizes}{bank}; seed {seed}"


def _ending(run: Run) -> str:
    if run.reused:
        return f"This run was finished already, on {run.status['finished'][:10]}: nothing was simulated anew."
    timings = run.provenance["timings"]
    parts = ", ".join(
        f"{name} {seconds:.1f} s" for name, seconds in timings.items() if name != "total" and seconds >= 0.05
    )
    kept = f"{run.kept:,} of {run.status['total']:,} patients were there and kept; " if run.kept else ""
    return f"{kept}{parts}; in all {timings['total']:.1f} s"


def _print_run(run: Run) -> None:
    from mesotrial.cli.output import print_json

    provenance = run.provenance
    print_json(
        {
            "run": run.path,
            "report": run.report,
            "state": run.status["state"],
            "reused": run.reused,
            "patients_kept": run.kept,
            "timings": provenance["timings"],
            "summary": run.summary,
        }
    )


def _command_line() -> str:
    import shlex

    return shlex.join(["mesotrial", *sys.argv[1:]])


def _open(path: Path) -> None:
    import webbrowser

    webbrowser.open(path.resolve().as_uri())
