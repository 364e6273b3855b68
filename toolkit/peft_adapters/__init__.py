"""The adapters of PEFT for the hub's contract, so that a contribution can be one TOML file.

``[settings.lora] method = "OFT"`` makes the reference's ``make_lora`` call ``attach`` instead of
its own LoRA. docs/peft_methods.md lists the methods.
"""
