"""MUSAN: noise, music and speech to augment with (Snyder et al., 2015).

Layout, below the folder that the archive unpacks to; 930, 660 and 426 files::

    noise/free-sound/noise-free-sound-0000.wav
    music/fma/music-fma-0000.wav
    speech/librivox/speech-librivox-0000.wav

The column ``kind`` is the outermost folder. Who speaks is not read: it is background.
"""

from pathlib import PurePath

from emovec.corpora.base import Corpus, Labels, pick

KINDS = {kind: kind for kind in ("noise", "music", "speech")}


def label(path: PurePath) -> Labels:
    """Labels in a path.

    >>> label(PurePath("music/fma/music-fma-0000.wav"))
    Labels(id='music/fma/music-fma-0000', extra={'kind': 'music'})
    """
    kind = pick(KINDS, path.parts[0], "folder")
    return Labels(id=path.with_suffix("").as_posix(), extra={"kind": kind})


CORPUS = Corpus(
    name="musan",
    audio="*/*/*.wav",
    utterances=2016,
    speakers=None,
    label=label,
    prototypes=False,
    licence="CC-BY-4.0 (as a whole; file by file in its LICENSE files)",
    citation="Snyder, Chen & Povey (2015), MUSAN: a music, speech, and noise corpus, 1510.08484",
    homepage="https://www.openslr.org/17",
)
