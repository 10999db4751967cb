"""The model that ``emovec extract --then`` puts behind an encoder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emovec.commands.shared import model_name

if TYPE_CHECKING:
    from emovec.encoders.base import Encoder
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
