"""Audio of clips, to be heard on the page."""

import base64
import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import soundfile

from emovec.audio.loading import load
from emovec.errors import AudioError
from emovec.report.html_runs import Clip
from emovec.report.interactive import spread

SAMPLE_RATE = 16000
MOST_CLIPS = 500  # about 10 MB of 3 s each
LONGEST = 20.0  # seconds of a clip


class Heard(NamedTuple):
    """Audio by clip, as data URIs, and what is to be said of it."""

    clips: Mapping[str, str]
    note: str


def heard(ids: Iterable[str], clips: Mapping[str, Clip]) -> Heard:
    """Audio of clips, at most 500 of them and 20 s of each, as MP3 at 16 kHz.

    Args:
        ids: of the clips that the page shows, the most wanted first
        clips: where they are
    """
    wanted = [id_ for id_ in dict.fromkeys(ids) if id_ in clips]
    found, faults = {}, 0
    for row in spread(len(wanted), MOST_CLIPS):
        try:
            found[wanted[row]] = _encoded(clips[wanted[row]])
        except AudioError:
            faults += 1
    note = f"Audio of {len(found)} clips can be heard: choose a point, or a button in a table."
    if len(found) + faults < len(wanted):
        note += f" {len(wanted)} clips are shown."
    if faults:
        note += f" {faults} could not be read."
    return Heard(found, note if wanted else "No audio: the run's clips are not where they were.")


def _encoded(clip: Clip) -> str:
    of = clip.utterance
    wave = load(clip.path, of.start, of.stop, sample_rate=SAMPLE_RATE, max_seconds=LONGEST)
    file = io.BytesIO()
    soundfile.write(file, wave, SAMPLE_RATE, format="MP3")
    return "data:audio/mpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
