"""PEFT's adapters as a ``make_lora`` hook, so that a contribution can be one TOML file.

``[settings.lora] method = "OFT"`` makes the reference's ``make_lora`` call ``attach`` instead of
its own LoRA. docs/peft_methods.md lists the methods.
"""
