# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
"""Compiled numerics without cancer: counter-based draws, the normal distribution, two-group statistics from sorted patients.

Each has a plain twin that the tests hold it to: `population.uniforms`, `analysis.log_rank`, `max_combo`, `hazard_ratio`, `restricted_mean_difference`,
`milestone_difference`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = [
    "count_risks",
    "log_ratio",
    "max_combo_z",
    "milestone_z",
    "quantile",
    "restricted_mean_z",
    "two_uniforms",
    "weighted_z",
]

_ROUNDS = 10
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _SHIFT, _CUT = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(12)
_POINTS = 1021
_STEPS = 25
_RUNAWAY = 12.0
_ZERO = 1e-8
_WEIGHTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
_ABOVE = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_BELOW = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
)
_TAIL_ABOVE = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_TAIL_BELOW = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00)
_LATTICE = np.sqrt(np.array([2.0, 3.0, 5.0, 7.0]))


@njit(cache=True, nogil=True)
def two_uniforms(key0, key1, replicate, patient, block):
    """Return the two numbers in (0, 1) of one block of Philox4x32-10, those of `population.uniforms`."""
    c0, c1 = np.uint64(patient) & _LOW, np.uint64(patient) >> _SHIFT
    c2, c3 = np.uint64(replicate), np.uint64(block)
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(_ROUNDS):
        first, second = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (second >> _SHIFT) ^ c1 ^ k0, second & _LOW, (first >> _SHIFT) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    one = (((c0 << _SHIFT) | c1) >> _CUT) + 0.5
    two = (((c2 << _SHIFT) | c3) >> _CUT) + 0.5
    return one * 2.0**-52, two * 2.0**-52


@njit(cache=True, nogil=True)
def count_risks(time, event, treated, stratum, order, size, only, counts):
    """Fill `counts` (rows: at risk treated, at risk others, events treated, events others, time) and return the number of event times.

    `order` lists the `size` patients by falling time; `only` is the stratum to count, -1 for all. Event times fall.
    """
    n1, n0, found, i = 0, 0, 0, 0
    while i < size:
        now, d1, d0 = time[order[i]], 0, 0
        while i < size and time[order[i]] == now:
            j = order[i]
            i += 1
            if only >= 0 and stratum[j] != only:
                continue
            if treated[j]:
                n1 += 1
                d1 += event[j]
            else:
                n0 += 1
                d0 += event[j]
        if d1 + d0 > 0:
            counts[0, found], counts[1, found], counts[2, found], counts[3, found], counts[4, found] = (
                n1,
                n0,
                d1,
                d0,
                now,
            )
            found += 1
    return found


@njit(cache=True, nogil=True)
def _weighted_sums(counts, starts, rho, gamma):
    """Return expected minus observed weighted events of the treated, and the variance, over strata."""
    difference, variance = 0.0, 0.0
    for s in range(starts.size - 1):
        survival = 1.0
        for j in range(starts[s + 1] - 1, starts[s] - 1, -1):
            n1, n0, d1, d0 = counts[0, j], counts[1, j], counts[2, j], counts[3, j]
            n, d = n1 + n0, d1 + d0
            weight = 1.0
            if rho != 0.0:
                weight *= survival**rho
            if gamma != 0.0:
                weight *= (1.0 - survival) ** gamma
            share = n1 / n
            difference += weight * (d * share - d1)
            if n > 1:
                variance += weight * weight * d * share * (1.0 - share) * (n - d) / (n - 1.0)
            survival *= 1.0 - d / n
    return difference, variance


@njit(cache=True, nogil=True)
def weighted_z(counts, starts, rho, gamma):
    """Return Z of the weighted log-rank test; `starts` are the places where the strata begin in `counts`, and the end."""
    difference, variance = _weighted_sums(counts, starts, rho, gamma)
    return difference / math.sqrt(variance) if variance > 0.0 else math.nan


@njit(cache=True, nogil=True)
def log_ratio(counts, starts):
    """Return the log hazard ratio (Cox, Efron's ties, strata), NaN where there is none."""
    value = 0.0
    for _ in range(_STEPS):
        weight, score, information = math.exp(value), 0.0, 0.0
        for j in range(starts[-1]):
            n1, n0, d1, d0 = counts[0, j], counts[1, j], counts[2, j], counts[3, j]
            d = d1 + d0
            score += d1
            for one in range(int(d)):
                share = one / d
                mine, other = weight * (n1 - share * d1), n0 - share * d0
                p = mine / (mine + other)
                score -= p
                information += p * (1.0 - p)
        if information < 1e-9:
            return math.nan
        step = min(max(score / information, -2.0), 2.0)
        value += step
        if abs(value) >= _RUNAWAY:
            return math.nan
        if abs(step) < 1e-9:
            break
    return value


@njit(cache=True, nogil=True)
def max_combo_z(counts, starts):
    """Return the standard normal number of MaxCombo's one-sided p value, weights (0,0), (0,1), (1,0), (1,1)."""
    k = _WEIGHTS.shape[0]
    difference, covariance, weight = np.zeros(k), np.zeros((k, k)), np.empty(k)
    for s in range(starts.size - 1):
        survival = 1.0
        for j in range(starts[s + 1] - 1, starts[s] - 1, -1):
            n1, n0, d1, d0 = counts[0, j], counts[1, j], counts[2, j], counts[3, j]
            n, d = n1 + n0, d1 + d0
            share = n1 / n
            spread = d * share * (1.0 - share) * (n - d) / (n - 1.0) if n > 1 else 0.0
            weight[0], weight[1], weight[2], weight[3] = 1.0, 1.0 - survival, survival, survival * (1.0 - survival)
            for a in range(k):
                difference[a] += weight[a] * (d * share - d1)
                for b in range(a + 1):
                    covariance[a, b] += weight[a] * weight[b] * spread
            survival *= 1.0 - d / n
    largest = -math.inf
    for a in range(k):
        if not covariance[a, a] > 0.0:
            return math.nan
        largest = max(largest, difference[a] / math.sqrt(covariance[a, a]))
    if largest < 0.0:  # far from any boundary: the joint distribution would say no more
        return largest
    for a in range(k):
        for b in range(a):
            covariance[a, b] /= math.sqrt(covariance[a, a] * covariance[b, b])
    for a in range(k):
        covariance[a, a] = 1.0
    return -quantile(max(1.0 - _below(largest, covariance), 1e-14))


@njit(cache=True, nogil=True)
def _below(upper, correlation):
    """Return the chance that all correlated normal numbers lie below `upper` (the lower triangle is read). As `normal.normal_below`, fewer points."""
    k = correlation.shape[0]
    root, last = np.zeros((k, k)), np.zeros(k, np.int64)
    for i in range(k):
        for j in range(i + 1):
            rest = correlation[i, j]
            for m in range(j):
                rest -= root[i, m] * root[j, m]
            if i == j:
                root[i, i] = math.sqrt(rest) if rest > _ZERO else 0.0
            elif root[j, j] > 0.0:
                root[i, j] = rest / root[j, j]
            if abs(root[i, j]) > _ZERO:
                last[i] = j
    total, drawn = 0.0, np.zeros(k)
    for point in range(1, _POINTS + 1):
        product = 1.0
        for j in range(k):
            start, end = 0.0, 1.0
            for i in range(k):
                if last[i] == j:
                    shift = upper
                    for m in range(j):
                        shift -= root[i, m] * drawn[m]
                    edge = normal(shift / root[i, j])
                    if root[i, j] > 0.0:
                        end = min(end, edge)
                    else:
                        start = max(start, edge)
            width = max(end - start, 0.0)
            product *= width
            if product == 0.0:
                break
            place = (_LATTICE[j] * point) % 1.0
            drawn[j] = quantile(min(max(start + abs(2.0 * place - 1.0) * width, 1e-16), 1.0 - 1e-16))
        total += product
    return total / _POINTS


@njit(cache=True, nogil=True)
def restricted_mean_z(counts, size, last, horizon):
    """Return Z of the difference of restricted means up to `horizon`; `last` holds the last times of treated and others. Unstratified counts."""
    area, variance = np.zeros(2), np.zeros(2)
    for g in range(2):
        survival, before = 1.0, 0.0
        for j in range(size - 1, -1, -1):
            if counts[4, j] > horizon:
                break
            area[g] += survival * (counts[4, j] - before)
            before = counts[4, j]
            if counts[g, j] > 0:
                survival *= 1.0 - counts[2 + g, j] / counts[g, j]
        if survival > 1e-12 and last[g] < horizon:
            return math.nan
        area[g] += survival * (horizon - before)
        survival, left, before = 1.0, area[g], 0.0
        for j in range(size - 1, -1, -1):
            if counts[4, j] > horizon:
                break
            left -= survival * (counts[4, j] - before)
            before = counts[4, j]
            n, d = counts[g, j], counts[2 + g, j]
            if n > d:
                variance[g] += left * left * d / (n * (n - d))
            if n > 0:
                survival *= 1.0 - d / n
    total = variance[0] + variance[1]
    return (area[0] - area[1]) / math.sqrt(total) if total > 0.0 else math.nan


@njit(cache=True, nogil=True)
def milestone_z(counts, size, last, at):
    """Return Z of the difference of survival at time `at`. Unstratified counts."""
    value, variance = np.ones(2), np.zeros(2)
    for g in range(2):
        for j in range(size - 1, -1, -1):
            if counts[4, j] > at:
                break
            n, d = counts[g, j], counts[2 + g, j]
            if d > 0:
                value[g] *= 1.0 - d / n
                variance[g] += d / (n * (n - d)) if n > d else 0.0
        if value[g] > 1e-12 and last[g] < at:
            return math.nan
        variance[g] *= value[g] * value[g]
    total = variance[0] + variance[1]
    return (value[0] - value[1]) / math.sqrt(total) if total > 0.0 else math.nan


@njit(cache=True, nogil=True)
def normal(x):
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@njit(cache=True, nogil=True)
def quantile(p):
    """Return the standard normal quantile. Acklam's rational approximation, one step of Halley's method: exact to rounding for p in (1e-16, 1)."""
    if p < 0.02425:
        q = math.sqrt(-2.0 * math.log(p))
        x = _tail(q)
    elif p <= 0.97575:
        q = p - 0.5
        r = q * q
        above, below = 0.0, 0.0
        for one in _ABOVE:
            above = above * r + one
        for one in _BELOW:
            below = below * r + one
        x = above * q / (below * r + 1.0)
    else:
        x = -_tail(math.sqrt(-2.0 * math.log(1.0 - p)))
    error = normal(x) - p
    step = error * 2.5066282746310002 * math.exp(x * x / 2.0)
    return x - step / (1.0 + x * step / 2.0)


@njit(cache=True, nogil=True)
def _tail(q):
    above, below = 0.0, 0.0
    for one in _TAIL_ABOVE:
        above = above * q + one
    for one in _TAIL_BELOW:
        below = below * q + one
    return above / (below * q + 1.0)
