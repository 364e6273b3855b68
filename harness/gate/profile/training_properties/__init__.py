"""The properties of ``train``. What is measured: ``experiments/training_measures/``."""

from __future__ import annotations

from harness.gate.profile.property import Property
from harness.gate.profile.training_properties.inputs import INPUTS_PROPERTIES
from harness.gate.profile.training_properties.losses import LOSSES_PROPERTIES
from harness.gate.profile.training_properties.runs import RUNS_PROPERTIES
from harness.gate.profile.training_properties.texts import TEXTS_PROPERTIES
from harness.gate.profile.training_properties.updates import UPDATES_PROPERTIES

TRAINING: tuple[Property, ...] = (
    *INPUTS_PROPERTIES,
    *TEXTS_PROPERTIES,
    *LOSSES_PROPERTIES,
    *UPDATES_PROPERTIES,
    *RUNS_PROPERTIES,
)
