"""python -m tests.situations: write docs/situations.md."""

from tests.situations.page import PAGE, page

PAGE.write_text(page(), encoding="utf-8", newline="\n")
print(PAGE)
