"""RIRS_NOISES: impulse responses of rooms, and noises, to augment with (Ko et al., 2017).

Layout, below the folder RIRS_NOISES that the archive unpacks to; files may have many channels::

    simulated_rirs/smallroom/Room001/Room001-00001.wav                   20,000 of each size
    real_rirs_isotropic_noises/RVB2014_type1_rir_largeroom1_far_angla.wav      of 325 responses
    real_rirs_isotropic_noises/air_type1_air_binaural_aula_carolina_1_1_90_3.wav
    real_rirs_isotropic_noises/RVB2014_type1_noise_largeroom1_1.wav                of 92 noises
    pointsource_noises/noise-free-sound-0000.wav                                843, from MUSAN

The column ``kind`` keeps apart what responses and what noises are. Rooms of each size are
numbered from 1: an id is the whole path. Use the point-source noises or MUSAN's, not both.
"""

from pathlib import PurePath

from emovec.corpora.base import Corpus, Labels, pick

SIMULATED = {
    "smallroom": "simulated_small",
    "mediumroom": "simulated_medium",
    "largeroom": "simulated_large",
}
# third part of a name, such as RWCP_type4_rir_p30l; the same as the archive's rir_list, noise_list
REAL = {"rir": "real_rir", "air": "real_rir", "noise": "isotropic_noise"}


def label(path: PurePath) -> Labels:
    """Labels in a path.

    >>> label(PurePath("real_rirs_isotropic_noises/RWCP_type4_rir_p30l.wav")).extra
    {'kind': 'real_rir'}
    """
    folder = path.parts[0]
    if folder == "simulated_rirs":
        kind = pick(SIMULATED, path.parts[1], "size of the room")
    elif folder == "real_rirs_isotropic_noises":
        _source, _type, code, *_ = path.stem.split("_")
        kind = pick(REAL, code, "third part of the name")
    else:
        kind = pick({"pointsource_noises": "point_source_noise"}, folder, "folder")
    return Labels(id=path.with_suffix("").as_posix(), extra={"kind": kind})


CORPUS = Corpus(
    name="rirs_noises",
    audio="*_*/**/*.wav",
    utterances=61_260,
    speakers=None,
    label=label,
    prototypes=False,
    licence="Apache-2.0",
    citation="Ko et al. (2017), Data augmentation of reverberant speech, ICASSP, 5220-5224",
    homepage="https://www.openslr.org/28",
)
