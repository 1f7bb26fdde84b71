"""HTML in which everything that came from outside is escaped."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

# No browser shows them, and some are not allowed in HTML at all.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


_INTERVAL = re.compile(r"\[[-+\d.]+, [-+\d.]+\]")
_COMPARED = re.compile(r"(?<![^\s(])(?:[pn] )?[<=≥±] (?=\d)| (?=± \d)")
_RANGE = re.compile(r"\d+–\d+")
_OPTION = re.compile(r"(?<!\S)--[a-z_]+")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Html:
    """Markup in which everything that came from outside is escaped already.

    Args:
        markup: whole elements, which may stand in the body of a page.
    """

    markup: str

    def __html__(self) -> str:
        """What templates put onto a page as it is."""
        return self.markup


@dataclass(frozen=True)
class HtmlTable:
    """A table of texts; a row without cells is a heading for those below it.

    Args:
        heads: of the columns.
        rows: a label and one text per further column.
    """

    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str | Html]]]


def shown(text: str) -> str:
    """A text with a replacement character for each that no browser shows."""
    return _CONTROL.sub("\ufffd", text)


def escaped(text: str) -> str:
    """A text as it may stand in an element or in a quoted attribute.

    Example:
        >>> escaped('<b title="x">')
        '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(shown(text))


def unbroken(text: str) -> str:
    """As `escaped`, with no line breaks inside of a figure or an option.

    Figures are intervals, p-values and percentages. What stands between backticks is shown as code.

    Example:
        >>> unbroken("see `refseg test`")
        'see <code>refseg test</code>'
    """
    for numbers in (_INTERVAL, _COMPARED):
        text = numbers.sub(lambda found: found[0].replace(" ", "\u00a0"), text)
    text = escaped(text.replace(" %", "\u00a0%"))
    for whole in (_RANGE, _OPTION):
        text = whole.sub(r'<span class="whole">\g<0></span>', text)
    return _CODE.sub(r"<code>\1</code>", text)


def breakable(text: str) -> str:
    """As `unbroken`, for names in narrow columns: a line may end behind each underscore.

    Example:
        >>> breakable("cross_attention")
        'cross_<wbr>attention'
    """
    return re.sub("_(?=[^_])", "_<wbr>", unbroken(text))


def inert_json(content: object) -> Html:
    r"""Plain values for the scripts of a page, as JSON that can end no element.

    Args:
        content: as `json.dumps` takes it.

    Example:
        >>> inert_json(["</script>"]).markup
        '["\\u003c/script>"]'
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Html(text)
