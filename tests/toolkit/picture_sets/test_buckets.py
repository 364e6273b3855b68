"""buckets.py: every picture gets the size that cuts least off, and all sizes fit the models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.picture_sets.buckets import (
    bucket_of,
    bucket_sizes,
    bucket_step_px,
    cut_share,
    mean_cut,
    statistics,
)


@pytest.mark.parametrize("resolution", [16, 24, 64, 128, 256, 384, 512, 520, 640, 768, 1024])
def test_all_sizes_keep_the_contract(resolution):
    sizes, step = bucket_sizes(resolution), bucket_step_px(resolution)
    assert len(set(sizes)) == len(sizes) >= 3
    for width, height in sizes:
        assert width % step == height % step == 0
        assert width * height <= resolution**2
        assert resolution // 2 <= min(width, height) <= max(width, height) <= resolution * 2
        assert (height, width) in sizes
    if resolution % step == 0:
        assert (resolution, resolution) in sizes


def test_sd14_has_the_sizes_that_other_trainers_have():
    assert {(512, 512), (448, 576), (384, 640), (320, 768), (256, 1024)} <= set(bucket_sizes(512))


@pytest.mark.parametrize("resolution", [0, 8, 60, 511, -64])
def test_a_resolution_without_buckets_is_refused(resolution):
    with pytest.raises(ValueError, match="multiple of 8 from 16"):
        bucket_sizes(resolution)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([64, 256, 512]))
def test_no_other_bucket_cuts_less(width, height, resolution):
    best = bucket_of(width, height, resolution)
    least = min(cut_share((width, height), size) for size in bucket_sizes(resolution))
    assert cut_share((width, height), best) == pytest.approx(least, abs=1e-8)
    assert bucket_of(height, width, resolution) == best[::-1]
    square = cut_share((width, height), (resolution, resolution))
    assert cut_share((width, height), best) <= square + 1e-8


@pytest.mark.parametrize(
    ("picture", "target", "share"),
    [((100, 100), (512, 512), 0), ((200, 100), (512, 512), 0.5), ((100, 300), (64, 96), 0.5)],
)
def test_the_share_that_is_cut_off(picture, target, share):
    assert cut_share(picture, target) == pytest.approx(share)


def test_statistics_count_every_picture_once():
    pictures = [(600, 600)] * 3 + [(1200, 600)] * 2 + [(500, 1000)]
    uses = statistics(pictures, 512, buckets=True)
    assert sum(use.pictures for use in uses) == 6
    assert uses[0].size == (512, 512)
    assert mean_cut(uses) < 0.1
    squares = statistics(pictures, 512, buckets=False)
    assert [(use.size, use.pictures) for use in squares] == [((512, 512), 6)]
    assert mean_cut(squares) == pytest.approx(0.25)
    assert mean_cut([]) == 0
