"""Load the model that a LoRA is trained on or drawn with, wherever it is.

    load.py        the front door: a folder, a checkpoint file, or a Hugging Face id -> a pipeline
    complete.py    are all the weights there? A missing one would be random, with only a warning
    hub.py         fetch a model from the Hugging Face Hub, with clear words when that fails
    checkpoint.py  a single .safetensors file with the original names, as A1111 and ComfyUI use
    identity.py    the same base in another file has the same hash
    clip.py        CLIP's tokenizer, which such a file does not hold

Nothing here asks the network for anything unless the base is a Hugging Face id. Importing the
package imports nothing heavy.
"""
