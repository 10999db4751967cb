"""Model card of a separation: what is found of what it hides, and what it does not promise."""

from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import EMOTION
from emovec.privacy.search import Training
from emovec.report.card import MISUSE, model_card
from emovec.report.cells import table, value_cell
from emovec.report.privacy_measures import EER, MAJORITY, WEIGHTED_F1, WORST
from emovec.tables.corpus import CorpusInfo
from emovec.tables.results import Result

DESCRIPTION = (
    "From embeddings to vectors whose one end carries emotion and the other identity; one end is "
    "masked, to hide what it carries. {what}: {why}. It takes vectors of {size} numbers by `{by}`."
)
USAGE = """\
import emovec

model = emovec.load("this/folder")
model.transform(embeddings, {options})  # (N, {inputs}) -> (N, {outputs})"""
NO_PROMISE = """\
- Anonymity. It is not guaranteed: the numbers above are of these attackers, on these speakers and
  recordings; another attacker, with more speech or another way to learn, may find more. What has
  been hidden may also be in the words, the metadata, or other vectors of the same clip.
- As the only protection of speech that identifies people, or as anonymisation in the sense of a
  law on data protection."""
SEVERAL_DRAWS = """\
- Vectors that are handed in directly, as below, of one clip more than once: an encoder rounds
  otherwise in another batch, each such vector gets noise of its own, and their mean tells what the
  noise hides. `emovec extract --then` draws once a clip, by its samples."""


def privacy_card(
    name: str, training: Training, model: LRVAE, info: CorpusInfo, result: Result
) -> str:
    """Text of card.md.

    Args:
        name: of the system
        training: how it was made
        model: what came of it
        info: of the corpora
        result: of attacks on its representations
    """
    keeps = list(training.system.representations.values())
    options = f'keep="{EMOTION if EMOTION in keeps else keeps[0]}"'
    if training.masked_groups is not None and EMOTION in keeps:
        options += f", masked_groups={training.masked_groups}"
    sizes = {"inputs": model.input_size, "outputs": model.latent_size}
    limits = [NO_PROMISE, SEVERAL_DRAWS, MISUSE] if model.draws else [NO_PROMISE, MISUSE]
    description = DESCRIPTION.format(
        what=name,
        why=training.system.why,
        size=model.input_size,
        by=result.run.hparams["embeddings"],
    )
    return model_card(
        name,
        f"{description}\n\n## Measured leakage\n\n{_leakage(training, result)}",
        info,
        result,
        USAGE.format(options=options, **sizes),
        "\n".join(limits),
    )


def _leakage(training: Training, result: Result) -> str:
    """A row for each representation and attacker, and what they mean."""
    rows = []
    for representation, keep in training.system.representations.items():
        for metric in result.metrics:
            of, _, measure = metric.metric.partition("/")
            if of == representation and not measure.endswith(WORST):
                what, attacker = _what_and_who(measure)
                rows.append([f"`{keep}`", what, attacker, value_cell([metric])])
    number = training.masked_groups
    masks = "half of the groups" if number is None else f"{number} groups"
    guessed = result.get(MAJORITY)
    always = f" Always the most frequent emotion: {value_cell([guessed])}." if guessed else ""
    return (
        f"Of test speakers, with {masks} masked, by attackers that know the training clips and "
        "their masked vectors. Speakers: an EER of 0.5 is guessing, lower is leakage. Emotion: "
        f"weighted F1; higher is leakage where identity is kept.{always}\n\n"
        + table(["keep", "what is found", "attacker", "value [95 % interval]"], rows)
    )


def _what_and_who(measure: str) -> tuple[str, str]:
    """Measure and attacker of a metric.

    >>> _what_and_who("eer_plda"), _what_and_who("weighted_f1")
    (('speakers, EER', 'plda'), ('emotion, weighted F1', "the paper's networks"))
    """
    texts = {WEIGHTED_F1: "emotion, weighted F1", EER: "speakers, EER"}
    name = next(name for name in texts if measure.startswith(name))
    attacker = measure.removeprefix(name).lstrip("_")
    return texts[name], attacker or "the paper's networks"
