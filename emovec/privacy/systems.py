"""LR-VAE and what it is compared with, each a model of one class with its switches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emovec.errors import HparamError
from emovec.privacy.masking import ALL, EMOTION, IDENTITY

ORIGIN = "origin"
IDENTITY_FREE = "identity_free"
EMOTION_FREE = "emotion_free"


@dataclass(frozen=True)
class System:
    """A row of the paper's table.

    Attributes:
        arguments: of ``LRVAE``, beyond sizes that all systems share
        representations: that are scored, and what of the latent each keeps
        why: in words
    """

    arguments: Mapping[str, Any]
    representations: Mapping[str, str]
    why: str = field(default="", compare=False)

    @property
    def ordered(self) -> bool:
        """Whether its latent has ends."""
        return "profile" not in self.arguments


_BOTH = {ORIGIN: ALL, IDENTITY_FREE: EMOTION, EMOTION_FREE: IDENTITY}

SYSTEMS: Mapping[str, System] = {
    "dnn": System(
        {"variational": False, "profile": None, "adversaries": False},
        {ORIGIN: ALL},
        "one encoder, two classifiers",
    ),
    "vae": System(
        {"profile": None, "adversaries": False},
        {ORIGIN: ALL},
        "a VAE with two classifiers of its latent",
    ),
    "avae_emotion": System(
        {"profile": None, "tasks": ["emotion"]},
        {IDENTITY_FREE: ALL},
        "a VAE with a classifier of emotion and a discriminator of speakers (PP-SER)",
    ),
    "avae_identity": System(
        {"profile": None, "tasks": ["speaker"]},
        {EMOTION_FREE: ALL},
        "a VAE with a classifier of speakers and a discriminator of emotions (PP-SV)",
    ),
    "lrvae_no_adversary": System(
        {"adversaries": False}, _BOTH, "a VAE with two classifiers behind layered dropout"
    ),
    "lrvae": System({}, _BOTH, "and discriminators behind either dropout"),
}


def find_system(name: str) -> System:
    """A system by its name.

    Raises:
        HparamError: if there is none
    """
    if name not in SYSTEMS:
        raise HparamError(f"system is '{name}'; expected one of {list(SYSTEMS)}. Correct it.")
    return SYSTEMS[name]
