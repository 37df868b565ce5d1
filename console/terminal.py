"""Names from outside, made safe to show on a terminal (pure)."""

from __future__ import annotations


def inert(text: str) -> str:
    """The text with everything that could drive a terminal written out: `\\x1b`, `\\n`, `\\u202e`.

    Control characters, line ends, text-direction marks and lone surrogates are what str.isprintable refuses;
    all of them are shown as Python would write them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def cells(text: str, width: int) -> str:
    """The inert text, cut to `width` characters with an ellipsis at its end."""
    shown = inert(text)
    return shown if len(shown) <= width else shown[: max(0, width - 1)] + "…"
