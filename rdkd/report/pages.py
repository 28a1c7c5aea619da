"""HTML pages, from the templates that lie beside this file."""
from pathlib import Path
from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template (str): Name of its file.
        **values: What it shows, escaped as HTML.

    Returns:
        str: The page.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True).get_template(template).render(**values)
