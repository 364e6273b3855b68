"""Load a base model from a folder, a checkpoint file or the Hugging Face Hub.

    load.py        the entry point: a folder, a checkpoint file, or a Hugging Face id -> a pipeline
    complete.py    is a weight missing? diffusers would make it random, with only a warning
    hub.py         fetch a model from the Hugging Face Hub, with clear errors
    family.py      which other family a base is of, by its configurations
    timesteps.py   where drawing begins with so many steps
    device.py      the device to compute on: named right, and there
    checkpoint.py  a single .safetensors file with the original names, as A1111 and ComfyUI use
    identity.py    the same base in another file has the same hash
    clip.py        CLIP's tokenizer, which such a file does not hold

Nothing here uses the network unless the base is a Hugging Face id. Importing the
package imports nothing heavy.
"""
