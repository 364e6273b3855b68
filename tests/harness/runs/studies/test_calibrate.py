"""Calibration on a tiny base: workers and scorers in forks, a file that can be read again."""

import dataclasses
import json

from harness.board import calibration_page
from harness.commands.calibrate import GAINS_FILE, folder_of, measure
from harness.protocol.track import load_track
from harness.runs.studies.calibration import REFERENCE, VARIANTS, Calibration, Variant, summarise
from harness.sandbox.files import ANSWER_FILE
from tests.harness.forked import fork_children
from tests.harness.scoring.support import small_track
from tests.harness.worker.test_worker import Silent


def test_variants_are_trained_scored_and_summed_up(random_base, runs, monkeypatch):
    fork_children(monkeypatch)
    track = dataclasses.replace(
        load_track("robot"), file=small_track(steps=2, batch_size=2, base_model=str(random_base))
    )
    rank_1 = next(variant for variant in VARIANTS if variant.label == "rank 1")
    asked = {Variant(REFERENCE): 2, rank_1: 2}
    gains = measure(track, asked, 2, Silent())
    assert {label: len(values) for label, values in gains.items()} == {REFERENCE: 2, "rank 1": 2}
    assert gains[REFERENCE] != gains["rank 1"]
    found = summarise(track, gains, "process")
    assert [(order.better, order.worse) for order in found.orders] == [(REFERENCE, "rank 1")]
    assert Calibration.model_validate_json(found.model_dump_json()) == found

    # Interrupted and called again, it trains what is missing and nothing else.
    gains_file = folder_of(track, rank_1) / GAINS_FILE
    log = folder_of(track, Variant(REFERENCE)) / "train" / "seed-0" / ANSWER_FILE
    before = log.stat().st_mtime_ns
    gains_file.write_text("{")  # damaged
    assert measure(track, asked, 2, Silent()) == gains
    assert log.stat().st_mtime_ns == before
    assert json.loads(gains_file.read_text())["gains"] == gains["rank 1"]


def test_the_committed_page_is_what_the_files_say():
    calibrations = calibration_page.read_all()
    assert {one.track for one in calibrations} >= {"robot"}
    assert calibration_page.FILE.read_text(encoding="utf-8") == calibration_page.text(calibrations)


def test_every_order_that_an_expert_expects_was_found():
    for one in calibration_page.read_all():
        assert one.orders
        assert [order for order in one.orders if not order.found] == [], one.track
