import numpy as np

from emovec.metrics.operating_points import deciding_bins


def test_a_bin_that_is_empty_so_far_may_decide_yet():
    # Of each bin a third of the trials is counted; the cheapest threshold, with few impostors
    # above it, lies where none of these have been seen.
    targets = np.array([[0, 3, 6, 12, 18, 90, 90, 60]])
    impostors = np.array([[9000, 3000, 300, 30, 9, 2, 0, 0]])
    seen = impostors // 3
    assert not seen[0, 5]
    needed = deciding_bins(targets, impostors, [[0]], reference=None, margin=0.0)
    assert needed[0, 5]
    kept = deciding_bins(targets // 3, seen, [[0]], reference=None, margin=0.05)
    assert (kept | ~needed).all()


def test_an_empty_bin_decides_nothing_when_all_is_counted():
    targets, impostors = np.array([[0, 0, 4, 8]]), np.array([[8, 4, 0, 0]])
    needed = deciding_bins(targets, impostors, [[0]], reference=0, margin=0.0)
    assert not needed[0, (targets + impostors)[0] == 0].any()
