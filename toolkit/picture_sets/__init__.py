"""Folders of training pictures: layouts, checks, captions, buckets and caches.

    layouts.py        which picture belongs to which caption, in the layouts that people have
    metadata.py       lists of captions: metadata.jsonl, .csv, meta_cap.json, ...
    folder.py         which files are pictures, captions, lists or neither
    lay_out.py        any set in the layout that the hooks are promised
    problems.py       what can be wrong; problems.toml has the words
    captions.py       caption files and their variations: trigger word, shuffled tags
    buckets.py        sizes for aspect-ratio buckets
    duplicates.py     the same picture twice, or nearly
    examine.py        decode each picture once, in several threads
    preflight.py      find every problem of a folder before the first step
    page.py           the same as one HTML page
    fair_copy.py      a clean copy of a folder; the original is not changed
    unpack.py         a zip of unknown origin, without leaving its folder
    import_set.py     the commands fix and import
    propose.py        captions by a model, to be corrected before they are written
    tensor_store.py   tensors on disk or in memory, atomic and checked
    prefetch.py       decode the next pictures while one is in use
    variants.py       several items of each picture: repeats, mirror images, shuffled captions
    encoded.py        the pictures as latents and the captions as embeddings, for a training loop
    latent_cache.py   outputs of the frozen VAE and text encoder, kept by content
    cli.py            python -m toolkit.picture_sets check|preview|fix|import|caption

Only tensor_store, variants, encoded and latent_cache import torch.
"""
