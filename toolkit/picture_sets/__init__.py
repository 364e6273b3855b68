"""Folders of training pictures: layouts, checks, captions, buckets and caches.

    layouts.py        which picture belongs to which caption, in the four layouts
    metadata.py       one of them: metadata.jsonl
    folder.py         which files are pictures, captions or neither
    layout_problems.py, problems.py   the problems of a folder, in words
    captions.py       caption files and their variations: trigger word, shuffled tags
    buckets.py        sizes for aspect-ratio buckets
    duplicates.py     the same picture twice, or nearly
    examine.py        decode each picture once, in several threads
    preflight.py      find every problem of a folder before the first step
    page.py           the same as one HTML page
    fair_copy.py      a clean copy of a folder; the original is not changed
    unpack.py         a zip of unknown origin, without leaving its folder
    import_set.py     the commands fix and import
    render.py         the report as text and as JSON
    tensor_store.py   tensors on disk or in memory, atomic and checked
    prefetch.py       decode the next pictures while one is in use
    latent_cache.py   outputs of the frozen VAE and text encoder, kept by content
    cli.py            python -m toolkit.picture_sets check|preview|fix|import

Only tensor_store and latent_cache need torch, and only their importers load it.
"""
