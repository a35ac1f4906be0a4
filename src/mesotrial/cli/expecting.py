"""What ``explain`` says of a quick simulation: expected counts, when events come, what a test can find, what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from mesotrial.analysis.expected import Expectation
    from mesotrial.analysis.misgivings import Misgiving
    from mesotrial.catalogue import Design

__all__ = ["counts", "expect", "said", "wrongs"]


def expect(design: Design, patients: int, *, quiet: bool) -> Expectation:
    """Simulate `patients` patients an arm and return what to expect of the trial."""
    from mesotrial.analysis.expected import expectation
    from mesotrial.cli.progress import Reporter
    from mesotrial.run import RequestError
    from mesotrial.trial import simulate_trial

    if not 2 <= patients <= 100_000:
        raise RequestError(f"--patients must be from 2 to 100,000, not {patients}")
    opening = f"A quick simulation of {patients} patients an arm; --fast leaves it out"
    with Reporter(opening, quiet=quiet) as reporter:
        trial = simulate_trial(design, patients_per_arm=patients, progress=reporter.progress)
    return expectation(design, trial.tables, None if trial.lead_in is None else trial.lead_in.to_dict())


def counts(expected: Expectation) -> Table:
    """Make the table of expected counts, one column an arm."""
    from mesotrial.cli.output import table

    arms = expected.arms
    names = [arm.arm for arm in arms]
    made = table(f"Expected, from {arms[0].simulated} simulated patients an arm (rough)", "", *names, right=names)
    made.add_row("Patients", *(str(arm.patients) for arm in arms))
    for drug in dict.fromkeys(drug for arm in arms for drug in arm.doses):
        doses = (f"{arm.doses[drug]:,.0f}" if drug in arm.doses else "" for arm in arms)
        made.add_row(f"Doses of {drug}", *doses)
    for name, heading in (
        ("scans", "Scans after baseline"),
        ("responses", "Responses"),
        ("progressions", "Progressions or deaths (PFS)"),
        ("deaths", "Deaths"),
        ("severe", "Patients with a related event of grade 3 or worse"),
        ("stopped_for_toxicity", "Patients who stop for side effects"),
        ("lost", "Lost to follow-up"),
    ):
        made.add_row(heading, *(f"{getattr(arm, name):,.0f}" for arm in arms))
    for name, heading in (("pfs_median", "PFS, median months"), ("os_median", "OS, median months")):
        values = (getattr(arm, name) for arm in arms)
        made.add_row(heading, *(f"{value:.1f}" if value == value else "not reached" for value in values))
    return made


def said(expected: Expectation) -> Iterator[str]:
    """Say when events come, and what a comparison of the arms at the end of the trial can find."""
    from mesotrial.report.lead_in import lead_in_counts

    if expected.lead_in is not None:
        yield lead_in_counts(expected.lead_in)
    for events in expected.events:
        quarters = events.by_quarter()
        shown = quarters[:: -(-len(quarters) // 7)]
        shown = shown if shown[-1] == quarters[-1] else [*shown, quarters[-1]]
        listed = ", ".join(f"{one['events']:.0f} by month {one['month']:g}" for one in shown)
        yield f"{'Deaths' if events.parameter == 'OS' else 'Progressions or deaths'} of all arms: {listed}."
    if len(expected.looks) > 1 or any(look.month != look.month for look in expected.looks):
        shown_looks = (
            f"{look.name} at {look.events:.0f} events, {'never' if look.month != look.month else f'month {look.month:.0f}'}"
            for look in expected.looks
        )
        yield f"Analyses of {expected.events[0].parameter}: {'; '.join(shown_looks)}."
    for one in expected.contrasts:
        yield (
            f"{one.parameter}, {one.arm} against {one.other}, at the final analysis: about {one.events:.0f} events; a two-sided {100 * one.alpha:g} % "
            f"log-rank test finds a hazard ratio of {one.detectable:.2f} in 80 % of trials. "
            f"Simulated here: {one.ratio:.2f} ({one.lower:.2f} to {one.upper:.2f})."
        )


def wrongs(wrong: Sequence[Misgiving], *, fast: bool) -> Iterator[str]:
    """Say what looks wrong, one line each."""
    yield ""
    if not wrong:
        yield "Nothing looks wrong" + (" (without the quick simulation)." if fast else ".")
        return
    yield f"What looks wrong ({len(wrong)}):"
    for one in wrong:
        yield f"- {one.where}: {one.message}."
