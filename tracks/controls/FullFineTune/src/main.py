"""Control: the whole U-Net is the adapter."""

from harness import hookimpl


@hookimpl
def make_lora(pipeline):
    """Train every weight of the U-Net and nothing else."""
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(False)
    return pipeline.unet.requires_grad_(True)
