"""LU factors of the stiff method's matrix, planned when a model is compiled: the order, the fill-in, and straight-line code.

The matrix is W = I / (h gamma) - J with the sparsity of the Jacobian J. Pivots stay on the diagonal, so that order and fill
are known beforehand and are the same for every patient. That is sound here: for linear kinetics (loss on the diagonal,
transfer beside it) W is an M-matrix, whose elimination is stable in any diagonal order (Funderlic and Plemmons 1981, Linear
Algebra and its Applications 41), and for any other finite J the diagonal outweighs the rest once h is small enough. Until then
a pivot that lost its digits, or that is not finite, rejects the step, and a shorter one is tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Place = tuple[int, int]
TINY = 1e-12
"""the share of its terms below which a pivot has too few digits"""
LONGEST = 3_000
"""entries and products in straight-line code, which bounds the time it takes to compile; beyond it loops do the same"""


@dataclass(frozen=True)
class Plan:
    """How to factorise a matrix of a given pattern."""

    order: tuple[int, ...]
    """the rows and columns, as they are eliminated"""
    slots: dict[Place, int]
    """where each entry of the factors is kept, by row and column of the matrix; row after row in elimination order"""
    given: frozenset[Place]
    """the entries of the Jacobian; what is in `slots` beside these and the diagonal is fill-in"""


def plan(pattern: Iterable[Place], n: int, order: Iterable[int] | None = None) -> Plan:
    """Return the plan for a matrix (n, n) with entries at `pattern` and on the diagonal.

    The order is by least (entries right of the pivot) x (entries below it), which bounds the fill-in of a step (Markowitz
    1957, Management Science 3), or as given.
    """
    given = frozenset(pattern)
    right = {i: {j for k, j in given if k == i and j != i} for i in range(n)}
    below = {j: {i for i, k in given if k == j and i != j} for j in range(n)}
    rows: dict[int, set[int]] = {i: {i} for i in range(n)}
    left, asked = set(range(n)), None if order is None else list(order)
    chosen: list[int] = []
    while left:
        pivot = min(left, key=lambda i: (len(right[i]) * len(below[i]), i)) if asked is None else asked[len(chosen)]
        left.remove(pivot)
        chosen.append(pivot)
        rows[pivot] |= right[pivot]
        for i in below[pivot]:
            rows[i].add(pivot)
            right[i] = (right[i] | right[pivot]) - {pivot, i}
        for j in right[pivot]:
            below[j] = (below[j] | below[pivot]) - {pivot, j}
    rank = {i: place for place, i in enumerate(chosen)}
    places = [(i, j) for i in chosen for j in sorted(rows[i], key=rank.__getitem__)]
    return Plan(tuple(chosen), {place: slot for slot, place in enumerate(places)}, given)


def length(plan: Plan) -> int:
    """Return how long straight-line code is: the entries of the factors, and the products that they take."""
    rows, rank = _rows(plan)
    right = {i: sum(rank[j] > rank[i] for j in rows[i]) for i in rows}
    return len(plan.slots) + sum(right[j] for i in rows for j in rows[i] if rank[j] < rank[i])


def factorise_lines(plan: Plan) -> list[str]:
    """Code that turns -J in the slots plus `diagonal` I into the factors, and tells in which patients they are sound.

    The factors' diagonal is kept inverted. A pivot is sound if it is finite and neither it nor what it began as is lost
    beside the terms whose sum it is (`TINY` times their size): that leaves digits to it, and bounds the growth.
    """
    rows, rank = _rows(plan)
    lines, sound = [], []
    for i in plan.order:
        for j in rows[i]:
            terms = [
                f"e{i}_{k} * e{k}_{j}" for k in rows[i] if rank[k] < min(rank[i], rank[j]) and (k, j) in plan.slots
            ]
            given = [_load(plan, i, j)] if (i, j) in plan.given else []
            if i == j:
                lines.append(f"began{i} = {' + '.join(['diagonal', *_sizes(given)])}")
                lines.append(f"size{i} = TINY * ({' + '.join([f'began{i}', *_sizes(terms)])})")
                sound.append(f"(V.magnitude(e{i}_{i}) > size{i})" + (f" & (began{i} > size{i})" if terms else ""))
                given.append("diagonal")
            text = " - ".join([" + ".join(given), *terms]) if given else "-" + " - ".join(terms)
            lines.append(f"e{i}_{j} = ({text}) * d{j}" if rank[j] < rank[i] else f"e{i}_{j} = {text}")
            if i == j:
                lines.append(f"d{i} = 1.0 / e{i}_{i}")
            if terms or rank[j] <= rank[i]:
                lines.append(f"V.store(w, E + {plan.slots[i, j]} * LANES, {f'd{i}' if i == j else f'e{i}_{j}'})")
    return [*lines, "return " + " & ".join(sound)]


def solve_lines(plan: Plan) -> list[str]:
    """Code that solves for the right-hand side in F, in place."""
    rows, rank = _rows(plan)
    lines = []
    for i in plan.order:
        terms = [f"{_load(plan, i, j)} * b{j}" for j in rows[i] if rank[j] < rank[i]]
        lines.append(f"b{i} = " + " - ".join([f"V.load(w, F + {i} * LANES)", *terms]))
    for i in reversed(plan.order):
        terms = [f"{_load(plan, i, j)} * x{j}" for j in rows[i] if rank[j] > rank[i]]
        lines.append(f"x{i} = ({' - '.join([f'b{i}', *terms])}) * {_load(plan, i, i)}")
        lines.append(f"V.store(w, F + {i} * LANES, x{i})")
    return lines


def tables(pattern: Iterable[Place], n: int) -> tuple[Indices, Indices, Indices, Indices, Indices]:
    """Return FIRST, DIAGONAL, COLUMN, ACROSS and FILLED of `loops.py.in`, which does the same for larger matrices."""
    chosen = plan(pattern, n)
    rank = {i: place for place, i in enumerate(chosen.order)}
    places = list(chosen.slots)
    first = np.searchsorted([rank[i] for i, _ in places], np.arange(n + 1))
    return (
        first,
        np.array([chosen.slots[i, i] for i in chosen.order]),
        np.array([rank[j] for _, j in places]),
        np.array([j for _, j in places]),
        np.array([slot for place, slot in chosen.slots.items() if place not in chosen.given], dtype=np.int64),
    )


def _sizes(terms: Iterable[str]) -> list[str]:
    return [f"V.magnitude({term})" for term in terms]


def _load(plan: Plan, i: int, j: int) -> str:
    return f"V.load(w, E + {plan.slots[i, j]} * LANES)"


def _rows(plan: Plan) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The columns of each row in elimination order, and the place of each in that order."""
    rows: dict[int, list[int]] = {i: [] for i in plan.order}
    for i, j in plan.slots:
        rows[i].append(j)
    return rows, {i: place for place, i in enumerate(plan.order)}
