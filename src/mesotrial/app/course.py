"""A model from a stranger, over time: read and integrated in a process of its own.

``python -m mesotrial.app.course`` reads one JSON object on standard input, ``{"text", "until", "values"}``, and answers with one: what is in the model and
the course of every state and assigned quantity, or an error. The model itself is read by `mesotrial.engine.load_untrusted_model`, in a process that has
still less; here the equations that came back, of a fixed set of operations, are integrated.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mesotrial.app.bounds import Refused
from mesotrial.app.confine import ask_confined, confine

if TYPE_CHECKING:
    from mesotrial.engine import Model

__all__ = ["MOST_DAYS", "MOST_LETTERS", "POINTS", "main", "model_course"]

MOST_LETTERS, MOST_DAYS, POINTS = 100_000, 36_500.0, 400
_MOST_QUANTITIES = 600
_SECONDS = 20


@lru_cache(maxsize=16)
def model_course(text: str, until: float, values: tuple[tuple[str, float], ...] = ()) -> dict[str, Any]:
    """Return what is in a model (``states``, ``constants``: name to value; ``events``) and its ``course`` (name to values) at each ``time``.

    `values` replace constants, or states at the start. Raises `Refused` for a model that cannot be read or integrated within the bounds.
    """
    if len(text) > MOST_LETTERS:
        raise Refused(f"the model has {len(text):,} letters; at most {MOST_LETTERS:,} are read here")
    request = json.dumps({"text": text, "until": until, "values": dict(values)}).encode()
    return ask_confined("mesotrial.app.course", request, seconds=_SECONDS, what="the model")


def main() -> None:
    """Read, integrate and answer."""
    from mesotrial.engine import Limits, ModelError, load_untrusted_model

    asked = json.loads(sys.stdin.buffer.read())
    try:
        model = load_untrusted_model(asked["text"], limits=Limits(text_bytes=4 * MOST_LETTERS, seconds=_SECONDS / 2))
        confine(_SECONDS)
        answer = _answer(model, float(asked["until"]), asked["values"])
    except (ModelError, Refused) as error:
        answer = {"error": str(error)}
    except (MemoryError, RecursionError):
        answer = {"error": "the model needs too much memory"}
    except (ArithmeticError, TypeError, ValueError) as error:
        answer = {"error": f"the model cannot be integrated: {error}"}
    sys.stdout.write(json.dumps(answer))


def _answer(model: Model, until: float, values: Mapping[str, float]) -> dict[str, Any]:
    import numpy as np

    from mesotrial.engine import ResultCode, compile_model

    _check(model, values)
    seen = [name for name in (*model.states, *model.algebra) if "." not in name]
    if not seen:
        raise Refused("nothing in this model changes: it has no state and no assigned quantity")
    if len(seen) > _MOST_QUANTITIES:
        raise Refused(f"the model has {len(seen):,} quantities; at most {_MOST_QUANTITIES} are shown here")
    inputs = tuple(name for name in values if name in model.constants)
    initial = {name: value for name, value in values.items() if name in model.states}
    simulator = compile_model(model, observables=seen, inputs=inputs, dosed=tuple(initial), backend="reference")
    state = simulator.start(np.array([[values[name] for name in inputs]]), initial=initial)
    time = np.linspace(0.0, until, POINTS + 1)
    first = simulator.observe(state, seen)
    state = simulator.advance(state, until=until, save_at=time[1:])
    later = simulator.observe_saved(state, seen)
    course = {name: np.concatenate([first[name][:1], later[name][0]]) for name in seen}
    code = ResultCode(int(state.code[0]))
    return {
        "states": {name: _plain(course[name][0]) for name in seen if name in model.states},
        "constants": {
            name: _plain(values.get(name, value)) for name, value in model.constants.items() if "." not in name
        },
        "events": len(model.events),
        "time": [_plain(day) for day in time],
        "course": {name: [_plain(value) for value in values] for name, values in course.items()},
        "failed": "" if code is ResultCode.OK else code.sentence,
    }


def _check(model: Model, values: Mapping[str, float]) -> None:
    known = [*model.constants, *model.states]
    for name in values:
        if name not in known:
            shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise Refused(f"the model has no constant or state called {name}; it has {shown}")
    missing = [name for name, value in model.constants.items() if math.isnan(value) and name not in values]
    if missing:
        raise Refused(f"no value is given for {', '.join(missing[:6])}; give one in the text, as in {missing[0]} = 1;")


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


if __name__ == "__main__":
    main()
