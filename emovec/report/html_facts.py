"""What a page says of a run in words and numbers: how it came about, the answer, all metrics."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from emovec.report.html_blocks import Facts, Notice, Table
from emovec.report.html_runs import RunFolder
from emovec.report.markdown import MEAN_OF_CORPORA, stamps
from emovec.tables.results import Metric, Result

FEW = 10  # rows that are shown without being asked for
_RATES = ("eer", "frr_at", "far_at", "difference")
_COUNTS = ("targets", "impostors")


class Headline(NamedTuple):
    """A number that answers what a run was for, and its words."""

    metric: str
    words: str


# the first group of which a run has one is its answer
HEADLINES = (
    (
        Headline("ccc/mean", "Concordance (CCC) on test clips, mean of the three affect axes"),
        Headline("region/accuracy", "accuracy of the region"),
    ),
    (
        Headline("eer/cross_minus_same", "Equal error rate across emotions minus within them"),
        Headline("eer/pooled", "all pairs"),
    ),
    (
        Headline("identity_free/eer_worst", "Speakers found in identity-free vectors, lowest EER"),
        Headline("identity_free/eer", "by the paper's attacker"),
        Headline("identity_free/weighted_f1", "emotion kept, weighted F1"),
    ),
    (Headline(MEAN_OF_CORPORA, "Unweighted recall of emotions, mean of corpora"),),
    (
        Headline("emotion/weighted_f1", "Weighted F1 of emotions on test clips"),
        Headline("emotion/unweighted_recall", "unweighted recall"),
    ),
    (Headline("eer/pooled", "Equal error rate of all pairs"),),
    (Headline("masked/accuracy", "Accuracy on masked frames"),),
)


def is_rate(name: str) -> bool:
    """Whether a metric is a rate of errors, which is said in %.

    >>> is_rate("test_a/eer/pooled"), is_rate("emotion/weighted_f1")
    (True, False)
    """
    return any(part.startswith(_RATES) for part in name.split("/"))


def shown(metric: Metric) -> str:
    """A metric's value and interval, as a person reads them.

    >>> shown(Metric("eer/pooled", 0.125, 9, 3, (0.1, 0.151)))
    '12.5 % [10.0, 15.1]'
    >>> shown(Metric("ccc/mean", 0.5, 9, 3, None))
    '0.500'
    """
    return number(metric.metric, metric.value, metric.interval)


def number(
    name: str, value: float, interval: tuple[float, float] | None, *, sign: bool = False
) -> str:
    """A value of a metric, with its interval if there is one.

    >>> number("ccc/mean", 0.5, (0.4, 0.6), sign=True)
    '+0.500 [+0.40, +0.60]'
    >>> number("eer/cross_minus_same", 0.104, None)
    '10.4 points'
    """
    plus = "+" if sign else ""
    if any(part in _COUNTS for part in name.split("/")) and not sign:
        return f"{value:,.0f}"
    scale, digits, ends, unit = (100, 1, 1, " %") if is_rate(name) else (1, 3, 2, "")
    if unit and (sign or "minus" in name or name.startswith("difference")):
        unit = " points"
    said = f"{scale * value:{plus}.{digits}f}{unit}"
    if interval is None:
        return said
    low, high = (f"{scale * end:{plus}.{ends}f}" for end in interval)
    return f"{said} [{low}, {high}]"


def answer(result: Result) -> str:
    """The answer in one line with its interval; "" of a result without metrics."""
    found: list[tuple[Headline, Metric]] = []
    for group in HEADLINES:
        found = [(line, metric) for line in group if (metric := result.get(line.metric))]
        if found:
            break
    if not found:
        own = [m for m in result.metrics if not m.metric.startswith(("baseline_", "variant_"))]
        found = [(Headline(metric.metric, metric.metric), metric) for metric in own[:1]]
    if not found:
        return ""
    first = found[0][1]
    said = "; ".join(f"{line.words}: {shown(metric)}" for line, metric in found)
    of = f"{first.n:,} clips of {first.speakers:,} speakers"
    return f"{said} ({of}{'; [95 % interval]' if first.interval else ''})."


def best_baseline(result: Result) -> str:
    """What the best baseline comes to where the answer is a concordance or F1; "" without one."""
    for (name, *_), *_ in HEADLINES:
        if result.get(name) is None:
            continue
        ends = [
            m
            for m in result.metrics
            if m.metric.startswith("baseline_") and m.metric.partition("/")[2] == name
        ]
        if not ends or is_rate(name):
            return ""
        best = max(ends, key=lambda metric: metric.value)
        which = best.metric.partition("/")[0].removeprefix("baseline_").replace("_", " ")
        return f"Best baseline, {which}: {shown(best)}."
    return ""


def notices(result: Result) -> Iterator[Notice]:
    """What must be known before anything is believed; leaks first."""
    for stamp in stamps(result):
        yield Notice("leak" if stamp.startswith("Leak") else "warning", stamp)
    if result.run.commit.endswith("-dirty"):
        yield Notice("note", "The code had changes that its commit does not have.")
    for warning in result.warnings:
        yield Notice("warning", warning)
    if result.skipped:
        yield Notice("note", f"{len(result.skipped)} clips were left out; they are listed below.")


def what_was_run(run: RunFolder) -> Facts:
    """How a result came about."""
    facts = run.result.run
    minutes, seconds = divmod(facts.seconds, 60)
    took = f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"
    return Facts(
        [
            ("Command", facts.command),
            ("Commit", facts.commit),
            ("Data", f"{facts.corpus}, {facts.protocol}"),
            ("Split", facts.split_hash),
            ("Manifest", facts.manifest_hash),
            ("Machine", facts.machine),
            ("Time", f"{facts.started}, took {took}"),
            ("Seed", str(facts.seed)),
        ]
    )


def metrics_table(result: Result) -> Table:
    """All metrics, the run's own before baselines and variants."""
    rows = [
        [metric.metric, shown(metric), f"{metric.n:,}", f"{metric.speakers:,}"]
        for metric in sorted(
            result.metrics, key=lambda m: m.metric.startswith(("baseline_", "variant_"))
        )
    ]
    header = ["metric", "value [95 % interval]", "clips", "speakers"]
    return Table(f"{len(rows)} metrics", header, rows, folded=len(rows) > FEW)


def skipped_table(result: Result) -> Table:
    """Clips that were left out or failed, and why."""
    rows = [[skip.id, skip.reason] for skip in result.skipped]
    return Table(f"{len(rows)} clips left out", ["clip", "why"], rows, folded=len(rows) > FEW)


def settings_tables(result: Result) -> Sequence[Table]:
    """Hyper-parameters and versions."""
    tables = []
    for name, column, of in (
        ("hyper-parameters", "key", result.run.hparams),
        ("versions", "library", result.run.versions),
    ):
        rows = [[str(key), _plain(value)] for key, value in of.items()]
        if rows:
            tables.append(Table(f"{len(rows)} {name}", [column, "value"], rows, folded=True))
    return tables


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
