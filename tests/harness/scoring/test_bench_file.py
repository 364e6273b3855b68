"""The base's measurement, kept: a scorer that reads it says what one that measures says."""

import pytest
import torch

from harness.scoring import bench_file
from harness.scoring.jobs import BENCH_FILE, BenchFile, Entry
from tests.harness.scoring.support import score_job, small_track
from tests.harness.scoring.test_main import scored
from toolkit.core.errors import HubError
from toolkit.deltas.file import write_delta


@pytest.fixture(scope="module")
def delta(tmp_path_factory):
    file = tmp_path_factory.mktemp("delta") / "delta.safetensors"
    write_delta(file, {"unet": {"conv_in.bias": torch.full((16,), 0.1)}, "text_encoder": {}})
    return file


@pytest.fixture(scope="module")
def kept(random_base, tmp_path_factory):
    job = score_job(random_base, tmp_path_factory.mktemp("base") / "out")
    answer = scored(job)
    return answer, BenchFile(path=job.out / BENCH_FILE, sha256=answer.bench_sha256)


def test_figures_are_the_same_to_the_bit_and_pictures_too(random_base, delta, kept, tmp_path):
    base, bench = kept
    entries = (Entry(label="One", seed=0, delta=delta),)
    jobs = [
        score_job(random_base, tmp_path / "measured", entries),
        score_job(random_base, tmp_path / "read", entries, bench=bench),
    ]
    measured, read = map(scored, jobs)
    assert read == measured
    assert read.base == base.base
    assert base.entries == ()
    assert measured.bench_sha256 is None  # it is kept only where nothing else is asked for
    for names in read.pictures.values():
        for name in names:
            one, other = (job.out / name for job in jobs)
            assert one.read_bytes() == other.read_bytes()


def test_a_style_and_its_contrast_pictures_are_kept_too(random_base, delta, tmp_path):
    from harness import paths
    from harness.protocol.track import load_track

    track, folder = load_track("streamline"), paths.TRACKS / "streamline"
    small = small_track()
    file = track.file.model_copy(update={"grid": small.grid, "sampling": small.sampling})
    places = {f"{name}_dir": folder / name for name in ("train", "heldout", "contrast", "rivals")}
    base_job = score_job(random_base, tmp_path / "base", track=file, **places)
    bench = BenchFile(path=base_job.out / BENCH_FILE, sha256=scored(base_job).bench_sha256)
    entries = (Entry(label="One", seed=0, delta=delta),)
    measured, read = (
        scored(score_job(random_base, tmp_path / name, entries, track=file, bench=one, **places))
        for name, one in (("measured", None), ("read", bench))
    )
    assert read == measured
    assert read.entries[0].figures.pictures.hits


def test_a_file_that_changed_is_refused(kept, tmp_path):
    _, bench = kept
    changed = bytearray(bench.path.read_bytes())
    changed[-1] ^= 1
    file = tmp_path / BENCH_FILE
    file.write_bytes(bytes(changed))
    other = BenchFile(path=file, sha256=bench.sha256)
    with pytest.raises(HubError, match="changed since it was written"):
        bench_file.read(other, torch.device("cpu"))
