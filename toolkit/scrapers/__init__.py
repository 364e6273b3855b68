"""From a web search to a folder of pictures and captions, for src/scraping.py.

    cli.py       the command line of `python -m src.scraping`
    collect.py   the way of one collection, from the search to the last picture
    providers/   ask a picture archive; each answer becomes ImageHits
    web/         all network access: checked addresses, retries, limits, politeness
    pictures/    examine a downloaded file: real, large enough, not blank, not a duplicate
    captions/    title, description and tags -> one line that fits the tokenizer
    download.py  many downloads at once, in order
    folder.py    Images/, ImageCaptions/, sources.jsonl (also the journal), metadata.jsonl, credits

Nothing in here imports torch, except BLIP, when you choose it.
"""
