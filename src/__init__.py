"""The reference: LoRA fine-tuning of Stable Diffusion 1.x, to be read and to be run."""
