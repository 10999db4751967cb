"""The models of ``emovec extract``: an encoder, and what ``--then`` puts behind it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emovec.commands.shared import model_name, shown, stamps

if TYPE_CHECKING:
    from emovec.encoders.base import Encoder
    from emovec.loaded import Engine
    from emovec.privacy.lrvae import LRVAE

KEEPS = ("emotion", "identity", "all")


@dataclass(frozen=True)
class Second:
    """A model behind the encoder.

    Attributes:
        name: as it was given
        card: its text
        model: itself
        facts: what extract.json says of it
    """

    name: str
    card: str
    model: "LRVAE"
    facts: dict[str, Any]

    def behind(self, encoder: "Encoder") -> "Encoder":
        """Both as one encoder, which keeps no embedding of the first."""
        from emovec.privacy.protected_encoder import ProtectedEncoder

        return ProtectedEncoder(
            encoder, self.model, self.facts["keep"], self.facts["masked_groups"]
        )


@dataclass(frozen=True)
class Opened:
    """What embeds clips.

    Attributes:
        embedder: of the encoder, or of both models
        max_seconds: that clips are cut to; None: whole clips
        told: what a reader of the cards must know
        facts: arguments of ``emovec.encoders.extraction.extract_table``
    """

    embedder: "Encoder"
    max_seconds: float | None
    told: list[str]
    facts: dict[str, Any]


def open_models(
    encoder: str | Path,
    engine: "Engine",
    device: str | None,
    then: str | None,
    keep: str | None,
    masked_groups: int | None,
) -> Opened:
    """The encoder, and the model of --then, if there is one.

    Args:
        encoder: a model, by name; or the folder of one that comes along
        engine: "torch" or "onnx"
        device: where it runs; None: a GPU if there is one
        then: as :func:`open_second`
        keep: likewise
        masked_groups: likewise

    Raises:
        HparamError: as :func:`open_second`; if there is no such device, or onnxruntime is missing
        ModelError: if there is no such model
    """
    from emovec import api
    from emovec.encoders.cards import licence
    from emovec.encoders.folders import CHECKSUM, CONFIG, read_config
    from emovec.encoders.locating import find_model

    folder = find_model(model_name(encoder))
    model = api.load_of_clips(folder, device=device, engine=engine)
    second = open_second(then, keep, masked_groups)
    cards = {shown(encoder): model.card} | ({second.name: second.card} if second else {})
    return Opened(
        second.behind(model.embedder) if second else model.embedder,
        model.max_seconds,
        [f"{name}: {stamp}" for name, card in cards.items() for stamp in stamps(card)],
        {
            "licence": "; ".join(dict.fromkeys(filter(None, map(licence, cards.values())))),
            "settings": {"then": second.facts} if second else None,
            "checksum": read_config(folder / CONFIG)[CHECKSUM],
        },
    )


def open_second(then: str | None, keep: str | None, masked_groups: int | None) -> Second | None:
    """The model of --then, if there is one.

    Args:
        then: its name
        keep: one of ``KEEPS``
        masked_groups: how many it masks; None: half

    Raises:
        HparamError: if one of the first two is given without the other
        ModelError: if there is no such model
    """
    from emovec.encoders.cards import read_card
    from emovec.encoders.folders import CHECKSUM, CONFIG, read_config
    from emovec.encoders.locating import find_model
    from emovec.encoders.store import load_model
    from emovec.errors import HparamError, ModelError
    from emovec.privacy.lrvae import LRVAE

    if (then is None) != (keep is None) or (then is None and masked_groups is not None):
        raise HparamError(
            f"then is {then!r}, keep {keep!r} and masked_groups {masked_groups!r}; expected both "
            "--then and --keep, or none of the three. Give what is missing."
        )
    if then is None:
        return None
    folder = find_model(model_name(then))
    model = load_model(folder)
    if not isinstance(model, LRVAE):
        raise ModelError(
            f"{then}: holds {type(model).__name__}; expected a model of recipes/privacy/train.py. "
            "Choose another folder."
        )
    checksum = read_config(folder / CONFIG)[CHECKSUM]
    facts = {"model": then, "checksum": checksum, "keep": keep, "masked_groups": masked_groups}
    return Second(then, read_card(folder), model, facts)
