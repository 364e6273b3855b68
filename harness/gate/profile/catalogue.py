"""All properties of the profile; causes come before what follows from them."""

from __future__ import annotations

from harness.gate.profile.adapter_properties import ADAPTER
from harness.gate.profile.dataset_properties import DATASET
from harness.gate.profile.drawing_properties import DRAWING
from harness.gate.profile.property import Property
from harness.gate.profile.training_properties import TRAINING

PROPERTIES: tuple[Property, ...] = (*DATASET, *ADAPTER, *TRAINING, *DRAWING)
