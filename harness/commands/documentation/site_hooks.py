"""What mkdocs calls while it builds the site: the order of the pages, and links out of ``docs/``.

On the hosting site a page may link to any file of the repository. In the site such a link leads to
a page where there is one, else to the file on the hosting site, else it is the file's name.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from harness import paths
from harness.board.pages import code_address

LOG = logging.getLogger("mkdocs.hooks.documentation")  # a warning here fails a strict build
DOCS = paths.ROOT / "docs"

# Files beside docs/ that are pages of the site, too.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "AGENTS.md": "assistants.md",
    "SECURITY.md": "security.md",
    "NOTICE.md": "notice.md",
    "LEADERBOARD.md": "table.md",
}
# Pages of one check each: found by the list of all, and by the search.
FOLDERS = {"One by one: the folder": "checks", "One by one: the hooks": "gate"}

# The theme would fetch this from elsewhere. It lets the search work in pages opened from a file.
SHIM = "https://unpkg.com/iframe-worker/shim"
STATIC = Path(__file__).resolve().parent / "static"

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
# A picture from elsewhere, such as a badge, with or without a link round it.
_FOREIGN = re.compile(r"\[!\[[^\]]*\]\(https?:[^)]*\)\]\([^)]*\)|!\[[^\]]*\]\(https?:[^)]*\)")
_FENCE = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the chapters of mkdocs.yml with the pages that have no place in them."""
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | set(PAGES.values())
    chapters: dict[str, list[Any]] = {}
    for chapter in config.nav or []:
        chapters |= {title: [n for n in names if n in there] for title, names in chapter.items()}
    named = {name for names in chapters.values() for name in names}
    for title, folder in FOLDERS.items():
        inside = sorted(name for name in there - named if name.startswith(f"{folder}/"))
        chapters["Contribute"].append({title: inside})
        named |= set(inside)
    chapters["More"] = sorted(there - named)
    config.nav = [{title: names} for title, names in chapters.items() if names]
    if address := os.environ.get("HUB_BOARD_ADDRESS"):
        config.nav.append({"Board": address})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside ``docs/``, and the script that the theme would fetch."""
    for script in STATIC.iterdir():
        files.append(File.generated(config, f"assets/{script.name}", abs_src_path=str(script)))
    for name, target in PAGES.items():
        content = (paths.ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page into those of the site."""
    source = origin(page.file.src_uri)
    here = page.file.src_uri
    # Code shows what people type; a bracket in it is no link.
    parts = _FENCE.split(markdown)
    parts[::2] = [
        _LINK.sub(lambda found: mended(found, source, here), _FOREIGN.sub("", part))
        for part in parts[::2]
    ]
    return "".join(parts)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Let the page load nothing from elsewhere."""
    return output.replace(SHIM, f"{'../' * page.url.count('/')}assets/iframe-worker.js")


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same for the page of an address that does not exist."""
    return output_content.replace(SHIM, "assets/iframe-worker.js")


def origin(uri: str) -> Path:
    """Return the file of the repository that a page is made from."""
    beside = {target: name for name, target in PAGES.items()}
    return paths.ROOT / beside[uri] if uri in beside else DOCS / uri


def mended(found: re.Match[str], source: Path, here: str) -> str:
    """Return one link, mended.

    Args:
        found: The link.
        source: The file it stands in.
        here: That file's place in the site.
    """
    bang, text, address = found.groups()
    if "://" in address or address.startswith(("#", "mailto:")):
        return found[0]
    path, _, anchor = address.partition("#")
    target = (source.parent / path).resolve()
    if not target.is_relative_to(paths.ROOT) or not target.exists():
        LOG.warning("%s links to %s, which is not there", source.name, address)
        return found[0]
    inside = next(iter(places(target)), None)
    if inside is not None:
        up = "../" * here.count("/")
        return f"{bang}[{text}]({up}{inside}{'#' + anchor if anchor else ''})"
    relative = target.relative_to(paths.ROOT).as_posix()
    if web := code_address(relative):
        return f"{bang}[{text}]({web})"
    return text if relative in text else f"{text} (`{relative}`)"


def places(target: Path) -> Iterator[str]:
    """Yield where in the site a file of the repository is, if it is there."""
    relative = target.relative_to(paths.ROOT).as_posix()
    if relative in PAGES:
        yield PAGES[relative]
    elif target.is_relative_to(DOCS) and target.suffix in {".md", ".webp", ".png", ".svg"}:
        yield target.relative_to(DOCS).as_posix()
