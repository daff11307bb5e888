"""The snippets of docs/guides/lake.md: what stands there is what runs."""
import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/lake.md"


def snippet(heading):
    """The first code block below a heading."""
    section = GUIDE.read_text("utf-8").split(f"\n## {heading}\n")[1]
    return re.search(r"```\w*\n(.*?)```", section, re.DOTALL).group(1)
