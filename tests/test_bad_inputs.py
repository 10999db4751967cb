"""What a user may do wrong, through the doors that users take: each ends in a clear error.

A message says where, what was found, what was expected, and what to do. Corner cases of single
modules are tested beside these.
"""

import errno
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.corpora.selection import Selection, select
from emovec.encoders.store import save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import (
    CorpusError,
    EmovecError,
    HparamError,
    ManifestError,
    ModelError,
    SplitError,
    StorageError,
    TrainingError,
)
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.tables.results import read_result

HPARAMS = Path(__file__).parents[1] / "hparams" / "emosphere.yaml"
FIRST = "0_anger_0"


@pytest.fixture
def corpus(small_corpus: Path, tmp_path: Path) -> Path:
    """A copy of the small corpus, to be damaged."""
    return Path(shutil.copytree(small_corpus, tmp_path / "corpus"))


@pytest.fixture
def run(train: Callable, tmp_path: Path) -> Callable:
    def start(corpus: str, folder: Path | str, *more: str, hparams: Path = HPARAMS) -> None:
        options = [f"--data_folder={folder}", f"--run_folder={tmp_path / 'run'}", "--workers=0"]
        small = ["--encoder_size=tiny", "--weights=null"] if hparams == HPARAMS else []
        options += [*small, "--device=cpu", "--epochs=1", *more]
        train([str(hparams), f"--corpus={corpus}", *options])

    return start


def choose(name: str, folder: Path, *, protocol: str = "default", **changes: object) -> Selection:
    options: dict = {"fold": 0, "seed": 0, "drop_emotions": [], "with_affect": True}
    options |= {"allow_partial": False, "allow_leak": False, **changes}
    return select(name, {}, str(folder), folder.parent / "made", protocol=protocol, **options)


def fails(kind: type[EmovecError], *parts: str) -> AbstractContextManager:
    """An error of exactly this kind, whose message has these parts in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(map(re.escape, parts)))


def damage(corpus: Path, change: Callable[[Utterance], Utterance | None]) -> None:
    """Rewrite the manifest, without the rows that ``change`` makes None."""
    rows = [change(row) for row in read_manifest(corpus / "manifest.csv")]
    kept = [row for row in rows if row is not None]
    write_manifest(corpus / "manifest.csv", kept)
    info = read_corpus_info(corpus / "corpus.json")
    speakers = len({row.speaker for row in kept if row.speaker})
    info = replace(info, utterances=len(kept), speakers=speakers)
    write_corpus_info(corpus / "corpus.json", info)


# --- Corpora


def test_corpus_folder_missing(run: Callable, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    parts = ("ravdess", f"{absent} not found", "expected", "Actor_", "Pass --data_folder")
    with fails(CorpusError, *parts):
        run("ravdess", absent)


def test_corpus_partial(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "data" / "Actor_01").mkdir(parents=True)
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 1600)
    soundfile.write(tmp_path / "data" / "Actor_01" / "03-01-05-01-01-01-01.wav", wave, 16000)
    with fails(CorpusError, "ravdess: 1 of 1440 clips found under", "Pass --allow_partial"):
        run("ravdess", tmp_path / "data")


def test_corpus_unknown(run: Callable, tmp_path: Path) -> None:
    with fails(CorpusError, "corpus is 'ravdes'", "expected one of demo, ravdess"):
        run("ravdes", tmp_path)


@pytest.mark.parametrize(
    ("corpus", "path", "code"),
    [
        ("ravdess", "Actor_01/03-01-09-01-01-01-01.wav", "'09'"),
        ("cremad", "AudioWAV/1001_DFA_QQQ_XX.wav", "'QQQ'"),
        ("emodb", "wav/03a01Xa.wav", "'X'"),
    ],
)
def test_wrong_label_letter(tmp_path: Path, corpus: str, path: str, code: str) -> None:
    file = tmp_path / "data" / path
    file.parent.mkdir(parents=True)
    soundfile.write(file, np.zeros(1600), 16000)
    with fails(CorpusError, f"{corpus}: 1 of 1", f"{path}: ", code, "expected one of", "Mend them"):
        choose(corpus, tmp_path / "data", allow_partial=True)


# --- Audio


def spoil_samples(path: Path, *values: float, seconds: float) -> None:
    wave = np.zeros(round(16000 * seconds), np.float32)
    wave[: len(values)] = values
    soundfile.write(path, wave, 16000, subtype="FLOAT")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "unreadable": (lambda path: path.write_text("RIFF? no"), "cannot be read"),
    "pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git lfs pull",
    ),
    "nan": (lambda path: spoil_samples(path, 0, float("nan"), seconds=0.5), "NaN"),
    "zero length": (lambda path: spoil_samples(path, seconds=0), "expected at least 0.025 s"),
    "very short": (lambda path: spoil_samples(path, seconds=0.01), "expected at least 0.025 s"),
    "missing": (lambda path: path.unlink(), "79 of 80 clips found"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_bad_audio_is_an_error_or_a_listed_skip(corpus: Path, fault: str) -> None:
    spoil, said = SPOILT[fault]
    path = f"audio/{FIRST}.wav"
    spoil(corpus / path)
    with fails(CorpusError, "small: ", said, "--allow_partial") as caught:
        choose("manifest", corpus)
    assert fault == "missing" or path in str(caught.value)
    chosen = choose("manifest", corpus, allow_partial=True)
    assert [skip.id for skip in chosen.skipped] == [FIRST]
    assert chosen.skipped[0].reason.startswith(f"{path}: ")
    assert sum(map(len, chosen.splits.values())) == 79


def test_clips_too_short_for_the_encoder_are_listed(
    run: Callable, corpus: Path, tmp_path: Path
) -> None:
    spoil_samples(corpus / "audio" / f"{FIRST}.wav", 0.5, seconds=0.05)
    run("manifest", corpus)
    (skip,) = read_result(tmp_path / "run" / "result.json").skipped
    assert skip.id == FIRST and "0.050 s, too short for the encoder" in skip.reason


def test_clips_cut_too_short_for_the_encoder(run: Callable, corpus: Path) -> None:
    with fails(SplitError, "train: 0 clips are left, ", "lasts 0.050 s, too short"):
        run("manifest", corpus, "--max_seconds=0.05")


# --- Tables


@pytest.mark.parametrize("value", [7.5, 0.0])
def test_attribute_out_of_scale(corpus: Path, value: float) -> None:
    damage(corpus, lambda row: replace(row, arousal=value) if row.id == FIRST else row)
    with fails(CorpusError, f"{FIRST}.wav: affect is", "expected values in [1.0, 7.0]"):
        choose("manifest", corpus)


def test_duplicate_id(corpus: Path) -> None:
    table = corpus / "manifest.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1], ""]))
    with fails(ManifestError, str(table), f"id '{FIRST}'", "occurs twice", "unique"):
        choose("manifest", corpus)


def write_podcast(folder: Path, rows: list[tuple[int, str]]) -> Path:
    """MSP-Podcast's layout with a clip for each speaker and split."""
    (folder / "Labels").mkdir(parents=True)
    (folder / "Audios").mkdir()
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    for number, (speaker, split) in enumerate(rows):
        wave = np.random.default_rng(number).uniform(-0.5, 0.5, 1600)
        soundfile.write(folder / "Audios" / f"{number}.wav", wave, 16000)
        lines.append(f"{number}.wav,A,4,4,4,{speaker},Male,{split}")
    (folder / "Labels" / "labels_consensus.csv").write_text("\n".join([*lines, ""]))
    return folder


def test_speaker_in_two_splits(tmp_path: Path) -> None:
    rows = [(1, "Train"), (2, "Development"), (1, "Test1"), (3, "Test1")]
    folder = write_podcast(tmp_path / "MSP-PODCAST-1.11", rows)
    with fails(SplitError, "1 speakers in more than one split (1)", "choose another protocol"):
        choose("msp_podcast", folder, allow_partial=True)


def test_split_without_clips(tmp_path: Path) -> None:
    folder = write_podcast(tmp_path / "MSP-PODCAST-1.11", [(1, "Train"), (2, "Train")])
    with fails(SplitError, "no utterance is in test", "expected none", "another protocol"):
        choose("msp_podcast", folder, allow_partial=True)


def test_split_of_one_clip(run: Callable, corpus: Path) -> None:
    """Its concordance cannot be taken: said before training, with the split's name."""
    damage(corpus, lambda row: row if row.speaker in ("s0", "s1") or row.id == FIRST else None)
    damage(corpus, lambda row: replace(row, speaker="s2") if row.id == FIRST else row)
    with fails(SplitError, "test: 1 clips are left", "at least 2"):
        run("manifest", corpus)


def test_nothing_with_affect(corpus: Path) -> None:
    damage(corpus, lambda row: replace(row, valence=None))
    reason = "valence, arousal or dominance is not known"
    with fails(SplitError, "all of its 80 clips are left out", reason, "80", "Choose another"):
        choose("manifest", corpus)


# --- Hyper-parameters


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs: ", "epoch: ", "missing ['epochs'], unknown ['epoch']"),
        ("patience: ", "# patience: ", "missing ['patience'], unknown []"),
        ("seed: 1\n", "seed: 1\ncolour: red\n", "missing [], unknown ['colour']"),
    ],
)
def test_hparams_file_with_a_missing_or_unknown_key(
    train: Callable, tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(re.sub(f"^{old}", new, HPARAMS.read_text(), flags=re.MULTILINE))
    with fails(HparamError, str(file), said, "Hparams lists the keys of this recipe"):
        train([str(file)])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--epoch=3", "unknown ['epoch']; expected among"),
        ("--epochs=many", "epochs is 'many'; expected int"),
        ("--epochs=1.5", "epochs is 1.5; expected int"),
        ("--epochs=0", "epochs is 0; expected at least 1"),
        ("--seed=null", "seed is None; expected int"),
        ("--learning_rate=fast", "learning_rate is 'fast'; expected float"),
        ("--allow_partial=1", "allow_partial is 1; expected bool"),
        ("--drop_emotions=other", "drop_emotions is 'other'; expected list[str]"),
        ("--drop_emotions=[1]", "drop_emotions is [1]; expected list[str]"),
        ("--weights=1", "weights is 1; expected str | None"),
        ("--encoder_size=huge", "size is 'huge'; expected one of ['tiny'"),
        ("--layers=first", "layers is 'first'; expected one of"),
        ("--auxiliary=speaker", "auxiliary is 'speaker'; expected"),
        ("--auxiliary_weight=2", "auxiliary_weight is 2; expected str"),
        ("--regions=9", "regions is 9; expected one of [8, 18, 32]"),
        ("--axes=[arousal, arousal, valence]", "expected a permutation"),
        ("--pooling=max", "'max' is no module; expected one of"),
        ("--schedule=stairs", "schedule is 'stairs'; expected one of"),
        ("--batch_seconds=0.1", "Raise it, or lower max_seconds"),
    ],
)
def test_impossible_hparam(run: Callable, small_corpus: Path, option: str, said: str) -> None:
    with pytest.raises((HparamError, TrainingError), match=re.escape(said)):
        run("manifest", small_corpus, option)


@pytest.mark.parametrize("fold", [-1, 5])
def test_no_such_fold(run: Callable, small_corpus: Path, fold: int) -> None:
    with fails(SplitError, f"manifest: group-kfold has no fold {fold}", "[0, 1, 2, 3, 4]"):
        run("manifest", small_corpus, "--protocol=group-kfold", f"--fold={fold}")


# --- Training


def test_class_absent_in_training(run: Callable, corpus: Path) -> None:
    damage(corpus, lambda row: replace(row, emotion="fear") if row.session == "0" else row)
    said = ("['fear'] occur, but training has only ['anger', 'happiness', 'neutral', 'sadness']",)
    with fails(TrainingError, *said, "drop_emotions"):
        run("manifest", corpus, "--auxiliary=emotion", "--protocol=leave-one-session-out")


def test_one_class_in_training(run: Callable, corpus: Path) -> None:
    damage(corpus, lambda row: replace(row, emotion="anger"))
    with fails(TrainingError, "training split has the emotions ['anger']", "at least two"):
        run("manifest", corpus, "--auxiliary=emotion")


# --- Models


def test_weights_of_another_model(run: Callable, small_corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.pt"
    torch.save({"layer.weight": torch.zeros(2)}, path)
    with fails(ModelError, f"{path}: its weights are not those of this WavLM", "missing", "Choose"):
        run("manifest", small_corpus, f"--weights={path}")


@pytest.mark.parametrize(
    ("content", "said"), [(b"not weights", "not a weights file"), (None, "no such file")]
)
def test_weights_that_are_none(
    run: Callable, small_corpus: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "wrong.pt"
    if content:
        path.write_bytes(content)
    with fails(ModelError, f"{path}: {said}", "expected"):
        run("manifest", small_corpus, f"--weights={path}")


def test_disk_full_while_saving_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the weights are written, then the disk is full."""

    def fill(_tensors: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("emovec.encoders.store.save_file", fill)
    with fails(StorageError, str(tmp_path / "model"), "No space left", "Free some space"):
        save_model(tmp_path / "model", WavLM("tiny"), "A card.\n")
    assert list(tmp_path.iterdir()) == []
