"""Card and licence of a model that ships with the package."""

from collections.abc import Sequence

from emovec.errors import ModelError
from emovec.report.card import MISUSE, PREDICTION, is_non_commercial
from emovec.report.cells import table, value_cell
from emovec.report.shipment import NEVER_HEARD, Data, Making, Shipment
from emovec.report.shipping_plan import Plan

LICENCES = {
    "CC BY-NC-SA 4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/legalcode",
}
HEADER = ["measured on", "metric", "value [95 % interval over speakers]", "clips", "speakers"]


def shipped_card(plan: Plan, facts: Shipment, predicts: bool) -> str:
    """Text of card.md.

    Args:
        plan: its prose
        facts: its numbers
        predicts: whether the model predicts, beside embedding
    """
    embeds = f'import emovec\n\nemovec.load("{plan.name}").embed("a.wav")'
    usage = PREDICTION.replace("this/folder", plan.name) if predicts else embeds
    sections = [
        f"# {plan.name}",
        _notice(facts.data),
        "\n>\n".join(f"> **{stamp}**" for stamp in facts.stamps),
        f"{plan.summary}\n{plan.about}".strip(),
        f"- Licence: {facts.licence}",
        f"## Results\n\n{_results(facts)}",
        f"## Data\n\n{_data(facts)}",
        f"## How it was made\n\n{_making(plan, facts)}",
        f"## Rebuild\n\n{_rebuild(plan, facts.trainings)}",
        f"## Meant for\n\n{plan.use.strip()}",
        "## Not to be used for\n\n" + "\n".join([*(f"- {text}" for text in plan.misuse), MISUSE]),
        f"## How to load it\n\n```python\n{usage}\n```",
    ]
    return "\n\n".join(section.rstrip() for section in sections if section) + "\n"


def licence_text(facts: Shipment) -> str:
    """Text of the file LICENSE, which holds for the weights alone.

    Raises:
        ModelError: if there is no text for that licence
    """
    if facts.licence not in LICENCES:
        raise ModelError(
            f"{facts.name}: licence {facts.licence!r}; expected one of {list(LICENCES)}. "
            "Correct it."
        )
    sources = [f"- {d.name}: {d.citation or 'no publication'}; {d.licence}" for d in facts.data]
    return "\n".join(
        [
            f"The weights of {facts.name} in this folder, model.safetensors, are licensed under",
            f"{facts.licence}: {LICENCES[facts.licence]}",
            "",
            "They were trained on the audio below, whose authors are to be named. The code of",
            "emovec is under Apache-2.0, which does not hold for these weights.",
            "",
            *sources,
            *(f"- {text}" for text in facts.further_data),
            "",
        ]
    )


def _notice(data: Sequence[Data]) -> str:
    binding = [f"{d.name} ({d.licence})" for d in data if is_non_commercial(d.licence)]
    if not binding:
        return f"Trained on {', '.join(d.name for d in data)}."
    return f"**Non-commercial use only: trained on {', '.join(binding)}, among others.**"


def _results(facts: Shipment) -> str:
    """A row for each metric, then how each was measured."""
    measured, last = facts.measured, facts.trainings[-1]
    rows = [
        [one.what, m.metric, value_cell([m]), str(m.n), str(m.speakers)]
        for one in measured
        for m in one.metrics
    ]
    lines = [table(HEADER, rows), "By the trained weights, before they were rounded.", ""]
    runs = [one.making for one in measured]
    for making in [run for place, run in enumerate(runs) if run not in runs[:place]]:
        what = "; ".join(one.what for one in measured if one.making == making)
        lines.append(f"- {what}: `{making.command}`, commit {making.commit[:10]},")
        lines.append(f"  splits {making.split_hash}")
        if making == last and len(facts.trainings) > 1:
            lines.append(
                "    - Trainings before it may have heard these speakers without labels, never with"
            )
        lines += [f"    - Warning: {warning}" for warning in making.warnings]
    return "\n".join(lines)


def _data(facts: Shipment) -> str:
    header = ["corpus", "licence", "clips", "speakers", "language", "citation"]
    rows = [
        [d.name, d.licence, str(d.utterances), str(d.speakers), d.language, d.citation]
        for d in facts.data
    ]
    lines = [table(header, rows), f"Never heard in training: {', '.join(NEVER_HEARD)}."]
    lines += [f"- {text}" for text in facts.further_data]
    return "\n".join(lines)


def _making(plan: Plan, facts: Shipment) -> str:
    lines, above = [], [one.making for one in facts.measured]
    for making in facts.trainings:
        lines.append(f"- `{making.command}`")
        lines.append(
            f"    - commit {making.commit}, seed {making.seed}, splits {making.split_hash}"
        )
        lines.append(f"    - {duration(making.seconds)} on {making.machine}")
        if making not in above:  # where its warnings stand
            lines += [f"    - Warning: {warning}" for warning in making.warnings]
    for part, name in plan.stands_on.items():
        lines.append(f"- {part}: {name}, frozen; its weights are in its own folder, not here")
    lines.append(
        "- Weights in float16. Embeddings of three reference clips are at most "
        f"{facts.difference:g} of their length away from those of the trained weights"
    )
    return "\n".join(lines)


def _rebuild(plan: Plan, trainings: Sequence[Making]) -> str:
    took = duration(sum(making.seconds for making in trainings))
    machines = ", ".join(dict.fromkeys(making.machine for making in trainings))
    return (
        f"```bash\npython recipes/ship.py {plan.name}\n```\n\n"
        "With the corpora where the commands above look for them, below data/: it makes those runs "
        f"that are not there, and this folder. The trainings took {took} on {machines}."
    )


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(59.6), duration(7500)
    ('1 min', '2 h 5 min')
    """
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
