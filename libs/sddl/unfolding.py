"""Line ends for a description that has lost them.

A comment of SDDL goes from an exclamation mark to the end of its line, so that a text whose lines were joined has no
readable end of any comment. It is given back where a statement begins, and before every exclamation mark outside
texts. The words that head a comment box (RECORD INFORMATION, FIELD INFORMATION, RELATION DECLARATION) look like
statements, but none is followed by what a statement needs there, or stands where one may stand.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<text>\b(?:DESCRIPTION|UNITS|SUBSYSTEM_USING)\s+"[^"]*"(?:\s*,\s*"[^"]*")*)
    | (?P<end>\bEND_(?:RECORD|FIELD|INDEX|RELATION)\b)
    | (?P<head>\bLANGUAGE\s+\w+ | \bFIELD\s+\w+\s+(?=TYPE\b) | \b(?:RELATION|INDEX)\s+\w+\s+(?=TYPE\b))
    | (?P<record>\bRECORD\s+\w+)
    | (?P<comment>!+[^!\w]*)
    """,
    re.VERBOSE,
)


def unfolded(text: str) -> str:
    """The text with line ends, if it had none; a text of several lines as it is."""
    if "\n" in text.strip():
        return text
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    inside, at = False, 0
    for found in _TOKEN.finditer(text):
        yield text[at : found.start()]
        begins = found.lastgroup != "record" or not inside
        yield f"\n{found[0]}" if begins else found[0]
        if found.lastgroup == "record":
            inside = True
        elif found[0] == "END_RECORD":
            inside = False
        at = found.end()
    yield text[at:]
