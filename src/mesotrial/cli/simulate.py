"""``simulate``: anyone's model over time, with or without doses."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mesotrial.cli.options import JsonFlag, QuietFlag

if TYPE_CHECKING:
    from mesotrial.cli.parameters import Parameters
    from mesotrial.engine import EventTable, Model, Simulator

__all__ = ["register"]

_MOST_ROWS = 50_000_000  # patients times days of one file
_SHOWN = 20  # failures told one by one
_TOGETHER = 2_000  # patients between two steps of the progress bar


class Method(StrEnum):
    """How to integrate."""

    AUTO = "auto"
    TSIT5 = "tsit5"
    ROSENBROCK = "rosenbrock"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("simulate")(simulate)


def simulate(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A model in SBML (.xml, .sbml) or Antimony (.ant).", show_default=False),
    ],
    until: Annotated[float, typer.Option(metavar="DAYS", help="The last day.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="What to write: .parquet or .csv.", show_default=False)
    ],
    step: Annotated[float, typer.Option(metavar="DAYS", help="Days between two rows.")] = 1.0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A constant, or a state at the start; may be repeated."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="One patient a row: ID (or none), and constants and states by name; .csv or .parquet.",
            show_default=False,
        ),
    ] = None,
    doses: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="NONMEM event rows: ID TIME EVID AMT RATE DUR CMT II ADDL SS. CMT: best a state's name; or its number, "
            "in the order of the columns written without --observe.",
            show_default=False,
        ),
    ] = None,
    observe: Annotated[
        str, typer.Option(metavar="A,B", help="What to write; without it every state and every assigned quantity.")
    ] = "",
    method: Annotated[
        Method, typer.Option(help="tsit5: explicit. rosenbrock: for stiff models. auto: whichever the model needs.")
    ] = Method.AUTO,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Simulate any SBML or Antimony model and write a table: ID, TIME and one column a quantity.

    Time is the model's own; doses take it for days. Each row of the table is a patient, or each ID of the doses; doses
    without ID are for every patient. Doses act before the row of the same time.

    Examples:

    - `mesotrial simulate model.ant --until 365 --out result.parquet`
    - `mesotrial simulate model.xml --until 84 --step 0.5 --set CL=0.2 --set V1=3.1 --doses doses.csv --out result.csv`
    - `mesotrial simulate model.ant --until 365 --table patients.csv --observe tumour --out result.parquet`
    """  # fmt: skip
    from mesotrial.cli.output import console, print_json
    from mesotrial.cli.parameters import read_parameters
    from mesotrial.engine import EventError, ModelError, ResultCode, SteadyStateError, load_model
    from mesotrial.run import RequestError

    _check(until, step, out, [path for path in (model, doses, table) if path is not None])
    loaded = load_model(model)
    parameters = read_parameters(settings or [], table, loaded)
    names = [name.strip() for name in observe.split(",") if name.strip()] or [*loaded.states, *loaded.algebra]
    if not names:
        raise RequestError(f"{model}: nothing in the model changes: name constants to write with --observe")
    try:
        events = _events(doses, loaded, parameters)
        times = _times(until, step, len(events.patients))
        simulator = _compile(loaded, parameters, names, events, method)
        columns, state = _run(simulator, loaded, parameters, events, times, quiet=quiet)
    except ModelError as error:
        raise RequestError(f"{model}: {error}") from error
    except (EventError, SteadyStateError) as error:
        raise RequestError(f"{doses}: {error}") from error
    _write(out, events, times, columns)
    codes = [ResultCode(code) for code in state.tolist()]
    failed = [f"{name}: {code.sentence}" for name, code in zip(events.patients, codes, strict=True) if code]
    if as_json:
        rows = len(events.patients) * len(times)
        print_json({"file": out, "patients": len(events.patients), "rows": rows, "columns": names, "failed": failed})
    elif not quiet:
        console(error=True).print(
            f"Wrote {out}: {len(events.patients)} patients, {len(times)} times, {len(names)} quantities"
        )
    if failed:
        more = [f"and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
        told = ["Not all could be simulated to the end:", *failed[:_SHOWN], *more]
        console(error=True).print("\n".join(told))
        raise typer.Exit(1)


def _check(until: float, step: float, out: Path, read: list[Path]) -> None:
    from mesotrial.run import RequestError

    if not 0 < until < float("inf") or not 0 < step < float("inf"):
        raise RequestError(f"--until and --step must be positive numbers of days, not {until:g} and {step:g}")
    if out.suffix not in (".parquet", ".csv"):
        raise RequestError(f"--out must end in .parquet or .csv: {out}")
    if not out.parent.is_dir():
        raise RequestError(f"there is no folder {out.parent} to write {out.name} to")
    for path in read:
        if out.exists() and path.exists() and out.samefile(path):
            raise RequestError(f"--out {out} would overwrite {path}, which is read: name another file")


def _events(path: Path | None, model: Model, parameters: Parameters) -> EventTable:
    from mesotrial.engine import read_events
    from mesotrial.run import RequestError

    patients = parameters.patients
    try:
        events = read_events(
            {"TIME": [0]} if path is None else path, tuple(model.states), patients=patients, start_days=0
        )
    except OSError as error:
        raise RequestError(f"the doses {path} cannot be read: {error.strerror or error}") from error
    if path is not None and not events.every_dose and not any(events.restarts):
        raise RequestError(
            f"the doses {path} hold no dose: the amounts stand in a column AMT, the states in CMT, the days in TIME"
        )
    return events


def _times(until: float, step: float, patients: int) -> Any:
    import numpy as np

    from mesotrial.run import RequestError

    count = until / step * patients
    if count > _MOST_ROWS:
        raise RequestError(f"{count:,.0f} rows are too many: take a longer --step")
    times = np.arange(int(until / step * (1 + 1e-12)) + 1) * step
    return times if times[-1] >= until * (1 - 1e-12) else np.append(times, until)


def _compile(model: Model, parameters: Parameters, names: list[str], events: EventTable, method: Method) -> Simulator:
    from mesotrial.engine import compile_model

    inputs = [name for name in parameters.values if name in model.constants]
    # A state that is set counts as dosed: it may start at zero in the model and must not be eliminated for that.
    dosed = tuple(dict.fromkeys([*events.dosed(), *(name for name in parameters.values if name in model.states)]))
    slow = model.events or model.delays or model.equilibria
    backend: Literal["numba", "reference"] = "reference" if slow else "numba"
    return compile_model(model, observables=names, inputs=inputs, dosed=dosed, backend=backend, method=method.value)


def _run(
    simulator: Simulator, model: Model, parameters: Parameters, events: EventTable, times: Any, *, quiet: bool
) -> tuple[dict[str, Any], Any]:
    """Return each quantity (patients, times), and the result code of each patient."""
    import numpy as np

    from mesotrial.cli.progress import Reporter
    from mesotrial.engine import run_events

    n = len(events.patients)
    everyone = {name: np.broadcast_to(value, (n,)) for name, value in parameters.values.items()}
    inputs = np.array([everyone[name] for name in simulator.inputs]).reshape(-1, n).T
    initial = {name: value for name, value in everyone.items() if name in model.states}
    courses = []
    with Reporter("", quiet=quiet or n <= _TOGETHER) as reporter:
        for first in range(0, n, _TOGETHER):
            some = slice(first, min(n, first + _TOGETHER))
            reporter.progress(first, n, "Simulating")
            start = {name: value[some] for name, value in initial.items()}
            courses.append(
                run_events(simulator, inputs[some], events.some(some.start, some.stop), save_at=times, initial=start)
            )
    columns = {name: np.concatenate([course.values[name] for course in courses]) for name in simulator.observables}
    return columns, np.concatenate([course.state.code for course in courses])


def _write(out: Path, events: EventTable, times: Any, values: dict[str, Any]) -> None:
    import numpy as np
    import polars as pl

    columns = {"ID": np.repeat(events.patients, len(times)), "TIME": np.tile(times, len(events.patients))}
    frame = pl.DataFrame(columns | {name: value.reshape(-1) for name, value in values.items()})
    unfinished = out.with_name(f".{out.name}.tmp")
    try:
        (frame.write_parquet if out.suffix == ".parquet" else frame.write_csv)(unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
