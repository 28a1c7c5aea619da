"""Hook of mkdocs.yml: Sphinx's roles in docstrings become plain code."""
import re
from typing import Any


def on_page_content(html: str, **_: Any) -> str:
    """Drop the roles, which Markdown does not have, of a page."""
    return re.sub(r':(?:attr|class|data|func|meth|mod):<code>~?', '<code>',
                  html)
