"""The credibility page: ICH M15 (question, context, influence, risk, criteria) and ASME V&V 40 (verification to applicability)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mesotrial.credibility import gather
from mesotrial.credibility.blocks import FIGURES, Block, Figure, Heading, Items, Table, Text, to_html, to_markdown
from mesotrial.credibility.criteria import criteria
from mesotrial.credibility.figures import coverage_figure, predicted_figure, tornado_figure
from mesotrial.credibility.overlays import overlay_figure
from mesotrial.report import CONTEXT_OF_USE
from mesotrial.report.svg import stand_alone
from mesotrial.validate import PATIENTS

__all__ = ["credibility_page", "scoreboard_page", "write_credibility"]

TITLE = "mesotrial: credibility of the model"
_FAMILIES = {"": "All", "response": "Response", "pfs": "Progression", "os": "Survival", "toxicity": "Side effects"}
_BESIDE = {"mean_abs_z": "Mean |z|", "interval_score": "Interval score", "mean_width": "Width of 90 %"}
_ERRORS = {"rate_points_mae": "Rates, points", "median_percent_mae": "Medians, %"}
_FAIR_SHRINKAGE = 0.1
_SHAPE_ARMS = {"javelin": "avelumab", "confirm": "nivo", "rames": "gem+placebo"}  # one drug each, after platinum


def credibility_page(board: Mapping[str, Any], junit: Path | None = None) -> list[Block]:
    """Return the page's blocks from a scoreboard (`mesotrial.validate`) and, if given, a JUnit report of the tests."""
    return [*_purpose(), *_verification(junit), *_validation(board), *_uncertainty(), *_applicability(), *_card(board)]


def write_credibility(folder: Path, board: Mapping[str, Any], junit: Path | None = None) -> list[Path]:
    """Write credibility.html, credibility.md, scoreboard.md and the pictures of the last two (figures/) into `folder`; return the paths of the pages."""
    blocks = credibility_page(board, junit)
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "credibility.html": to_html(TITLE, blocks),
        "credibility.md": to_markdown(TITLE, blocks),
        "scoreboard.md": to_markdown("mesotrial: scoreboard", scoreboard_page(board)),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / FIGURES).mkdir(exist_ok=True)
    for block in blocks:
        if isinstance(block, Figure):
            (folder / FIGURES / f"{block.name}.svg").write_text(stand_alone(block.svg), encoding="utf-8")
    return [folder / name for name in pages]


def scoreboard_page(board: Mapping[str, Any]) -> list[Block]:
    """Return the blocks of a scoreboard: scores of each role and family, and every row, as it is."""
    columns = ("Trial", "Arm", "Result", "Predicted", "Published", "z", "90 %", "Inside")
    blocks = _validation(board)
    for role in board["roles"]:
        blocks += [
            Heading(f"Every {role} result, the largest miss first", 3),
            Table(columns, gather.every_row(board["rows"], role), 3),
        ]
    return blocks


def _purpose() -> list[Block]:
    return [
        Heading("Question of interest"),
        Text(
            "What response, progression, survival and side effects would a trial of these treatments show in people with pleural mesothelioma, "
            "and how sure can one be before it is run?"
        ),
        Heading("Context of use"),
        Text(CONTEXT_OF_USE),
        Text(
            "The model gives the spread of a trial's results for designs near those it was calibrated to. It ranks designs and shows mechanisms; "
            "it replaces no trial, and no decision about a person may rest on it."
        ),
        Heading("Influence of the model, consequence of a wrong decision, and risk"),
        Table(
            ("", "Judgement", "Why"),
            (
                (
                    "Influence",
                    "low to medium",
                    "one argument among others; published results of the nearest trial stand beside every simulated one",
                ),
                (
                    "Consequence",
                    "medium",
                    "a poor design costs patients and years in a rare disease; nobody is treated on the model's word",
                ),
                ("Risk", "medium at most", "so the checks below are required, and are shown as they are, good or bad"),
            ),
            3,
        ),
        Heading("Technical criteria, set before any result was read"),
        Items(
            (
                "Calibration rows: mean |z| at most 0.7, none beyond 2.5.",
                "Validation rows, never fitted: 90 % intervals that hold about 90 % of published values, clustered by trial; mean |z| at most 0.9.",
                "Interval score and absolute error at least 20 % better than carrying over the nearest trial's number, and better in each family.",
            )
        ),
    ]


def _verification(junit: Path | None) -> list[Block]:
    blocks: list[Block] = [
        Heading("Verification: does the program solve the equations it states?"),
        Items(
            (
                "The assembled model, as SBML, is solved by libRoadRunner too; both agree to one part in a million.",
                "A slow twin in NumPy and SciPy, from the same symbolic form, is compared with the compiled code.",
                "The SBML semantic test suite runs through both; what is refused is refused by name.",
                "Kaplan-Meier, Cox, log-rank and competing risks agree with stored results of R's survival package.",
                "Results are equal to the last bit for any number of threads and any size of chunk.",
            )
        ),
    ]
    if junit is None:
        return [*blocks, Text("The tests were not run for this page; give it a JUnit report to fill this in.")]
    return [*blocks, Table(("Tests", "Passed", "Failed", "Skipped"), gather.tests_by_room(junit))]


def _validation(board: Mapping[str, Any]) -> list[Block]:
    rows = board["rows"]
    blocks: list[Block] = [
        Heading("Validation: do predictions agree with what was published?"),
        Text(
            "The fit was frozen before any validation score was read. The population that ships was changed after that reading, by calibration rows "
            "alone, so that its validation score is not that of a blind prediction."
        ),
        Text(
            f"{board['patients_per_arm']:,} simulated patients an arm, seed {board['seed']}, population {board.get('population', 'unknown')}."
            + (f" Fewer than {PATIENTS:,}: chance moves every figure." if board["patients_per_arm"] < PATIENTS else "")
        ),
        Text("The technical criteria, judged:"),
        Table(("Criterion", "Found", "Met"), criteria(board), 3),
    ]
    for role, scores in board["roles"].items():
        if scores["rows"] == 0:
            continue
        words = (
            "those that the model was fitted to, and others of the same trials"
            if role == "calibration"
            else "never fitted"
        )
        blocks += [Heading(f"{role.capitalize()}: {scores['rows']} results of {scores['trials']} trials ({words})", 3)]
        lines: list[tuple[str, ...]] = []
        beside: list[tuple[str, ...]] = []
        errors: list[tuple[str, ...]] = []
        for key, label in _FAMILIES.items():
            one = scores["families"].get(key, scores) if key else scores
            if one["rows"] == 0:
                continue
            shared, carried = one["shared"], one["shared"]["carry_over"]
            own = (_percent(one["inside90"]) + _range(one), _percent(one["z_coverage"]), _number(one["mean_abs_z"]))
            lines.append((label, str(one["rows"]), *own))
            if shared["rows"]:
                for table, names in ((beside, _BESIDE), (errors, _ERRORS)):
                    pairs = [_number(side[name]) for name in names for side in (shared, carried)]
                    table.append((label, str(shared["rows"]), *pairs))
        blocks += [
            Table(("Family", "Rows", "Inside 90 %", "Covered (z)", "Mean |z|"), lines),
            Text("In brackets: 95 % interval of the share, the results of a trial counted as a cluster."),
        ]
        if beside:
            blocks += [
                Text(
                    "Beside the published number of the nearest calibration arm, carried over without a model, on the rows that both predict "
                    "(scoring scale; smaller is better):"
                ),
                _side_by_side(_BESIDE, beside),
                Text("The median absolute error, in the same way:"),
                _side_by_side(_ERRORS, errors),
            ]
        blocks += [
            Text("The largest misses:"),
        ]
        blocks.append(
            Table(("Trial", "Arm", "Result", "Predicted", "Published", "z"), gather.worst_rows(rows, role), 3)
        )
    if compared := gather.comparisons(board["rows"]):
        blocks += [
            Heading("Which arm is better, and with what probability", 3),
            Text(
                "Predicted hazard ratios, and the probability that a new trial of the published size would have one below 1."
            ),
            Table(("Trial", "Arms", "Ratio", "Predicted", "90 %", "Published", "Below 1"), compared, 3),
        ]
    if board["not_predicted"]:
        blocks += [
            Text("Scored results without a prediction, which no figure above counts:"),
            Table(
                ("Trial", "Arm", "Role", "Why", "Rows"),
                [
                    tuple(str(one[key]) for key in ("trial", "arm", "role", "why", "rows"))
                    for one in board["not_predicted"]
                ],
                4,
            ),
        ]
    overlays: list[Block] = [
        Figure(
            overlay_figure(board, about, parameter),
            f"{about['trial']}, {parameter}: lines are simulated, dots published with their intervals, thin steps read from printed curves.",
            f"{about['design']}-{parameter.lower()}",
        )
        for about in board["trials"]
        if about.get("curves")
        for parameter in ("PFS", "OS")
    ]
    return [
        *blocks,
        Figure(predicted_figure(rows, "rate"), "Predicted against published rates, with both intervals.", "rates"),
        Figure(
            predicted_figure(rows, "median"),
            "Predicted against published median times, with both intervals.",
            "medians",
        ),
        Figure(
            coverage_figure(rows),
            "Share of published values inside the model's prediction intervals of every level; on the line, intervals hold what they promise. "
            "Results whose interval has no upper end are left out.",
            "coverage",
        ),
        Heading("Tumour courses beside those of another cancer", 3),
        Text(
            "A check of shape, not a target: another disease, one lesion a patient, and those who progressed early are missing there. Quantiles."
        ),
        Table(("Arm", "Quantity", "10 %", "25 %", "50 %", "75 %", "90 %"), gather.tumour_shapes(board, _SHAPE_ARMS), 2),
        Heading("Simulated curves under published ones", 3),
        *_distances(board),
        *overlays,
    ]


def _side_by_side(names: Mapping[str, str], lines: list[tuple[str, ...]]) -> Table:
    return Table(("Family", "Rows", *(f"{name}{who}" for name in names.values() for who in ("", ", carried"))), lines)


def _distances(board: Mapping[str, Any]) -> list[Block]:
    lines = [
        (about["trial"], one["arm"], one["parameter"], f"{found['months']:.0f}")
        + tuple(
            f"{100 * found[name]:{form}}"
            for name, form in (("distance", ".1f"), ("difference", "+.1f"), ("by_chance", ".1f"))
        )
        for about in board["trials"]
        for one in about.get("curves", ())
        if (found := one.get("published"))
    ]
    if not lines:
        return []
    return [
        Text(
            "Whole curves where they were digitised: the distance between simulated and published curve, integrated over the months in which both are "
            "followed and divided by them, in points; with its sign (above 0, the model is higher); and what a trial of that size would show by chance. "
            "Landmarks of these curves are among what the model was fitted to."
        ),
        Table(("Trial", "Arm", "Curve", "Months", "Distance", "Difference", "By chance"), lines, 3),
    ]


def _uncertainty() -> list[Block]:
    counts, guesses = gather.parameter_statuses()
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    blocks: list[Block] = [
        Heading("Uncertainty: what is known of the numbers?"),
        Text(f"Population parameters: {listed}."),
        Table(("Guessed parameter", "What the guess rests on"), guesses, 2),
    ]
    informed = gather.calibration_table("informed.csv")
    if informed:
        blocks += [
            Text(
                "From prior to posterior. Shrinkage is 1 - posterior SD / prior SD: near 0, the data say nothing of the quantity, and its prior is what "
                "the predictions carry."
            ),
            Table(
                ("Quantity", "Prior, 90 %", "Posterior mean", "90 %", "Shrinkage", "Goes with", "Correlation"),
                [
                    (
                        row["path"],
                        f"{row['prior_lo90']} to {row['prior_hi90']}",
                        row["posterior_mean"],
                        f"{row['posterior_lo90']} to {row['posterior_hi90']}",
                        row["shrinkage"],
                        row["companion"],
                        row["correlation"],
                    )
                    for row in informed
                ],
            ),
        ]
        idle = [row["path"] for row in informed if float(row["shrinkage"]) < _FAIR_SHRINKAGE]
        blocks.append(Text(f"Hardly informed by the data: {', '.join(idle) or 'none'}."))
    if ranks := gather.calibration_table("known_truth.csv"):
        tenths = [sum(int(row[f"tenth_{place}"]) for row in ranks) for place in range(1, 11)]
        outer, middle = (
            10 * sum(tenths[place] for place in places) / len(places) / sum(tenths) for places in ((0, 9), (4, 5))
        )
        blocks.append(
            Text(
                "Known truths (each posterior draw as the truth once, inferred from what it simulates): the two outer tenths of the inferred distributions "
                f"hold {outer:.2f} times as many as they should, the two middle ones {middle:.2f}. Above 1 outside, the posterior is too narrow."
            )
        )
    sensitive = gather.calibration_table("sensitivity.csv")
    if sensitive:
        top = sorted(sensitive, key=lambda row: -sum(float(row[name]) for name in ("response", "pfs", "os")))[:12]
        blocks += [
            Text("Sensitivity (PAWN index over the prior, chance subtracted), the twelve largest:"),
            Figure(
                tornado_figure(top, {"response": "Response", "pfs": "Progression", "os": "Survival"}),
                "Sensitivity.",
                "sensitivity",
            ),
            Table(("Quantity", "Response", "Progression", "Survival"), [tuple(row.values()) for row in top]),
        ]
    return [*blocks, Text("Numbers of the drugs, by status:"), Table(
        ("Drug", "", "Verified", "Recalled", "Derived", "Guess"), gather.drug_statuses(), 2
    )]  # fmt: skip


def _applicability() -> list[Block]:
    return [
        Heading("Applicability: for whom, and for what?"),
        Text(
            "The populations of the trials in the catalogue. Outside them, results are refused or marked as extrapolation."
        ),
        Table(
            ("Trial", "Line", "Age, years", "Epithelioid", "ECOG 1 or more", "PD-L1 1 % or more"),
            gather.applicability(),
            2,
        ),
        Items(
            (
                "Pleural mesothelioma; peritoneal disease is not modelled.",
                "Exploratory treatments have no human evidence in mesothelioma: their outcomes for people are shown as not known.",
                "Treatment after progression is a hazard ratio fitted for first line, not a simulated second line, unless the design writes one.",
                "PD-L1 is one latent score that drives both the reading and the checkpoint; its weak predictive value in trials is an outcome, not an input.",
            )
        ),
    ]


def _card(board: Mapping[str, Any]) -> list[Block]:
    from mesotrial.population import load_parameters, load_posterior
    from mesotrial.population.parameters import RUN_DRAWS

    scores = board["roles"].get("validation", {})
    return [
        Heading("Model card"),
        Table(
            ("", ""),
            (
                (
                    "Model",
                    f"mesotrial {version('mesotrial')}, population {board.get('population', load_parameters().version)}",
                ),
                (
                    "Kind",
                    "mechanistic: ordinary differential equations for tumour, immune cells and drugs; hazards for what a clinic sees",
                ),
                (
                    "Fitted to",
                    "published results of role calibration, by an ensemble smoother and posterior linearisation; individual patient data: none",
                ),
                (
                    "Uncertainty",
                    f"the first {RUN_DRAWS} of {len(load_posterior())} draws of the posterior, patients, trial size and spread between trials",
                ),
                ("Held out", f"{scores.get('rows', 0)} results of {scores.get('trials', 0)} trials"),
                ("Use", "hypotheses, teaching, exploring designs"),
                ("Not for", "the care of a person; claims of efficacy; regulatory submission without further evidence"),
                ("Licence", "Apache-2.0"),
            ),
            2,
        ),
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _range(scores: Mapping[str, Any]) -> str:
    """Return the interval of the share inside, empty where a scoreboard has none."""
    low, high = scores.get("inside90_lo95"), scores.get("inside90_hi95")
    return "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
