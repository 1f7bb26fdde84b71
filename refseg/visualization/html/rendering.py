"""Fills in the templates of web pages, and escapes whatever is put into them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from refseg.visualization.html.markup import Html, breakable, shown, unbroken


def _unbroken(text: str | Html) -> Html:
    return text if isinstance(text, Html) else Html(unbroken(text))


_TEMPLATES = Environment(
    loader=PackageLoader("refseg.visualization.html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: value if hasattr(value, "__html__") else shown(str(value)),
)
_TEMPLATES.filters["unbroken"] = _unbroken
_TEMPLATES.filters["breakable"] = lambda text: Html(breakable(text))


def render(template: str, **values: object) -> Html:
    """Fill in a template; texts are escaped, `Html` stays as it is.

    The filter `unbroken` keeps figures and options of a text on one line (`markup.unbroken`), and
    `breakable` lets a long name end its line at an underscore (`markup.breakable`).

    Args:
        template: name of a file in the folder `templates`.
        values: by the names that the template has for them.

    Example:
        >>> table = {"heads": ["<", "b"], "rows": [("1", ["2"])]}
        >>> "<th scope=col>&lt;</th>" in render("table.html", table=table, title="").markup
        True
    """
    return Html(_TEMPLATES.get_template(template).render(values))
