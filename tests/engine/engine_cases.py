"""Models that several engine tests use."""

from pathlib import Path

import numpy as np

# Independent cases with known solutions side by side, so that one compilation serves them all.
ANALYTIC = """
model analytic
  k = 0.3; y = 2; y' = -k*y;
  CL = 1.2; V = 4; Q = 0.8; P = 3;
  A = 0; A' = -CL/V*A - Q/V*A + Q/P*B;
  B = 0; B' = Q/V*A - Q/P*B;
  C = 0; C' = -CL/V*C;
  r = 0.5; cap = 10; L = 0.1; L' = r*L*(1 - L/cap);
  b = 0; x = 1; x' = b*x^2;
  w = 0; w' = cos(time);
  uv = 0.4; vw = 0.2; wu = 0.1;
  U1 = 0; U1' = wu*U3 - uv*U1;  U2 = 0; U2' = uv*U1 - vw*U2;  U3 = 0; U3' = vw*U2 - wu*U3;
  conc := C/V; half = ln(2)/k; total := U1 + U2 + U3;
end
"""
INPUTS = ("k", "CL", "V", "Q", "P", "r", "b", "uv", "vw", "wu")
DEFAULTS = np.array([0.3, 1.2, 4, 0.8, 3, 0.5, 0, 0.4, 0.2, 0.1])
OPTIONS = {
    "observables": ("y", "A", "B", "C", "L", "x", "w", "conc", "half", "total", "V"),
    "inputs": INPUTS,
    "dosed": ("A", "C", "U1"),
}
TUMOUR = Path(__file__).parent / "tumour_immune.ant"
TUMOUR_INPUTS = (
    "kg",
    "kmax",
    "kill",
    "EC",
    "dead_out",
    "prime",
    "home",
    "exhaust",
    "CL1",
    "V1",
    "Q1",
    "P1",
    "ic",
    "t50",
)
TUMOUR_OPTIONS = {
    "observables": ("Tall", "ro1", "ro2", "X", "F", "W", "R", "Ch", "kappa"),
    "inputs": TUMOUR_INPUTS,
    "dosed": ("A1", "B1", "Ch"),
}
