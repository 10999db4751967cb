"""Speakers made of speakers: clips played slower and faster count as spoken by others.

Yamamoto et al. (2019), "Speaker augmentation and bandwidth extension for deep speaker embedding",
Interspeech, doi 10.21437/Interspeech.2019-1508: a changed speed changes pitch and formants, so that
few speakers become several times as many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from emovec.errors import HparamError
from emovec.tables.manifest import Utterance


@dataclass(frozen=True)
class UtteranceAtSpeed(Utterance):
    """A clip at another speed; its duration is what is heard, start and stop are the file's.

    Attributes:
        speed: seconds of the file that pass in one second
    """

    speed: float = 1.0


def speed_of(utterance: Utterance) -> float:
    """Seconds of its file that pass in a second of a clip."""
    return utterance.speed if isinstance(utterance, UtteranceAtSpeed) else 1.0


def with_speakers_at(speeds: Sequence[float], utterances: Sequence[Utterance]) -> list[Utterance]:
    """Clips at each speed, as of another speaker but at 1.

    Args:
        speeds: seconds of the file in one second, in [0.5, 2]
        utterances: N clips

    Returns:
        N clips for each speed; at speed 0.9 their ids and speakers end in "@0.9"

    Raises:
        HparamError: if a speed is named twice, impossible, or none is given
    """
    if not speeds or len(set(speeds)) < len(speeds) or not all(0.5 <= s <= 2 for s in speeds):
        raise HparamError(
            f"speaker_speeds is {list(speeds)}; expected different ones of 0.5 to 2, such as "
            "[1.0, 0.9, 1.1]. Correct it."
        )
    return [
        utterance if speed == 1 else _at(speed, utterance)
        for speed in speeds
        for utterance in utterances
    ]


def _at(speed: float, utterance: Utterance) -> UtteranceAtSpeed:
    values = {field.name: getattr(utterance, field.name) for field in fields(Utterance)}
    values |= {name: f"{values[name]}@{speed:g}" for name in ("id", "speaker")}
    values["duration"] = utterance.duration / speed
    return UtteranceAtSpeed(**values, speed=speed)
