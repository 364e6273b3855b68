"""The settings that hooks are handed, and what ``train`` returns: the names contributions import.

They are defined in ``toolkit/core/settings.py``. Each forbids unknown fields, so a misspelt setting
is an error and never a silent default.
"""

from toolkit.core.settings import (
    DatasetConfig,
    GenerateConfig,
    LoraConfig,
    TrainConfig,
    TrainResult,
)

__all__ = ["DatasetConfig", "GenerateConfig", "LoraConfig", "TrainConfig", "TrainResult"]
