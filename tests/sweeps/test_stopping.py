import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.sweeps.stopping import Hyperband, Progress, advance, bands, verdict

H = Hyperband(min_iter=3)


def went(values, hyperband=H, goal="minimize"):
    return advance(Progress(), values, hyperband, goal)


# ---- bands ---------------------------------------------------------------------------------------------------


def test_bands_grow_from_min_iter():
    assert bands(Hyperband(min_iter=3))[:4] == (3, 9, 27, 81)
    assert bands(Hyperband(min_iter=1, eta=2))[:4] == (1, 2, 4, 8)


def test_bands_shrink_from_max_iter_which_is_none_itself():
    assert bands(Hyperband(max_iter=27, s=2)) == (3, 9)
    assert bands(Hyperband(max_iter=27)) == (1, 3, 9)
    assert bands(Hyperband(max_iter=5, eta=2, s=2)) == (1, 2)
    assert bands(Hyperband(max_iter=2)) == ()


@given(st.integers(1, 10**6), st.floats(1.001, 1000), st.none() | st.integers(1, 50), st.booleans())
def test_bands_are_few_and_go_up(end, eta, s, up):
    found = bands(Hyperband(min_iter=end, eta=eta) if up else Hyperband(max_iter=end, eta=eta, s=s))
    assert list(found) == sorted(set(found))
    assert len(found) <= 1000
    assert all(band >= end if up else 1 <= band < end for band in found)


# ---- progress ------------------------------------------------------------------------------------------------


def test_progress_keeps_the_best_at_each_band():
    assert went([5, 4, 6, 3, 9, 9, 9, 9, 2]) == Progress(9, 2, {3: 4, 9: 2})
    assert went([5, 4, 6], goal="maximize") == Progress(3, 6, {3: 6})


def test_what_is_not_finite_is_an_iteration_without_a_gain():
    assert went([5, math.nan, -math.inf, 4]) == Progress(4, 4, {3: 5})
    assert went([math.nan] * 3) == Progress(3, None, {})


@given(st.lists(st.floats(), max_size=40), st.integers(0, 40), st.sampled_from(["minimize", "maximize"]))
def test_it_is_the_same_however_the_values_come_in(values, cut, goal):
    assert advance(went(values[:cut], goal=goal), values[cut:], H, goal) == went(values, goal=goal)


# ---- verdicts ------------------------------------------------------------------------------------------------


def others(*values, band=3):
    return [Progress(band, value, {band: value}) for value in values]


def test_a_trial_goes_on_if_it_is_among_the_best_third():
    assert verdict(H, "minimize", went([0.3] * 3), others(0.1, 0.2, 0.4, 0.5, 0.6), 0) == (
        "hyperband at iteration 3 (band 1: 0.3 is not among the best third, 0.2)"
    )
    assert verdict(H, "minimize", went([0.2] * 3), others(0.1, 0.3, 0.4, 0.5, 0.6), 0) is None
    assert verdict(H, "maximize", went([0.2] * 3), others(0.1, 0.3, 0.4, 0.5, 0.6), 0)
    assert verdict(H, "maximize", went([0.5] * 3), others(0.1, 0.3, 0.4, 0.2, 0.6), 0) is None


def test_the_reason_says_which_band_of_how_many():
    hyperband = Hyperband(max_iter=81, s=4)
    mine = went([0.31] * 10, hyperband)
    assert verdict(hyperband, "minimize", mine, others(0.27, band=9), 3) == (
        "hyperband at iteration 9 (band 3 of 4: 0.31 is not among the best third, 0.27)"
    )


@pytest.mark.parametrize(("eta", "share"), [(2, "half"), (4, "quarter"), (7, "1 in 7"), (2.5, "1 in 2.5")])
def test_the_share_is_called_by_its_name(eta, share):
    hyperband = Hyperband(min_iter=3, eta=eta)
    assert f"among the best {share}," in (verdict(hyperband, "minimize", went([9] * 3), others(1, 2), 0) or "")


def test_strict_rounds_down_how_many_go_on():
    among_four = others(0.1, 0.3, 0.4)
    assert verdict(H, "minimize", went([0.2] * 3), among_four, 0) is None
    assert verdict(Hyperband(min_iter=3, strict=True), "minimize", went([0.2] * 3), among_four, 0)


def test_the_first_and_whoever_is_equal_go_on():
    assert verdict(H, "minimize", went([9] * 3), [], 0) is None
    assert verdict(H, "minimize", went([9] * 3), others(9, 9, 9), 0) is None


def test_a_trial_is_looked_at_only_where_it_passes_a_band():
    better = others(0.1, 0.2, 0.3)
    assert verdict(H, "minimize", went([9] * 2), better, 0) is None
    assert verdict(H, "minimize", went([9] * 5), better, 3) is None
    assert verdict(H, "minimize", went([9] * 5), better, 2)
    assert verdict(H, "minimize", went([9] * 9), better, 8) is None  # nobody else got that far


def test_bands_passed_at_once_are_all_looked_at():
    assert "iteration 9" in (verdict(H, "minimize", went([9] * 10), others(1, band=9), 0) or "")


def test_only_nan_is_no_reason_to_go_on_if_others_had_more():
    assert verdict(H, "minimize", went([math.nan] * 3), others(1), 0) == (
        "hyperband at iteration 3 (band 1: no finite value so far, and others had some)"
    )
    assert verdict(H, "minimize", went([math.nan] * 3), [Progress(3)], 0) is None


# ---- how good it is ------------------------------------------------------------------------------------------

ITERATIONS, TRIALS = 81, 64


def curves(seed):
    """Losses that fall to where they end, some sooner and some later, with noise."""
    chance = random.Random(seed)
    found = []
    for _ in range(TRIALS):
        end, start, pace = chance.uniform(0.1, 1), chance.uniform(1.5, 2.5), chance.uniform(0.4, 0.9)
        found.append([end + (start - end) * (t + 1) ** -pace + chance.gauss(0, 0.005) for t in range(ITERATIONS)])
    return found


def search(seed, hyperband, agents):
    """The trial that came out best and the share of all iterations that were run, with agents in step."""
    every = curves(seed)
    progress: dict[int, Progress] = {}
    running: list[int] = []
    while len(progress) < TRIALS or running:
        while len(running) < agents and len(progress) < TRIALS:
            running.append(len(progress))
            progress[running[-1]] = Progress()
        for trial in list(running):
            before = progress[trial]
            progress[trial] = advance(before, [every[trial][before.iterations]], hyperband, "minimize")
            rest = [progress[other] for other in progress if other != trial]
            stopped = verdict(hyperband, "minimize", progress[trial], rest, before.iterations)
            if stopped or progress[trial].iterations == ITERATIONS:
                running.remove(trial)
    best = min(progress, key=lambda trial: progress[trial].best or 0)
    spent = sum(each.iterations for each in progress.values()) / (TRIALS * ITERATIONS)
    return best, spent, min(range(TRIALS), key=lambda trial: min(every[trial]))


@pytest.mark.parametrize("agents", [1, 4, 16])
def test_the_same_trial_is_best_as_if_all_had_run_to_the_end_with_less_than_half_the_iterations(agents):
    hyperband = Hyperband(max_iter=ITERATIONS, s=3)
    for seed in range(5):
        best, spent, best_of_all = search(seed, hyperband, agents)
        assert best == best_of_all
        assert spent <= 0.4
