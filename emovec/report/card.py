"""Model card: what a trained affect model is, is worth, and must not be used for."""

import re

from emovec.report.cells import commit_cell, table, value_cell
from emovec.report.markdown import stamps
from emovec.tables.corpus import CorpusInfo
from emovec.tables.results import Metric, Result

SOURCES = {
    "rated": "ratings of people, a number a clip",
    "prototype": "prototypes of the clips' emotion categories, scaled by intensity where the "
    "corpus has levels; nobody rated the clips",
    None: "none",
}

PREDICTION = 'import emovec\n\nemovec.load("this/folder").predict("a.wav")'

MISUSE = """\
- Decisions about people: hiring, policing, insurance, education, health, credit.
- Lie detection, or statements about what a person feels: the model estimates how speech sounds.
- Languages, rooms, microphones and ages unlike those of its data, without measuring it there.
- Speech of people who did not agree to it."""


def model_card(
    title: str,
    description: str,
    info: CorpusInfo,
    result: Result,
    usage: str = PREDICTION,
    misuse: str = MISUSE,
) -> str:
    """Text of card.md.

    Args:
        title: name of the model
        description: a sentence or two on what it is
        info: of the corpus it was trained on
        result: of the run that trained it, on the test part
        usage: code that loads and uses it
        misuse: what it must not be used for
    """
    sections = [
        f"# {title}",
        _licence_notice(info),
        "\n".join(f"> **{stamp}**" for stamp in stamps(result)),
        description,
        f"## Data\n\n{_data(info)}",
        f"## How it was made\n\n{_making(result)}",
        f"## Results on held-out clips\n\n{_results(result)}",
        f"## Not to be used for\n\n{misuse}",
        f"## How to load it\n\n```python\n{usage}\n```",
    ]
    return "\n\n".join(section.rstrip() for section in sections if section) + "\n"


def is_non_commercial(licence: str) -> bool:
    """Whether a licence text says that it forbids commercial use.

    >>> is_non_commercial("CC BY-NC-SA 4.0"), is_non_commercial("CC-BY-4.0")
    (True, False)
    """
    words = r"\bNC\b|non-?\s?commercial|academic|research (use|purposes?)|research.only"
    return re.search(words, licence, flags=re.IGNORECASE) is not None


def _licence_notice(info: CorpusInfo) -> str:
    if not info.licence:
        return (
            f"**The licence of {info.name} is not known here: "
            "find out what it allows before using this model.**"
        )
    if is_non_commercial(info.licence):
        return f"**Non-commercial use only: trained on {info.name}, licence {info.licence}.**"
    return f"Trained on {info.name}, licence {info.licence}."


def _data(info: CorpusInfo) -> str:
    scale = "none" if info.affect_scale is None else "{:g} to {:g}".format(*info.affect_scale)
    facts = {
        "Corpus": f"{info.name} {info.release}".strip(),
        "Citation": info.citation,
        "Licence": info.licence or "not known",
        "Language": info.language,
        "Clips and speakers": f"{info.utterances} clips of {info.speakers} speakers, "
        f"{len(info.skipped)} more skipped",
        "Affect labels": SOURCES[info.affect_source],
        "Affect scale": scale,
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items() if fact)


def _making(result: Result) -> str:
    run = result.run
    shared = "; speakers are shared between splits" if run.shares_speakers else ""
    facts = {
        "Command": f"`{run.command}`",
        "Commit": commit_cell([result]),
        "Seed": run.seed,
        "Splits": f"{run.split_hash}{shared}",
        "Machine": f"{run.machine}, {run.seconds:.0f} s",
    }
    lines = [f"- {name}: {fact}" for name, fact in facts.items()]
    lines += [f"- **Leak, allowed with --allow_leak: {leak}**" for leak in run.leaks]
    return "\n".join(lines + [f"- Warning: {text}" for text in result.warnings])


def _results(result: Result) -> str:
    if not result.metrics:
        return "None."
    header = ["metric", "value [95 % interval over speakers]", "clips", "speakers"]
    return table(header, [_row(metric) for metric in result.metrics])


def _row(metric: Metric) -> list[str]:
    return [metric.metric, value_cell([metric]), str(metric.n), str(metric.speakers)]
