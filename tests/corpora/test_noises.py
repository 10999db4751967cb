"""MUSAN and RIRS_NOISES on small fake copies, in the published layouts."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from emovec.corpora import musan, rirs_noises
from emovec.corpora.preparing import prepare
from emovec.errors import CorpusError

MUSAN = {
    "music/fma/music-fma-0000": "music",
    "noise/free-sound/noise-free-sound-0000": "noise",
    "noise/sound-bible/noise-sound-bible-0000": "noise",
    "speech/us-gov/speech-us-gov-0000": "speech",
}
ROOMS = "simulated_rirs"
REAL = "real_rirs_isotropic_noises"
RIRS = {
    "pointsource_noises/noise-free-sound-0000": "point_source_noise",
    f"{REAL}/RVB2014_type1_noise_largeroom1_1": "isotropic_noise",
    f"{REAL}/RVB2014_type1_rir_largeroom1_far_angla": "real_rir",
    f"{REAL}/RWCP_type1_rir_cirline_jr1_imp010": "real_rir",
    f"{REAL}/RWCP_type4_rir_p30l": "real_rir",
    f"{REAL}/RWCP_type5_noise_cirline_ofc_ambient1": "isotropic_noise",
    f"{REAL}/air_type1_air_binaural_aula_carolina_1_1_90_3": "real_rir",
    f"{ROOMS}/largeroom/Room001/Room001-00001": "simulated_large",
    f"{ROOMS}/mediumroom/Room001/Room001-00001": "simulated_medium",
    f"{ROOMS}/smallroom/Room001/Room001-00001": "simulated_small",
}
BOTH = [(musan.CORPUS, MUSAN), (rirs_noises.CORPUS, RIRS)]


def made(corpus, folder, allow_partial=False):
    output = folder.parent / "out"
    return prepare(corpus, folder, output, allow_partial=allow_partial, progress=False)


@pytest.mark.parametrize(("corpus", "kinds"), BOTH)
def test_kinds(tmp_path, write_audio, corpus, kinds):
    root = tmp_path / "data"
    for id_ in kinds:
        write_audio(root / f"{id_}.wav")
    first = next(iter(kinds))
    (root / first).with_name("._hidden.wav").write_bytes(b"Mac")
    (root / first).with_name("LICENSE").write_text("CC-BY")
    prepared = made(replace(corpus, utterances=len(kinds)), root)
    # rooms of every size have a Room001-00001: ids are whole paths
    assert {u.id: u.extra["kind"] for u in prepared.utterances} == kinds
    assert {u.path for u in prepared.utterances} == {f"{id_}.wav" for id_ in kinds}
    assert {(u.speaker, u.emotion, u.affect) for u in prepared.utterances} == {("", "", None)}
    assert (prepared.info.speakers, prepared.info.affect_source) == (0, None)
    assert prepared.info.warnings == ()


@pytest.mark.parametrize(("corpus", "kinds"), BOTH)
def test_partial_copies(tmp_path, write_audio, write_pointer, corpus, kinds):
    first, second, *_ = kinds
    write_audio(tmp_path / "data" / f"{first}.wav")
    write_pointer(tmp_path / "data" / f"{second}.wav")
    said = f"2 of {corpus.utterances} clips found"
    with pytest.raises(CorpusError, match=f"{said}.* Pass --allow_partial"):
        made(corpus, tmp_path / "data")
    prepared = made(corpus, tmp_path / "data", allow_partial=True)
    assert [u.id for u in prepared.utterances] == [first]
    assert said in prepared.info.warnings[0]
    (skip,) = prepared.info.skipped
    assert skip.id == second
    assert "is a Git LFS pointer" in skip.reason


def test_published_numbers():
    assert musan.CORPUS.utterances == 930 + 660 + 426
    assert rirs_noises.CORPUS.utterances == 3 * 20_000 + 325 + 92 + 843


@pytest.mark.parametrize("channels", [2, 8, 30])
def test_many_channels(tmp_path, channels):
    path = tmp_path / "data" / REAL / "RWCP_type1_rir_cirline_jr1_imp010.wav"
    path.parent.mkdir(parents=True)
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (1600, channels))
    soundfile.write(path, wave, 16000)
    (utterance,) = made(replace(rirs_noises.CORPUS, utterances=1), tmp_path / "data").utterances
    assert utterance.duration == 0.1


@pytest.mark.parametrize(
    ("corpus", "path", "said"),
    [
        (musan.CORPUS, "babble/x/a.wav", "folder is 'babble'; expected one of 'noise', 'music'"),
        (rirs_noises.CORPUS, f"{REAL}/A_b_c_1.wav", "third part of the name is 'c'"),
        (rirs_noises.CORPUS, f"{REAL}/short.wav", "not enough values"),
        (rirs_noises.CORPUS, f"{ROOMS}/hugeroom/Room001/a.wav", "size of the room is 'hugeroom'"),
        (rirs_noises.CORPUS, "other_rirs/a.wav", "folder is 'other_rirs'"),
    ],
)
def test_names_that_make_no_sense(tmp_path, write_audio, corpus, path, said):
    write_audio(tmp_path / "data" / path)
    with pytest.raises(CorpusError, match=said):
        made(replace(corpus, utterances=1), tmp_path / "data")


def test_wrong_folder_level(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "musan" / f"{next(iter(MUSAN))}.wav")
    with pytest.raises(CorpusError, match=r"found them below .*data/musan\. Pass --data_folder"):
        made(musan.CORPUS, tmp_path / "data")
