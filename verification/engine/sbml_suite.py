"""The SBML semantic test suite: its cases read from the archive, run, and compared by its own rule."""

import csv
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesotrial.engine import ModelError, ResultCode, compile_model, load_model

ARCHIVE = Path(__file__).parents[3] / "shared" / "suites" / "sbml-semantic-3.3.0.tar.xz"


@dataclass(frozen=True)
class Case:
    """One case: a model, how to run it, and what must come out."""

    name: str
    sbml: str
    settings: dict[str, str]
    results: str
    tags: frozenset[str]

    @property
    def flux_balance(self) -> bool:
        """Whether it asks for an optimum, not for a course in time."""
        return "FluxBalanceSteadyState" in self.tags

    def listed(self, key: str) -> list[str]:
        """Return a comma-separated setting."""
        return [name.strip() for name in self.settings.get(key, "").split(",") if name.strip()]


def read_cases(archive: Path = ARCHIVE) -> Iterator[Case]:
    """Yield the cases in order."""
    texts: dict[str, dict[str, str]] = {}
    with tarfile.open(archive) as files:
        for member in files:
            name = Path(member.name).name
            if member.isfile() and name[:5].isdigit():
                content = files.extractfile(member)
                assert content is not None
                kind = "sbml" if name.endswith(".xml") else name[6:].partition(".")[0]
                texts.setdefault(name[:5], {})[kind] = content.read().decode("utf-8", errors="replace")
    for name, parts in sorted(texts.items()):
        lines = (line.partition(":") for line in parts["settings"].splitlines())
        settings = {key.strip(): value.strip() for key, _, value in lines}
        tags = [
            line for line in parts["model"].splitlines() if line.startswith(("componentTags", "testTags", "testType"))
        ]
        words = frozenset(" ".join(tags).replace(",", " ").split())
        yield Case(name, parts["sbml"], settings, parts["results"], words)


def outcome(case: Case, backend: str = "reference") -> str:
    """Run a case: "passes", "refused: reason", or "wrong: where"."""
    try:
        model = load_model(case.sbml)
        simulated = _simulate(case, model, backend)
    except ModelError as error:
        return f"refused: {error}"
    if isinstance(simulated, str):
        return f"wrong: {simulated}"
    rows = list(csv.reader(io.StringIO(case.results)))
    header = [name.strip() for name in rows[0]]
    table = np.array([[float(cell) for cell in row] for row in rows[1:] if row])
    absolute, relative = float(case.settings["absolute"]), float(case.settings["relative"])
    for name in case.listed("variables"):
        expected, got = table[:, 1 + header[1:].index(name)], simulated[name]
        allowed = absolute + relative * np.abs(expected)
        with np.errstate(invalid="ignore"):
            near = (np.abs(got - expected) <= allowed) | (got == expected) | (np.isnan(got) & np.isnan(expected))
        if not near.all():
            row = int(np.argmin(near))
            return f"wrong: {name} at time {table[row, 0]:g} is {got[row]:.6g}, expected {expected[row]:.6g}"
    return "passes"


def _simulate(case: Case, model, backend):
    start, duration = float(case.settings["start"]), float(case.settings["duration"])
    times = start + np.arange(int(case.settings["steps"]) + 1) * duration / int(case.settings["steps"])
    names = case.listed("variables")
    sizes = _sizes(case, names)
    simulator = compile_model(
        model,
        observables=list(dict.fromkeys([*names, *(size for size, _ in sizes.values())])),
        rtol=1e-6,
        atol=min(1e-9, float(case.settings["absolute"]) * 1e-3),
        backend=backend,
    )
    state = simulator.start(np.empty((1, 0)))
    state = simulator.advance(state, until=0.0)
    columns = {name: [value[0]] for name, value in simulator.observe(state, simulator.observables).items()}
    state = simulator.advance(state, until=times[-1], save_at=times)
    if state.code[0] != ResultCode.OK:
        return f"stopped at time {state.time_days[0]:g}: {ResultCode(state.code[0]).sentence}"
    for name, saved in simulator.observe_saved(state, simulator.observables).items():
        columns[name] = np.append(columns[name], saved[0][1:])
    for name, (size, power) in sizes.items():
        columns[name] = columns[name] * columns[size] ** power
    return columns


def _sizes(case: Case, names: list[str]) -> dict[str, tuple[str, int]]:
    """Return the compartment and its power for each species that is asked for in another form than its symbol's."""
    from mesotrial.engine.sbml import _flat_document

    sbml = _flat_document(case.sbml).getModel()
    forms = {}
    for key, only_amount, power in (("amount", False, 1), ("concentration", True, -1)):
        for name in case.listed(key):
            species = sbml.getSpecies(name)
            if name in names and species is not None and species.getHasOnlySubstanceUnits() == only_amount:
                forms[name] = (species.getCompartment(), power)
    return forms
