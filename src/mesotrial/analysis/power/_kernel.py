# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
"""Trials resampled from a bank, compiled: entry, allocation, outcome, looks, decisions. One call does a range of trials; nothing is shared between trials.

A time is in months from the first patient's possible entry. Draws are keyed by (seed, trial, patient), so that a trial is the same in any range.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesotrial.analysis.power._numbers import (
    count_risks,
    log_ratio,
    max_combo_z,
    milestone_z,
    quantile,
    restricted_mean_z,
    two_uniforms,
    weighted_z,
)

__all__ = ["GONE", "LOG_RANK", "MAX_COMBO", "MILESTONE", "RMST", "simulate_trials"]

LOG_RANK, MAX_COMBO, RMST, MILESTONE = 0, 1, 2, 3
GONE = -1  # an arm that no longer takes patients


@njit(cache=True, nogil=True)
def simulate_trials(
    size_of_range, first_number, key, accrual, mix, ratio, block, group_starts, times, events, progressions, source, warp, dropout,
    crossover, n_planned, n_most, looks, horizon, scans, bounds, reestimate, drop, tests, grid, stop_look, duration, enrolled, stop_events,
    won, won_by, final_z, log_ratios, look_time, look_events, grid_events, grid_enrolled, final_n,
):  # fmt: skip
    """Simulate `size_of_range` trials, numbered from `first_number`, and fill the output arrays (their first axis is the trial).

    Inputs: `key` (2 words); `accrual` (ends, rates per month); `mix` share of each stratum; `ratio` patients of each arm in a block of `block`;
    the bank `times`, `events`, `progressions` sorted by time within groups (arm * strata + stratum) that begin at `group_starts`; `source` (trials, arms):
    which of the bank's arms an arm's outcomes come from, counted over all banks; `warp` (trials, arms): hazard ratio applied on top;
    `dropout` rate per month by arm; `crossover` (arm, share, factor of remaining time); `looks` (kind 0 events or 1 month, value); `horizon` months after
    the last patient; `scans` (months; empty for an endpoint that is not read from scans); `bounds` (looks, 2) efficacy and futility Z;
    `reestimate` (look, low, high, target, most, critical Z, planned fraction; look -1: none); `drop` (look, arms kept; look -1: none);
    `tests` (kind, stratified, two numbers), the first decides; `grid` months at which events and patients are counted.
    """
    n_arms, n_strata, n_looks = ratio.size, mix.size, looks.shape[0]
    entry, stratum, planned, drawn = (
        np.empty(n_most),
        np.empty(n_most, np.int64),
        np.empty(n_most, np.int64),
        np.empty((n_most, 4)),
    )
    arm, time, event = np.empty(n_most, np.int64), np.empty(n_most), np.empty(n_most, np.int64)
    seen, happened, treated, chosen = (
        np.empty(n_most),
        np.empty(n_most, np.int64),
        np.empty(n_most, np.bool_),
        np.empty(n_most, np.int64),
    )
    counts, starts, last_times = np.empty((5, 2 * n_most)), np.zeros(n_strata + 1, np.int64), np.zeros(2)
    plain, whole = np.empty((5, n_most)), np.zeros(2, np.int64)
    active, z_now, z_interim, fraction = np.ones(n_arms, np.int64), np.empty(n_arms), np.full(n_arms, np.nan), 1.0
    for trial in range(size_of_range):
        _enter(key, first_number + trial, n_most, accrual, mix, ratio, block, entry, stratum, planned, drawn)
        arm[:] = planned
        for i in range(n_most):
            time[i], event[i] = _outcome(
                arm[i],
                stratum[i],
                drawn[i],
                n_strata,
                group_starts,
                times,
                events,
                progressions,
                source[trial],
                warp[trial],
                dropout,
                crossover,
            )
        n, stopped, before = n_planned, False, 0.0
        active[:] = 1
        won[trial] = False
        won_by[trial, :] = False
        z_interim[:] = np.nan
        for look in range(n_looks):
            final = look == n_looks - 1
            target = looks[look, 1]
            if final and looks[look, 0] == 0 and n > n_planned:
                target = math.ceil(target * n / n_planned)
            end = entry[n - 1] + horizon
            now = _when(looks[look, 0], target, n, entry, time, event, end, seen)
            now = min(max(now, before), end)
            before = now
            total = 0
            for a in range(1, n_arms):
                size = _snapshot(now, n, a, n_arms, entry, arm, time, event, scans, seen, happened, treated, chosen)
                order = _by_falling_time(seen, size, chosen)
                _count(
                    seen,
                    happened,
                    treated,
                    chosen,
                    stratum,
                    order,
                    size,
                    n_strata,
                    tests,
                    counts,
                    starts,
                    plain,
                    whole,
                    last_times,
                )
                z_now[a] = _statistic(tests[0], counts, starts, plain, whole, last_times)
                mine = 0
                for i in range(size):
                    mine += happened[i]
                total = max(total, mine)
                if final:
                    for k in range(tests.shape[0]):
                        final_z[trial, a - 1, k] = _statistic(tests[k], counts, starts, plain, whole, last_times)
                    log_ratios[trial, a - 1] = log_ratio(counts, starts) if tests[0, 1] > 0 else log_ratio(plain, whole)
            if n_arms > 2:
                total = _events_by(now, n, entry, time, event)
            look_time[trial, look], look_events[trial, look] = now, total
            if stopped:
                continue
            for a in range(1, n_arms):
                if active[a] != 1:
                    continue
                z = z_now[a]
                if final and n > n_planned and not math.isnan(z_interim[a]):
                    z = _combined(z, z_interim[a], total, fraction, reestimate[6])
                if not math.isnan(z) and z >= bounds[look, 0]:
                    won_by[trial, a - 1] = True
                    won[trial] = True
                    active[a] = 2
                elif not final and z <= bounds[look, 1]:
                    active[a] = GONE
            if not final and drop[0] == look:
                _keep_best(active, z_now, int(drop[1]))
            going = 0
            for a in range(1, n_arms):
                if active[a] == 1:
                    going += 1
            if final or going == 0:
                stopped = True
                stop_look[trial], duration[trial], stop_events[trial], final_n[trial] = look, now, total, n
                enrolled[trial] = np.searchsorted(entry[:n], now, side="right")
                if n_arms > 2 or n > n_planned:
                    for one in range(look + 1, n_looks):
                        look_time[trial, one], look_events[trial, one] = np.nan, np.nan
                    if not final:
                        for k in range(tests.shape[0]):
                            final_z[trial, :, k] = np.nan
                        log_ratios[trial, :] = np.nan
                        break
                continue
            if reestimate[0] == look:
                n = _resized(z_now[1], total, n_planned, n_most, reestimate)
                z_interim[:] = z_now
                fraction = total
            if n_arms > 2:
                for i in range(n_most):
                    if entry[i] > now and arm[i] > 0 and active[arm[i]] != 1:
                        arm[i] = _other_arm(drawn[i], ratio, active)
                        time[i], event[i] = _outcome(
                            arm[i],
                            stratum[i],
                            drawn[i],
                            n_strata,
                            group_starts,
                            times,
                            events,
                            progressions,
                            source[trial],
                            warp[trial],
                            dropout,
                            crossover,
                        )
        for g in range(grid.size):
            grid_events[trial, g] = _events_by(min(grid[g], duration[trial]), n, entry, time, event)
            grid_enrolled[trial, g] = min(np.searchsorted(entry[:n], min(grid[g], duration[trial]), side="right"), n)


@njit(cache=True, nogil=True)
def _enter(key, trial, n, accrual, mix, ratio, block, entry, stratum, planned, drawn):
    """Draw entry (a Poisson process of piecewise rates, the last of which goes on), stratum and planned arm (permuted blocks in each stratum)."""
    left = np.zeros((mix.size, ratio.size + 1), np.int64)
    cumulated, piece, begun, reached = 0.0, 0, 0.0, 0.0
    for i in range(n):
        gap, u = two_uniforms(key[0], key[1], trial, i, 0)
        allocation, place = two_uniforms(key[0], key[1], trial, i, 1)
        lost, crosses = two_uniforms(key[0], key[1], trial, i, 2)
        drawn[i, 0], drawn[i, 1], drawn[i, 2], drawn[i, 3] = place, lost, crosses, allocation
        cumulated -= math.log(gap)
        while piece < accrual.shape[0] - 1 and reached + (accrual[piece, 0] - begun) * accrual[piece, 1] < cumulated:
            reached += (accrual[piece, 0] - begun) * accrual[piece, 1]
            begun = accrual[piece, 0]
            piece += 1
        entry[i] = begun + (cumulated - reached) / accrual[piece, 1]
        s = 0
        while s < mix.size - 1 and u >= mix[s]:
            u -= mix[s]
            s += 1
        stratum[i] = s
        if left[s, ratio.size] == 0:
            for a in range(ratio.size):
                left[s, a] = ratio[a]
            left[s, ratio.size] = block
        slot = int(allocation * left[s, ratio.size])
        a = 0
        while slot >= left[s, a]:
            slot -= left[s, a]
            a += 1
        left[s, a] -= 1
        left[s, ratio.size] -= 1
        planned[i] = a


@njit(cache=True, nogil=True)
def _outcome(
    arm, stratum, drawn, n_strata, group_starts, times, events, progressions, source, warp, dropout, crossover
):
    """Return a patient's time and event, drop-out included."""
    group = source[arm] * n_strata + stratum
    begin, end = group_starts[group], group_starts[group + 1]
    u = drawn[0]
    if warp[arm] != 1.0:
        u = 1.0 - (1.0 - u) ** (1.0 / warp[arm])  # the bank's curve to the power of the hazard ratio
    i = min(begin + int(u * (end - begin)), end - 1)
    time, event = times[i], events[i]
    if crossover[0] == arm and drawn[2] < crossover[1] and progressions[i] < time:
        time = progressions[i] + (time - progressions[i]) * crossover[2]
    if dropout[arm] > 0.0:
        lost = -math.log(drawn[1]) / dropout[arm]
        if lost < time:
            return lost, 0
    return time, event


@njit(cache=True, nogil=True)
def _other_arm(drawn, ratio, active):
    """Return an arm that still takes patients, in the planned proportions."""
    total = ratio[0]
    for a in range(1, ratio.size):
        total += ratio[a] if active[a] == 1 else 0
    slot = drawn[3] * total
    if slot < ratio[0]:
        return 0
    slot -= ratio[0]
    for a in range(1, ratio.size):
        if active[a] == 1:
            if slot < ratio[a]:
                return a
            slot -= ratio[a]
    return 0


@njit(cache=True, nogil=True)
def _events_by(month, n, entry, time, event):
    total = 0
    for i in range(n):
        if event[i] and entry[i] + time[i] <= month:
            total += 1
    return total


@njit(cache=True, nogil=True)
def _when(kind, target, n, entry, time, event, end, room):
    """Return the month of a look: a given one, or that of the event with the wanted number (the end where there are not so many)."""
    if kind == 1:
        return target
    found = 0
    for i in range(n):
        if event[i]:
            room[found] = entry[i] + time[i]
            found += 1
    if found < target:
        return end
    return np.partition(room[:found], int(target) - 1)[int(target) - 1]


@njit(cache=True, nogil=True)
def _snapshot(now, n, a, n_arms, entry, arm, time, event, scans, seen, happened, treated, chosen):
    """Fill what is known at month `now` of the control and of arm `a`; return the number of patients."""
    size = 0
    for i in range(n):
        if entry[i] > now:
            break
        if arm[i] != 0 and arm[i] != a:
            continue
        followed = now - entry[i]
        if entry[i] + time[i] <= now:
            seen[size], happened[size] = time[i], event[i]
        else:
            if scans.size > 0:  # no later than the last scan before the cut
                k = np.searchsorted(scans, followed, side="right")
                followed = scans[k - 1] if k > 0 else 0.0
            seen[size], happened[size] = followed, 0
        treated[size], chosen[size] = arm[i] == a, i
        size += 1
    return size


@njit(cache=True, nogil=True)
def _by_falling_time(seen, size, chosen):
    return np.argsort(-seen[:size])


@njit(cache=True, nogil=True)
def _count(
    seen, happened, treated, chosen, stratum, order, size, n_strata, tests, counts, starts, plain, whole, last_times
):
    """Count risks for all patients (`plain`) and, where a test is stratified, by stratum (`counts`)."""
    labels = stratum[chosen[:size]]
    whole[1] = count_risks(seen, happened, treated, labels, order, size, -1, plain)
    last_times[:] = 0.0
    for i in range(size):
        g = 0 if treated[i] else 1
        last_times[g] = max(last_times[g], seen[i])
    stratified = False
    for k in range(tests.shape[0]):
        stratified = stratified or tests[k, 1] > 0
    if stratified:
        found = 0
        for s in range(n_strata):
            found += count_risks(seen, happened, treated, labels, order, size, s, counts[:, found:])
            starts[s + 1] = found


@njit(cache=True, nogil=True)
def _statistic(test, counts, starts, plain, whole, last_times):
    """Return Z of one test, positive in favour of the treated."""
    if test[0] == RMST:
        return restricted_mean_z(plain, whole[1], last_times, test[2])
    if test[0] == MILESTONE:
        return milestone_z(plain, whole[1], last_times, test[2])
    if test[0] == MAX_COMBO:
        return max_combo_z(counts, starts) if test[1] > 0 else max_combo_z(plain, whole)
    return weighted_z(counts, starts, test[2], test[3]) if test[1] > 0 else weighted_z(plain, whole, test[2], test[3])


@njit(cache=True, nogil=True)
def _keep_best(active, z, kept):
    """Drop all but the `kept` arms with the largest Z."""
    dropped = np.zeros(active.size, np.bool_)
    for a in range(1, active.size):
        better = 0
        for b in range(1, active.size):
            if active[b] == 1 and b != a and (z[b] > z[a] or (z[b] == z[a] and b < a)):
                better += 1
        dropped[a] = active[a] == 1 and better >= kept
    for a in range(1, active.size):
        if dropped[a]:
            active[a] = GONE


@njit(cache=True, nogil=True)
def _resized(z, events, n_planned, n_most, rule):
    """Return the patients after re-estimation: more where conditional power under the present trend lies in the promising zone."""
    low, high, target, critical, fraction = rule[1], rule[2], rule[3], rule[5], rule[6]
    if not z > 0.0 or fraction >= 1.0:
        return n_planned
    final = events / fraction
    left = math.sqrt(1.0 - fraction)
    need = (critical - math.sqrt(fraction) * z) / left
    effect = z / math.sqrt(events)
    power = 0.5 * math.erfc((need - effect * math.sqrt(final - events)) * 0.7071067811865476)
    if power < low or power >= high:
        return n_planned
    more = ((need + quantile(target)) / effect) ** 2 + events
    return min(max(int(math.ceil(n_planned * more / final)), n_planned), n_most)


@njit(cache=True, nogil=True)
def _combined(z, interim, events, interim_events, fraction):
    """Return the statistic that keeps the planned weights of both stages. Cui L, Hung HM, Wang SJ. Biometrics 1999;55:853-857."""
    if events <= interim_events:
        return z
    later = (z * math.sqrt(events) - interim * math.sqrt(interim_events)) / math.sqrt(events - interim_events)
    return math.sqrt(fraction) * interim + math.sqrt(1.0 - fraction) * later
