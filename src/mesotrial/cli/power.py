"""``power``: how often a trial of this design would succeed, if the model were right."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mesotrial.cli.options import DesignName, JsonFlag, QuietFlag

__all__ = ["register"]

_MONTHS_SHOWN = 8


class Solve(StrEnum):
    """What to look for."""

    PATIENTS = "patients"
    EVENTS = "events"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("power")(power)


def power(
    design: DesignName,
    trials: Annotated[int, typer.Option("--trials", metavar="K", min=50, help="Resampled trials.")] = 5000,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients",
            metavar="N",
            min=1,
            help="Patients in all arms together, instead of the design's.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option(
            "--events",
            metavar="D",
            min=1,
            help="Events at the final analysis, instead of the design's.",
            show_default=False,
        ),
    ] = None,
    solve: Annotated[
        Solve | None,
        typer.Option(
            help="Find the fewest patients (events growing with them) or events for the wanted power.",
            show_default=False,
        ),
    ] = None,
    wanted: Annotated[
        float | None,
        typer.Option("--power", metavar="P", help="The wanted power, instead of the design's.", show_default=False),
    ] = None,
    enroll_rate: Annotated[
        Path | None,
        typer.Option(
            "--enroll-rate",
            metavar="CSV",
            help="Accrual as gsDesign2's table: stratum, duration, rate.",
            show_default=False,
        ),
    ] = None,
    enroll_rate_out: Annotated[
        Path | None,
        typer.Option("--enroll-rate-out", metavar="CSV", help="Write the accrual as such a table.", show_default=False),
    ] = None,
    bank: Annotated[
        int, typer.Option("--bank", metavar="N", min=50, help="Patients simulated in each arm, to resample from.")
    ] = 4000,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            metavar="K",
            min=0,
            help="Draws of the model's posterior for the assurance, each with a bank of its own.",
        ),
    ] = 8,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="The same seed gives the same answer.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="T", min=1, help="Threads; by default all. Results do not depend on it.", show_default=False
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Estimate the power of a design: patients are simulated once, and resampled into thousands of trials.

    Accrual, drop-out, interim looks, crossover and the test are those of the design's `analysis`; without one, overall survival is compared with the last
    arm by the log-rank test. The power is that in a world where the model is right; the assurance is over what is not known
    of its parameters and between trials. Simulated patients are kept for the next question.

    Examples:

    - `mesotrial power examples/phase3_power.yaml`
    - `mesotrial power checkmate743 --trials 10000 --json`
    - `mesotrial power my-trial.yaml --solve patients --power 0.8`
    """
    from mesotrial.analysis.power import power as estimate
    from mesotrial.analysis.power import read_enroll_rate, write_enroll_rate
    from mesotrial.catalogue import load_design
    from mesotrial.cli.progress import Reporter
    from mesotrial.run.banks import KeptBanks

    trial = load_design(design)
    accrual = read_enroll_rate(enroll_rate) if enroll_rate is not None else ()
    with Reporter(
        f"{trial.title}\n{bank:,} patients in each arm, then {trials:,} trials; seed {seed}", quiet=quiet, unit="done"
    ) as reporter:
        found = estimate(
            trial,
            trials=trials,
            patients=patients,
            events=events,
            solve=None if solve is None else solve.value,
            wanted=wanted,
            accrual=accrual,
            bank_per_arm=bank,
            draws=_draws(draws),
            seed=seed,
            threads=threads,
            progress=reporter.progress,
            store_of=KeptBanks(seed),
        )
    if enroll_rate_out is not None:
        write_enroll_rate(enroll_rate_out, found.get("enroll_rate", ()))
    if as_json:
        from mesotrial.cli.output import print_json

        print_json(found)
    else:
        _show(found)


def _draws(count: int) -> tuple[Any, ...]:
    if count == 0:
        return ()
    from mesotrial.population import load_posterior

    sets = load_posterior()
    return sets[:count] if len(sets) > 1 else ()


def _show(found: Mapping[str, Any]) -> None:
    from mesotrial.cli.output import console
    from mesotrial.report import CONTEXT_OF_USE

    out = console()
    out.print(
        f"Power {_percent(found, 'power')}, type I error {_percent(found, 'type1', 'type1_mc_se')}",
        style="bold",
    )
    if found["exploratory"]:
        out.print(
            f"No trial has shown that what is given in {', '.join(found['exploratory'])} helps people with mesothelioma: this power is not known. "
            "The bands go over the range of how much of its mechanism may carry over to people."
        )
    out.print(f"{found['trials']:,} trials; expected duration {_number(found, 'expected_duration_months', 1)} months")
    if "method" in found:
        _show_one_arm(found)
    else:
        _show_two_arms(found)
    out.print("\n± is one standard error of the resampling. All of it holds in a world where the model is right.")
    out.print(CONTEXT_OF_USE)


def _show_one_arm(found: Mapping[str, Any]) -> None:
    from mesotrial.cli.output import console, table

    right = ("Rate", "n", "Passes from", "Power", "exact", "Type I", "exact ", "Assurance")
    made = table(f"{found['endpoint']}, {found['method'].replace('_', ' ')}", "Arm", *right, right=right)
    for row in found["arms"]:
        stage = f" ({row['first_stage_least']} of {row['first_stage_n']} first)" if "first_stage_n" in row else ""
        made.add_row(
            row["arm"],
            _share(row, "rate_bank"),
            str(row["n"]),
            f"{row['least']}{stage}",
            _percent(row, "power"),
            _share(row, "power_exact"),
            _percent(row, "type1", "type1_mc_se"),
            _share(row, "type1_exact"),
            _share(row, "assurance"),
        )
    console().print(made)


def _show_two_arms(found: Mapping[str, Any]) -> None:
    from mesotrial.cli.output import console, table

    out, assurance = console(), found["assurance"]
    out.print(
        f"The bank of {found['bank_per_arm']:,} an arm, being finite, adds a standard error of {_points(found)} points to the power."
    )
    draws = assurance["posterior_draws"]
    over = f"{draws} posterior draws and " if draws else ""
    out.print(f"Assurance, over {over}the spread between trials of one treatment: {_percent(assurance, 'value')}")
    if assurance["by_draw_90"] and assurance["draws_se"] is not None:
        low, high = assurance["by_draw_90"]
        out.print(
            f"By draw {100 * low:.1f} to {100 * high:.1f} %; so few draws add a standard error of {100 * assurance['draws_se']:.1f} points to the assurance."
        )
    if solution := found.get("solution"):
        out.print(
            f"Fewest {solution['solved']} for a power of {solution['wanted_power']:g}: {solution['found']}"
            if solution["found"]
            else solution["why_not"],
            style="bold",
        )
    arms = table(
        f"{found['endpoint']}, {found['patients']} patients, against {found['comparator']}, one-sided {found['alpha']:g}",
        "Arm", "Median", "Hazard ratio", "90 % of trials", "Power", "Type I",
        right=("Median", "Hazard ratio", "90 % of trials", "Power", "Type I"),
    )  # fmt: skip
    for row in found["arms"]:
        ratio = row.get("hazard_ratio_90")
        arms.add_row(
            row["arm"],
            _number(row, "median_months", 1),
            _number(row, "hazard_ratio_bank", 2),
            f"{ratio[0]:.2f}–{ratio[1]:.2f}" if ratio else "",
            _percent(row, "power") if "power" in row else "",
            _percent(row, "type1", "type1_mc_se") if "type1" in row else "",
        )
    out.print(arms)
    right = ("Events", "Month", "Z", "Futile at", "Succeeds", "Futile", "Succeeds if no effect", "Futile if no effect")
    looks = table("Looks", "When", *right, right=right)
    for row in found["looks"]:
        looks.add_row(
            row["when"],
            _number(row, "expected_events", 0),
            _number(row, "expected_month", 1),
            _number(row, "z_efficacy", 3),
            _number(row, "z_futility", 3),
            *(
                _share(row, name)
                for name in (
                    "stops_for_efficacy",
                    "stops_for_futility",
                    "stops_for_efficacy_no_effect",
                    "stops_for_futility_no_effect",
                )
            ),
        )
    out.print(looks)
    tests = table(
        "What each test would have concluded at the final analysis, without looks",
        "Test",
        "Finds the effect",
        "False alarm",
        right=("Finds the effect", "False alarm"),
    )
    for row in found["tests"]:
        name = f"{row['test']} (decides)" if row["decides"] else row["test"]
        tests.add_row(name, _percent(row, "concludes"), _percent(row, "type1", "type1_mc_se"))
    out.print(tests)
    if crossover := found.get("crossover"):
        made = table(
            f"Crossover of {crossover['share']:.0%} of {crossover['arm']} at progression ({crossover['source']})",
            "Estimand",
            "Power",
            "Hazard ratio",
            right=("Power", "Hazard ratio"),
        )
        for key, name in (
            ("treatment_policy", "treatment policy"),
            ("hypothetical_no_crossover", "had nobody crossed over"),
        ):
            made.add_row(
                name,
                _percent(crossover[key], "power"),
                _number(crossover[key], "hazard_ratio_median", 2),
            )
        out.print(made)
    if grown := found.get("reestimated"):
        out.print(
            f"Enlarged after the look: {_share(grown, 'share')} of trials; {_number(grown, 'mean_patients', 0)} patients on average"
        )
    steps = found["over_time"]
    time = table(
        "Over time",
        "Month",
        "Patients",
        "Events",
        "90 %",
        "Still running",
        right=("Month", "Patients", "Events", "90 %", "Still running"),
    )
    for row in steps[:: max(1, len(steps) // _MONTHS_SHOWN)]:
        time.add_row(
            f"{row['month']:.0f}",
            _number(row, "enrolled", 0),
            _number(row, "events", 0),
            f"{_least(row, 'events_lo90'):.0f}–{_most(row, 'events_hi90'):.0f}",
            _share(row, "still_running"),
        )
    if steps:
        out.print(time)


def _points(found: Mapping[str, Any]) -> str:
    low, high = (f"{100 * one:.1f}" for one in (_least(found, "bank_se"), _most(found, "bank_se")))
    return low if low == high else f"{low} to {high}"


def _least(row: Mapping[str, Any], name: str) -> float:
    return float(row[f"{name}_band"][0] if row[name] is None else row[name])


def _most(row: Mapping[str, Any], name: str) -> float:
    return float(row[f"{name}_band"][1] if row[name] is None else row[name])


def _percent(row: Mapping[str, Any], name: str, se: str = "mc_se") -> str:
    """Write a share with its standard error, or the band of one that nobody knows."""
    if band := row.get(f"{name}_band"):
        return f"{100 * band[0]:.1f} to {100 * band[1]:.1f} %"
    share, error = row.get(name), row.get(se)
    if share is None or error is None or share != share:
        return "–"
    return f"{100 * share:.1f} % ± {100 * error:.1f}"


def _share(row: Mapping[str, Any], name: str) -> str:
    if band := row.get(f"{name}_band"):
        return f"{100 * band[0]:.1f} to {100 * band[1]:.1f} %"
    return "" if row.get(name) is None else f"{100 * row[name]:.1f} %"


def _number(row: Mapping[str, Any], name: str, digits: int) -> str:
    if band := row.get(f"{name}_band"):
        return f"{band[0]:.{digits}f} to {band[1]:.{digits}f}"
    value = row.get(name)
    if value is None or value != value:
        return ""
    return "never" if abs(value) == float("inf") else f"{value:.{digits}f}"
