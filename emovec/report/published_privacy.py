"""Emotion and identity in the representations of LR-VAE and its baselines, as printed."""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "Huang et al. (2021), attribute-aligned representation, Interspeech, arXiv 2106.02810"
CONDITIONS = (
    "MSP-Podcast 1.4, angry, happy, neutral, sad and disgust; 610, 30 and 50 speakers to train, "
    "validate and test on"
)
CORPUS = "msp_podcast"


@dataclass(frozen=True)
class Row:
    """A row of the table: one representation by one system.

    Attributes:
        system: a name of ``emovec.privacy.systems``
        representation: "origin", "identity_free" or "emotion_free"
        label: as printed
    """

    system: str
    representation: str
    label: str

    @property
    def prefix(self) -> str:
        """Beginning of the names of its metrics."""
        return f"variant_{self.system}/{self.representation}"


ROWS = (
    Row("dnn", "origin", "DNN"),
    Row("vae", "origin", "VAE"),
    Row("avae_emotion", "identity_free", "A-VAE, PP-SER"),
    Row("avae_identity", "emotion_free", "A-VAE, PP-SV"),
    Row("lrvae_no_adversary", "origin", "LR-VAE without adversary, origin"),
    Row("lrvae_no_adversary", "identity_free", "LR-VAE without adversary, PP-SER"),
    Row("lrvae_no_adversary", "emotion_free", "LR-VAE without adversary, PP-SV"),
    Row("lrvae", "origin", "LR-VAE, origin"),
    Row("lrvae", "identity_free", "LR-VAE, PP-SER"),
    Row("lrvae", "emotion_free", "LR-VAE, PP-SV"),
)

# weighted F1 and EER of each row, in % as printed
PERCENT: Mapping[str, tuple[tuple[float, float], ...]] = {
    "emobase2010": (
        (54.90, 14.45),
        (52.61, 12.99),
        (52.09, 41.49),
        (37.93, 17.16),
        (53.54, 13.27),
        (52.71, 30.64),
        (40.33, 19.16),
        (52.86, 11.77),
        (52.41, 41.14),
        (37.54, 12.70),
    ),
    "netvlad": (
        (52.99, 8.14),
        (49.80, 8.37),
        (49.24, 40.66),
        (38.92, 15.25),
        (50.11, 8.20),
        (49.04, 32.39),
        (34.10, 14.51),
        (50.01, 8.53),
        (48.23, 49.51),
        (34.35, 10.91),
    ),
    "xvector": (
        (53.24, 10.05),
        (52.60, 8.55),
        (48.95, 45.93),
        (34.13, 13.56),
        (52.22, 8.75),
        (51.76, 37.61),
        (36.05, 10.66),
        (52.57, 8.44),
        (51.09, 49.48),
        (34.23, 9.63),
    ),
}


def published(kind: str) -> Mapping[str, float]:
    """Shares in [0, 1] by the name of the metric; empty where nothing was published.

    Args:
        kind: of input, one of ``PERCENT``

    >>> published("xvector")["variant_lrvae/identity_free/eer"]
    0.4948
    >>> published("egemaps")
    {}
    """
    found = {}
    for row, (f1, rate) in zip(ROWS, PERCENT.get(kind, ()), strict=False):
        found[f"{row.prefix}/weighted_f1"] = round(f1 / 100, 4)
        found[f"{row.prefix}/eer"] = round(rate / 100, 4)
    return found


def published_notes(kind: str, corpus: str) -> list[str]:
    """What is to be said of the published numbers, beside those of an input and a corpus."""
    if kind not in PERCENT:
        return [f"published: none of {kind or 'this input'}; there are of {', '.join(PERCENT)}"]
    notes = [f"published: {SOURCE}: {CONDITIONS}"]
    if corpus != CORPUS:
        notes.append(
            f"measured on {corpus}, not on {CORPUS} as the published numbers: compare the order of "
            "the rows, not the columns"
        )
    return notes
