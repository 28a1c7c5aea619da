"""Draw how a batch becomes losses: ``python docs/images/batch_flow.py``.

The picture of README.md, an SVG with its own background: light, or dark where
the reader prefers dark pages.
"""
from collections.abc import Iterator
from html import escape
from pathlib import Path

FILE = Path(__file__).with_name('batch_flow.svg')
WIDTH, HEIGHT = 800, 436

#: Fill and stroke of the page and of each kind of box, the text's color.
LIGHT = dict(page='#ffffff #d0d7de', data='#f0f2f5 #8c959f',
             frozen='#ddeeff #4a86c5', student='#def5e3 #3c9a54',
             training='#ede6fb #8661c1', text='#1f2328', quiet='#57606a')
DARK = dict(page='#0d1117 #30363d', data='#21262d #7d8590',
            frozen='#10294a #58a6ff', student='#0f3020 #3fb950',
            training='#2a1f45 #a78bfa', text='#e6edf3', quiet='#9da7b1')


def style(colors: dict[str, str]) -> Iterator[str]:
    """Yield a rule for every kind of box and text."""
    for kind, value in colors.items():
        fill, _, stroke = value.partition(' ')
        yield f'.{kind} {{ fill: {fill}; stroke: {stroke or "none"} }}'
    line = colors['quiet']
    yield f'.line {{ fill: none; stroke: {line}; stroke-width: 1.6 }}'
    yield f'.tip {{ fill: {line} }}'


def text(x: float, y: float, words: str, look: str = 'text') -> str:
    """Words, centered at ``x`` unless their look says otherwise."""
    return f'<text x="{x:g}" y="{y:g}" class="{look}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str,
         radius: float = 0) -> str:
    """A rectangle."""
    return (f'<rect x="{x:g}" y="{y:g}" width="{width:g}" '
            f'height="{height:g}" rx="{radius:g}" class="{kind}"/>')


def box(x: float, y: float, width: float, height: float, kind: str,
        title: str, *lines: str) -> Iterator[str]:
    """Yield a box with a title and what is below it."""
    yield rect(x, y, width, height, kind, 8)
    yield text(x + width / 2, y + 22, title, 'text title')
    for i, line in enumerate(lines):
        yield text(x + width / 2, y + 40 + 16 * i, line)


def arrow(path: str, look: str = '') -> str:
    """A line with a tip, by the path's ``M`` and ``L`` commands."""
    return f'<path d="{path}" class="line {look}" marker-end="url(#tip)"/>'


def levels(x: float, y: float, kind: str) -> Iterator[str]:
    """Yield the five levels of a neck, fine to coarse, centered at y."""
    for side in (26, 20, 14, 9, 5):
        yield rect(x, y - side / 2, side, side, kind)
        x += side + 6


def grid(x: float, y: float, side: float, cells: int, kind: str
         ) -> Iterator[str]:
    """Yield a map of ``cells`` x ``cells``, centered at y."""
    yield rect(x, y - side / 2, side, side, kind)
    for i in range(1, cells):
        at = i * side / cells
        yield (f'<path d="M{x + at:g} {y - side / 2:g}v{side:g}'
               f'M{x:g} {y - side / 2 + at:g}h{side:g}" class="{kind}"/>')


def contents() -> Iterator[str]:
    """Yield the picture's parts from left to right."""
    # The batch.
    yield from box(16, 145, 84, 78, 'data', 'Batch', 'images,', 'boxes')
    yield arrow('M100 167 L116 167 L116 72 L130 72')
    yield arrow('M100 184 L290 184')
    yield text(197, 177, 'boxes', 'quiet')
    yield arrow('M100 201 L116 201 L116 306 L130 306')

    # The two detectors.
    yield from box(132, 22, 130, 100, 'frozen', 'Teacher',
                   'backbone, neck')
    yield from levels(148, 94, 'frozen')
    yield rect(132, 234, 130, 156, 'student', 8)
    yield text(197, 256, 'Student', 'text title')
    yield text(197, 274, 'backbone, neck')
    yield from levels(148, 306, 'student')
    yield arrow('M197 324 L197 345')
    yield rect(148, 347, 98, 28, 'student', 5)
    yield text(197, 366, 'head')

    # What exists only while training.
    yield from box(292, 149, 142, 70, 'training', 'Masks', 'foreground,',
                   'background')
    yield from box(292, 264, 142, 88, 'training', 'Review',
                   'coarse levels fused', 'into finer ones,', 'attention')
    yield from box(466, 22, 118, 330, 'training', 'Distance',
                   'to the teacher,', 'level by level,', 'in each mask')
    yield text(525, 163, 'pyramid:')
    for y, side, cells, name in ((194, 32, 8, 'full'), (233, 26, 4, '4x4'),
                                 (266, 20, 2, '2x2'), (294, 15, 1, '1x1')):
        yield from grid(508 - side / 2, y, side, cells, 'training')
        yield text(534, y + 5, name, 'text left')
    yield arrow('M262 72 L464 72', 'dashed')
    yield text(363, 65, 'levels, no gradient', 'quiet')
    yield arrow('M434 184 L464 184')
    yield arrow('M262 306 L290 306')
    yield arrow('M434 306 L464 306')
    yield arrow('M276 306 L276 248 L464 248')
    yield text(363, 241, 'levels as they are', 'quiet')

    # The losses.
    yield from box(616, 22, 168, 368, 'data', 'One loss dict')
    for y, name in ((76, 'distill.loss_fg_s8'), (96, 'distill.loss_bg_s8'),
                    (116, '…'), (346, 'student.loss_cls'),
                    (366, 'student.loss_bbox')):
        yield text(632, y, name, 'text left code')
    yield arrow('M584 184 L614 184')
    yield arrow('M246 361 L614 361')

    # What the colors mean.
    for x, kind, name in ((16, 'student', 'trained and deployed'),
                          (196, 'frozen', 'teacher, frozen'),
                          (338, 'training', 'only while training'),
                          (505, 'data', 'input and output')):
        yield rect(x, 407, 14, 14, kind, 3)
        yield text(x + 21, 419, name, 'text left')


def picture() -> str:
    """The SVG."""
    light, dark = ('\n'.join(style(each)) for each in (LIGHT, DARK))
    body = '\n'.join(contents())
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" \
width="{WIDTH}" height="{HEIGHT}" role="img">
<title>From a batch to one dict of losses</title>
<style>
text {{ font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; \
text-anchor: middle }}
.title {{ font-weight: 600; font-size: 14px }}
.left {{ text-anchor: start }}
.code {{ font: 12.5px ui-monospace, Menlo, Consolas, monospace }}
.dashed {{ stroke-dasharray: 5 4 }}
{light}
@media (prefers-color-scheme: dark) {{
{dark}
}}
</style>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" \
markerHeight="5" orient="auto">
<path d="M0 0L8 4L0 8z" class="tip"/>
</marker>
{rect(.5, .5, WIDTH - 1, HEIGHT - 1, 'page', 10)}
{body}
</svg>
"""


if __name__ == '__main__':
    FILE.write_text(picture(), encoding='utf-8')
