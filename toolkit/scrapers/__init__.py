"""Everything behind src/scraping.py: from a query on the web to a folder of pictures and captions.

    providers/   ask a picture archive; each answer becomes ImageHits
    web/         the only way out: guarded addresses, patience, limits, politeness
    pictures/    look at a downloaded file: real, large enough, not blank, not a duplicate
    captions/    title, description and tags -> one line that fits the tokenizer
    download.py  many downloads at once, in order
    folder.py    Images/, ImageCaptions/, sources.jsonl (also the journal), metadata.jsonl, credits

Nothing in here imports torch, except BLIP, when you choose it.
"""
