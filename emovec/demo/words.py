"""Answers as HTML. Names in it may be a stranger's, of a model of the hub or of a file."""

from collections.abc import Sequence
from html import escape

from emovec.demo.hearing import ErrorRate, Heard

NO_CLIP = '<p class="hint">Record or drop a clip.</p>'
NO_PAIR = '<p class="hint">Record or drop two clips.</p>'
MOST_ROWS = 5  # of prototypes and classes

# gradio frames tables of its own accord; its dark page turns the figure's colours round
CSS = """
.answer { line-height: 1.5; }
.answer h2 { font-size: 1.05rem; margin: 1rem 0 .3rem; }
.answer p { margin: .5rem 0; }
.answer table { border-collapse: collapse; margin: 0; width: 100%; }
.answer :is(table, thead, tbody, tr, th, td) { background: none !important;
  border: 0 !important; }
.answer th { font-weight: 400; padding: .2rem .8rem .2rem 0 !important; text-align: left; }
.answer thead th { font-weight: 600; }
.answer td { padding: .2rem 0 !important; width: 55%; }
.answer .number { font-variant-numeric: tabular-nums; padding-left: .8rem !important;
  text-align: right; white-space: nowrap; width: 1%; }
.answer .bar { background: var(--border-color-primary); border-radius: 3px; height: .6rem;
  position: relative; }
.answer .bar i { background: #D55E00; border-radius: 3px; height: 100%; position: absolute; }
.answer .middle { border-left: 1px solid var(--body-text-color); height: 100%; left: 50%;
  position: absolute; }
.answer .large { font-size: 2.2rem; font-variant-numeric: tabular-nums; line-height: 1.2; }
.answer .hint, .answer .small { opacity: .8; }
.answer .small { font-size: .85rem; }
.answer .problem { border-left: 4px solid #D55E00; overflow-wrap: anywhere; padding: .4rem .8rem; }
.dark #sphere .js-plotly-plot { filter: invert(1) hue-rotate(180deg); }
"""


def problem(text: str) -> str:
    """What went wrong."""
    return f'<p class="problem" role="alert">{escape(text)}</p>'


def heard(answer: Heard) -> str:
    """Numbers of a clip."""
    parts = []
    if answer.affect:
        rows = [_row(axis, _signed_bar(v), f"{v:+.2f}") for axis, v in answer.affect.items()]
        parts.append(f"<h2>Affect, from -1 to 1</h2>{_table(rows)}")
        parts.append(f"<p>In the octant of {escape(answer.octant)}.</p>")
    if answer.emotions:
        shares = list(answer.emotions.items())[:MOST_ROWS]
        rows = [_row(name, _bar(share), f"{share:.0%}") for name, share in shares]
        parts.append(f"<h2>Emotions, probability</h2>{_table(rows)}")
    elif answer.prototypes:
        nearest = list(answer.prototypes.items())[:MOST_ROWS]
        rows = [_row(name, "", f"{far:.2f}") for name, far in nearest]
        parts.append(f"<h2>Nearest prototypes, distance</h2>{_table(rows)}")
        parts.append(
            '<p class="small">The model names no emotions. These are the distances of the point to '
            "where people have placed the words for emotions (Russell &amp; Mehrabian, 1977): 0 is "
            "the place itself. They are no probabilities and no ratings.</p>"
        )
    parts.append(
        '<p class="small">It is estimated how the speech sounds, not what a person feels.</p>'
    )
    return "".join(parts)


def alike(similarity: float, rates: Sequence[ErrorRate]) -> str:
    """How alike two voices are, and how little that may mean."""
    parts = [
        f'<p><span class="large">{similarity:.3f}</span> cosine similarity, from -1 to 1: the '
        "higher, the more alike the encoder finds the voices.</p>",
        "<p>This does not say whether one person speaks in both. From which similarity on that is "
        "likely differs from encoder to encoder and from one kind of recordings to another; "
        "<code>emovec eer-matrix</code> finds it on clips with known speakers.</p>",
    ]
    if rates:
        rows = [
            f"<tr><th>{escape(rate.what or 'its test clips')}"
            f'<br><span class="small">pairs: {escape(rate.pairs)}</span></th>'
            f'<td class="number">{escape(rate.value)}</td></tr>'
            for rate in rates
        ]
        head = '<tr><th>measured on</th><th class="number">error rate</th></tr>'
        parts.append("<h2>How often the encoder errs</h2>")
        parts.append(f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>")
        parts.append(
            '<p class="small">Share of pairs that are taken for the wrong thing, where the '
            "threshold is such that both kinds of errors are equally frequent; 0.5 is guessing. In "
            "brackets 95 % intervals. From the encoder's card.</p>"
        )
    else:
        parts.append("<p>Its card does not say how often this encoder errs.</p>")
    return "".join(parts)


def _table(rows: Sequence[str]) -> str:
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _row(name: str, bar: str, number: str) -> str:
    return f'<tr><th>{escape(name)}</th><td>{bar}</td><td class="number">{number}</td></tr>'


def _signed_bar(value: float) -> str:
    """A bar from the middle, to the right if positive."""
    left = 50 + min(0.0, 50 * value)
    bar = f'<i style="left: {left:.1f}%; width: {abs(50 * value):.1f}%"></i>'
    return f'<div class="bar" aria-hidden="true">{bar}<span class="middle"></span></div>'


def _bar(share: float) -> str:
    """A bar from the left; full at one."""
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<div class="bar" aria-hidden="true"><i style="left: 0; width: {width:.1f}%"></i></div>'
