"""Everything about a folder of training pictures that would clutter ``src/dataset.py``.

    layouts.py        which picture belongs to which caption, in the four layouts
    metadata.py       one of them: metadata.jsonl
    folder.py         which files are pictures, captions or neither
    layout_problems.py, problems.py   what can be wrong, in words
    decode.py         any picture file to upright 8-bit RGB, or a refusal that names it
    captions.py       caption files and their variations: trigger word, shuffled tags
    buckets.py        sizes for aspect-ratio buckets
    duplicates.py     the same picture twice, or nearly
    examine.py        one look at each picture, in several threads
    preflight.py      everything that is wrong with a folder, before step 0
    page.py           the same as one HTML page
    plain.py          a decoded picture without turn, transparency and metadata, as a file
    fair_copy.py      a clean copy of a folder; the original stays as it is
    unpack.py         a zip of unknown origin, without leaving its folder
    bring_in.py       the commands fix and import
    tensor_store.py   tensors on disk or in memory, atomic and checked
    ahead.py          decode the next pictures while one is in use
    latent_cache.py   what the frozen VAE and text encoder answer, by content
    cli.py            python -m toolkit.picture_sets check|preview|fix|import

Only tensor_store and latent_cache need torch, and and only their importers load it.
"""
