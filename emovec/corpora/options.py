"""Options of corpora, and what may be given for them: checked before anything is read."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emovec.errors import CorpusError
from emovec.tables.corpus import is_scale


@dataclass(frozen=True)
class Kind:
    """What an option is.

    Attributes:
        holds: whether a value is of this kind
        expected: its name in a message
    """

    holds: Callable[[Any], bool]
    expected: str


def are_names(value: Any) -> bool:
    """Whether a value is a mapping of texts to texts."""
    return isinstance(value, Mapping) and all(
        isinstance(text, str) for pair in value.items() for text in pair
    )


TEXT = Kind(lambda value: isinstance(value, str), "a text, in quotes, as 1.10 is not 1.1")
FLAG = Kind(lambda value: isinstance(value, bool), "true or false")
FILE = Kind(lambda value: value is None or isinstance(value, str | os.PathLike), "a path")
NAMES = Kind(lambda value: value is None or are_names(value), "texts by text, {ang: anger}")
SCALE = Kind(lambda value: value is None or is_scale(value), "[lowest, highest]")


def check_options(corpus: str, options: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Raise where a corpus does not take an option, or not such a value.

    Raises:
        CorpusError: which names the option
    """
    wrong = sorted(set(options) - set(kinds))
    if wrong:
        raise CorpusError(f"{corpus}: options are {wrong}; expected of {list(kinds)}.")
    for name, value in options.items():
        if not kinds[name].holds(value):
            raise CorpusError(
                f"{corpus}: {name} is {value!r}; expected {kinds[name].expected}. "
                "Mend it in --corpus_options."
            )
