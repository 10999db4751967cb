"""Names of emotions and of the axes of affect, and where categories lie on those axes."""

AFFECT_AXES = ("valence", "arousal", "dominance")

EMOTIONS = (
    "anger",
    "happiness",
    "sadness",
    "neutral",
    "fear",
    "disgust",
    "surprise",
    "contempt",
    "calm",
    "boredom",
    "excitement",
    "frustration",
    "other",
    "no_agreement",
)

# Other words and codes for these emotions, as IEMOCAP, CREMA-D, MELD, EmoBox and audformat
# databases write them.
_SYNONYMS = {
    "anger": ("angry", "ang"),
    "happiness": ("happy", "hap", "joy", "joyful"),
    "sadness": ("sad",),
    "neutral": ("neu", "neutrality"),
    "fear": ("fearful", "fea"),
    "disgust": ("disgusted", "dis"),
    "surprise": ("surprised", "sur"),
    "contempt": ("contemptuous",),
    "calm": ("calmness",),
    "boredom": ("bored",),
    "excitement": ("excited", "exc"),
    "frustration": ("frustrated", "fru"),
    "other": ("others", "oth"),
    "no_agreement": ("no agreement", "no-agreement", "xxx"),
}
_NAME_OF = {word: name for name in EMOTIONS for word in (name, *_SYNONYMS[name])}

GENDERS = ("female", "male")

# Mean pleasure, arousal and dominance of emotion terms in Russell & Mehrabian (1977), "Evidence
# for a three-factor theory of emotions", J. Research in Personality 11, 273-294, as quoted by
# later work; neutral is the origin by definition. Calm and contempt are no terms of that table
# that agree between the sources at hand, so they have no prototype.
AFFECT_PROTOTYPES = {
    "anger": (-0.51, 0.59, 0.25),
    "happiness": (0.81, 0.51, 0.46),
    "sadness": (-0.63, -0.27, -0.33),
    "neutral": (0.0, 0.0, 0.0),
    "fear": (-0.64, 0.60, -0.43),
    "disgust": (-0.60, 0.35, 0.11),
    "surprise": (0.40, 0.67, -0.13),
    "boredom": (-0.65, -0.62, -0.33),
}


def emotion_named(label: str) -> str:
    """Our name of an emotion that others call by another word, in any case.

    Args:
        label: a word for an emotion, or a corpus' short code of it

    Returns:
        a name of ``EMOTIONS``, or the label in lower case where it means none of them

    >>> emotion_named("Fearful"), emotion_named("Sleepiness")
    ('fear', 'sleepiness')
    """
    word = label.strip().lower()
    return _NAME_OF.get(word, word)


def affect_prototype(
    emotion: str, intensity: float | None = None
) -> tuple[float, float, float] | None:
    """Valence, arousal and dominance of an emotion term, scaled by intensity.

    A stand-in for corpora that nobody rated; never to be called a rating.

    Args:
        emotion: a name of ``EMOTIONS``
        intensity: share of the corpus' strongest level, in (0, 1]; None where it has no levels

    Returns:
        three values in [-1, 1], or None where the term has no prototype

    >>> affect_prototype("sadness", 0.5)
    (-0.315, -0.135, -0.165)
    >>> affect_prototype("contempt") is None
    True
    """
    prototype = AFFECT_PROTOTYPES.get(emotion)
    if prototype is None:
        return None
    valence, arousal, dominance = (value * (intensity or 1.0) for value in prototype)
    return (valence, arousal, dominance)
