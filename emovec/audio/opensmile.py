"""Functionals of openSMILE, an extra: its licence is for research only."""

from importlib.util import find_spec

import numpy as np

from emovec.audio.functionals import Extractor
from emovec.errors import HparamError

# Name here -> that of opensmile.FeatureSet. eGeMAPS: Eyben et al. (2016), 88 values.
# emobase2010 is the paralinguistic challenge of 2010, Schuller et al. (2010), 1582 values.
FEATURE_SETS = {"egemaps": "eGeMAPSv02", "emobase2010": "IS10"}
_SHORTEST = 0.1  # seconds; a shorter clip gets silence behind it, as openSMILE says nothing of it


def extractor(name: str) -> Extractor:
    """A feature set of openSMILE.

    Args:
        name: "egemaps" or "emobase2010"

    Raises:
        HparamError: if there is no such set, or openSMILE is not installed
    """
    if name not in FEATURE_SETS:
        raise HparamError(f"'{name}' is no feature set; expected one of {list(FEATURE_SETS)}.")
    if find_spec("opensmile") is None:
        raise HparamError(
            f"'{name}' needs openSMILE, which is not installed; "
            'run `pip install "emovec[opensmile]"` (for research only), or choose "functionals".'
        )
    import opensmile

    smile = opensmile.Smile(
        feature_set=getattr(opensmile.FeatureSet, FEATURE_SETS[name]),
        feature_level=opensmile.FeatureLevel.Functionals,
    )

    def function(wave: np.ndarray, sample_rate: int) -> np.ndarray:
        padded = np.pad(wave, (0, max(0, round(_SHORTEST * sample_rate) - len(wave))))
        return smile.process_signal(padded, sample_rate).to_numpy(dtype=np.float32)[0]

    return Extractor(name, tuple(smile.feature_names), function)
