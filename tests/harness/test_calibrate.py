"""Calibration on a tiny base: real workers, real scorers, a file that can be read again."""

import dataclasses

from harness.calibration import REFERENCE, VARIANTS, Calibration, Variant, summarise
from harness.commands.calibrate import measure
from harness.track import load_track
from tests.harness.scoring.support import small_track
from tests.harness.test_worker import Silent


def test_variants_are_trained_scored_and_summed_up(random_base, runs):
    track = dataclasses.replace(
        load_track("robot"), file=small_track(steps=2, batch_size=2, base_model=str(random_base))
    )
    rank_1 = next(variant for variant in VARIANTS if variant.label == "rank 1")
    gains = measure(track, {Variant(REFERENCE): 2, rank_1: 2}, 2, Silent())
    assert {label: len(values) for label, values in gains.items()} == {REFERENCE: 2, "rank 1": 2}
    assert gains[REFERENCE] != gains["rank 1"]
    found = summarise(track, gains, "process")
    assert [(order.better, order.worse) for order in found.orders] == [(REFERENCE, "rank 1")]
    assert Calibration.model_validate_json(found.model_dump_json()) == found
