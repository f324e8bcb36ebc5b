"""The picture itself, as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from commands.entities.areas import AREAS
from commands.entities.boxes import HEAD, MARGIN, WIDTH, Box, placed

FONTS = "Helvetica, Arial, sans-serif"
LONG_NAME = 31


def picture() -> str:
    """The whole SVG."""
    boxes = placed()
    by_name = {box.name: box for box in boxes}
    width = max(box.x for box in boxes) + WIDTH + MARGIN + 12
    height = max(box.y + box.height for box in boxes) + 40
    body = [
        *_title(),
        *(part for area in AREAS for part in _area(area, [b for b in boxes if b.area == area], width)),
        *(part for box in boxes for part in _references(box, by_name)),
        *(part for box in boxes for part in _drawn(box, by_name)),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{FONTS}">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def _title() -> Iterator[str]:
    yield _text(MARGIN, 34, "The ops-db", size=22, weight="bold")
    yield _text(
        MARGIN,
        54,
        "Written by python -m commands.entities from the models. Bold: primary key. Full line: foreign key. "
        "Broken line: a reference between rows of different streams, which no key ties.",
        size=12,
        fill="#555555",
    )


def _area(name: str, boxes: Sequence[Box], width: int) -> Iterator[str]:
    top, bottom = min(box.y for box in boxes) - 34, max(box.y + box.height for box in boxes) + 14
    yield (
        f'<rect x="{MARGIN - 8}" y="{top}" width="{width - 2 * MARGIN + 16}" height="{bottom - top}" rx="8" '
        f'fill="{_FILLS[name][0]}" stroke="{_FILLS[name][1]}"/>'
    )
    yield _text(MARGIN + 6, top + 21, name, size=14, weight="bold", fill=_FILLS[name][2])


_FILLS = dict(
    zip(
        AREAS,
        (
            ("#f3f7fc", "#bcd0e8", "#1f4e84"),
            ("#f5faf3", "#c3dcb8", "#33691e"),
            ("#f0faf9", "#aed8d4", "#115e59"),
            ("#fdf8ee", "#e6d2a3", "#7a5600"),
            ("#faf4fa", "#dcc2dc", "#6a2f6a"),
        ),
        strict=True,
    )
)


def _drawn(box: Box, by_name: Mapping[str, Box]) -> Iterator[str]:
    _, edge, dark = _FILLS[box.area]
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{box.height}" rx="4" fill="#ffffff" '
        f'stroke="{dark}" stroke-width="0.8"/>'
    )
    yield f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEAD - 2}" rx="4" fill="{edge}"/>'
    size = 12 if len(box.name) < LONG_NAME else 10.5
    yield _text(box.x + 6, box.y + 13, box.name, size=size, weight="bold")
    for number, line in enumerate(box.lines):
        base = box.middle_of(number) + 4
        yield _text(box.x + 6, base, line.text, size=10.5, weight="bold" if line.key else "normal")
        refers = line.refers
        if refers is not None and by_name[refers.table].area != box.area:
            yield _text(box.x + WIDTH - 6, base, f"→ {refers.table}", size=9.5, fill=dark, anchor="end")
        else:
            yield _text(box.x + WIDTH - 6, base, line.kind, size=9.5, fill="#888888", anchor="end")


def _references(box: Box, by_name: Mapping[str, Box]) -> Iterator[str]:
    """Lines to the tables of the same area: one to each, from the first column that refers to it."""
    seen: set[str] = set()
    for number, line in enumerate(box.lines):
        if line.refers is None or line.refers.table in seen:
            continue
        target = by_name[line.refers.table]
        if target.area != box.area or target is box:
            continue
        seen.add(target.name)
        path = _path(box, box.middle_of(number), target, 3 * number % 15)
        dashes = "" if line.refers.tied else ' stroke-dasharray="4 3"'
        colour = _FILLS[box.area][2]
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="0.65" stroke-width="1.2"{dashes}/>'
        yield _arrow(box, target, colour)


def _path(box: Box, y: int, target: Box, offset: int) -> str:
    """Out at the side that is nearer, through the gap between the columns, into the target's head."""
    end_y = target.y + HEAD // 2
    if target.column == box.column:
        out = box.x - 10 - offset
        return f"M {box.x} {y} H {out} V {end_y} H {target.x - 5}"
    if target.column < box.column:
        out = box.x - 10 - offset
        end = target.x + WIDTH + 5
    else:
        out = box.x + WIDTH + 10 + offset
        end = target.x - 5
    start = box.x if target.column < box.column else box.x + WIDTH
    return f"M {start} {y} H {out} V {end_y} H {end}"


def _arrow(box: Box, target: Box, colour: str) -> str:
    y = target.y + HEAD // 2
    if target.column < box.column:
        x, back = target.x + WIDTH, 6
    else:
        x, back = target.x, -6
    return f'<path d="M {x} {y} L {x + back} {y - 3.5} L {x + back} {y + 3.5} Z" fill="{colour}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    weight: str = "normal",
    fill: str = "#111111",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
