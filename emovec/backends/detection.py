"""Detection of emotion: neutral against the rest."""

from collections.abc import Iterable

NEUTRAL = "neutral"
OTHER = "other"
DETECTED = (NEUTRAL, OTHER)


def neutral_or_other(emotions: Iterable[str]) -> list[str]:
    """Classes, all but neutral taken together.

    >>> neutral_or_other(["anger", "neutral", "fear"])
    ['other', 'neutral', 'other']
    """
    return [NEUTRAL if emotion == NEUTRAL else OTHER for emotion in emotions]
