"""training.py: every setting of a training is in the file, as text."""

from __future__ import annotations

import json

from toolkit.core.settings import LoraConfig, TrainConfig
from toolkit.lora_files.training import training_metadata

WHERE = {
    "base": "models/tiny-sd",
    "base_sha256": "ab" * 32,
    "prediction_type": "v_prediction",
    "resolution_px": 64,
    "pictures": 9,
}


def test_the_entries_have_kohyas_names_and_are_text():
    lora = LoraConfig(train_text_encoder=True, dropout=0.1)
    train = TrainConfig(
        steps=20, batch_size=4, learning_rate=1e-4, text_encoder_learning_rate=5e-5, seed=3
    )
    notes = training_metadata(lora, train, **WHERE)
    assert all(isinstance(value, str) for value in notes.values())
    expected = {
        "ss_sd_model_name": "tiny-sd",
        "ss_new_sd_model_hash": "ab" * 32,
        "ss_unet_lr": "0.0001",
        "ss_text_encoder_lr": "5e-05",
        "ss_network_dropout": "0.1",
        "ss_num_batches_per_epoch": "3",
        "ss_num_epochs": "7",
        "ss_max_train_steps": "20",
        "ss_seed": "3",
        "ss_min_snr_gamma": "None",
        "modelspec.resolution": "64x64",
        "modelspec.prediction_type": "v",
    }
    assert {key: notes[key] for key in expected} == expected


def test_no_setting_is_forgotten():
    lora, train = LoraConfig(rank=7), TrainConfig(min_snr_gamma=5, noise_offset=0.1)
    notes = training_metadata(lora, train, **WHERE)
    assert LoraConfig.model_validate_json(notes["hub.lora"]) == lora
    assert TrainConfig.model_validate_json(notes["hub.train"]) == train
    assert notes["ss_text_encoder_lr"] == "None"
    assert (notes["ss_min_snr_gamma"], notes["ss_noise_offset"]) == ("5", "0.1")
    assert set(json.loads(notes["hub.versions"])) == {"torch", "diffusers", "transformers"}
