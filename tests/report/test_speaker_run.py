"""What a speaker training leaves: rates of trials with their counts, and a model that loads."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.corpora.speakers import SpeakerSelection
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model
from emovec.report.html_runs import read_run
from emovec.report.speaker_run import Embedded, verification_metrics, write_speaker_run
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance
from emovec.tables.results import read_result

E = 16
HISTORY = [
    {"epoch": n, "train/loss": 2.0 / n, "valid/loss": 3.0 / n, "valid/eer/pooled": 0.4 / n}
    for n in (1, 2)
]


def people(corpora: str = "ab", speakers: int = 8, clips: int = 5) -> list[Utterance]:
    """Clips of women (odd numbers) and men of some corpora."""
    return [
        Utterance(
            f"{corpus}/{number}_{clip}",
            "a.wav",
            None,
            None,
            1.0,
            speaker=f"{corpus}/s{number}",
            gender="female" if number % 2 else "male",
        )
        for corpus in corpora
        for number in range(speakers)
        for clip in range(clips)
    ]


def embed(utterances: Sequence[Utterance], prefix: str = "", signal: float = 1.0) -> Embedded:
    random = np.random.default_rng(0)
    voices = {name: random.standard_normal(E) for name in sorted({u.speaker for u in utterances})}
    noise = random.standard_normal((len(utterances), E))
    embeddings = signal * np.array([voices[u.speaker] for u in utterances]) + 0.3 * noise
    return Embedded(prefix, utterances, embeddings.astype(np.float32))


def named(embedded: Embedded) -> dict:
    metrics, _ = verification_metrics(embedded, seed=0)
    assert len({m.metric for m in metrics}) == len(metrics)
    return {m.metric: m for m in metrics}


def counted(utterances: Sequence[Utterance], *fields: str) -> tuple[int, int]:
    """Targets and impostors among pairs that agree in the fields, by looking at each."""
    pairs = [
        one.speaker == other.speaker
        for one, other in itertools.combinations(utterances, 2)
        if one.id[0] == other.id[0] and all(getattr(one, f) == getattr(other, f) for f in fields)
    ]
    return sum(pairs), len(pairs) - sum(pairs)


def test_trials_are_within_a_corpus_and_a_gender() -> None:
    utterances = people()
    found = named(embed(utterances, "test_x/"))
    for name, fields in (("pooled", ()), ("same_gender", ("gender",))):
        numbers = [found[f"test_x/{kind}/{name}"].value for kind in ("targets", "impostors")]
        assert tuple(numbers) == counted(utterances, *fields)
    assert {(m.n, m.speakers) for m in found.values()} == {(80, 16)}


def test_rates_of_speakers_and_of_noise() -> None:
    for signal, low, high in ((1.0, 0.0, 0.05), (0.0, 0.44, 0.56)):
        found = named(embed(people(), signal=signal))
        for name in ("pooled", "same_gender"):
            rate = found[f"eer/{name}"]
            assert low <= rate.value <= high
            assert rate.interval[0] <= rate.value <= rate.interval[1]
            assert 0 <= found[f"min_dcf/{name}"].value <= 1
            assert found[f"min_dcf/{name}"].interval is None


def test_unknown_genders_are_in_no_pair_within_a_gender() -> None:
    """Of the one corpus genders are known, of the other they are not."""
    utterances = [replace(u, gender="") if u.id[0] == "b" else u for u in people()]
    found = named(embed(utterances))
    known = [u for u in utterances if u.gender]
    assert found["impostors/same_gender"].value == counted(known, "gender")[1]
    assert (found["eer/same_gender"].n, found["eer/same_gender"].speakers) == (40, 8)
    assert (found["eer/pooled"].n, found["eer/pooled"].speakers) == (80, 16)


@pytest.mark.parametrize(
    ("utterances", "said"),
    [
        ([replace(u, gender="") for u in people()], ["x/eer/same_gender: 0 clips; no EER"]),
        ([*people("a", 6)[::2], *people("a", 6)[1::2]], []),
        (people("a", 4), [f"x/eer/{name}: not to be trusted, 4 speakers, fewer than 5"
                          for name in ("pooled", "same_gender")]),
        (people("abc", speakers=2), ["x/eer/same_gender: pairs are all of one kind; no EER"]),
        (people("a", speakers=1), [f"x/eer/{name}: pairs are all of one kind; no EER"
                                   for name in ("pooled", "same_gender")]),
        (people(clips=1), [f"x/eer/{name}: pairs are all of one kind; no EER"
                           for name in ("pooled", "same_gender")]),
    ],
    ids=["no genders", "enough", "few", "one of each gender", "one speaker", "one clip each"],
)  # fmt: skip
def test_no_rate_without_both_kinds(utterances: list[Utterance], said: list[str]) -> None:
    metrics, warnings = verification_metrics(embed(utterances, "x/"), seed=0)
    without = [text for text in said if "no EER" in text]
    assert warnings == said and len(metrics) == 4 * (2 - len(without))


# --- The run's folder


def selection(**changes: object) -> SpeakerSelection:
    utterances = people("a", 10)
    settings: dict = {
        "info": CorpusInfo("a b+c", 50, 10, licence="CC0-1.0"),
        "train": utterances[:30],
        "known": utterances[30:32],
        "valid": utterances[32:40],
        "test": utterances[40:],
        "manifest_hash": "0123456789abcdef",
        "split_line": "a b+c held-out-speakers 50 clips 1 folds 0123456789abcdef",
        "leaks": ("a clip",),
        "skipped": (Skip("a/0_9", "no speech is heard in it"),),
        "warnings": ("is noisy",),
    }
    return SpeakerSelection(**settings | changes)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, ResNet]:
    torch.manual_seed(0)
    encoder = ResNet(channels=(2, 2), blocks=(1, 1), embedding_size=4).eval()
    write_speaker_run(
        encoder,
        [embed(people("a", 5)), embed(people("d", 1), "test_d/")],
        HISTORY,
        selection(),
        tmp_path / "run",
        command=["recipes/speaker/train.py", "x.yaml"],
        hparams={"seed": 3, "name": "tiny"},
        started=datetime.now(timezone.utc),
        device="cpu",
    )
    return tmp_path / "run", encoder


def test_the_result_tells_all_that_was_found(written: tuple[Path, ResNet]) -> None:
    result = read_result(written[0] / "result.json")
    kinds = ("eer", "min_dcf", "targets", "impostors")
    expected = [f"{kind}/{name}" for name in ("pooled", "same_gender") for kind in kinds]
    assert [m.metric for m in result.metrics] == expected
    assert (result.run.corpus, result.run.protocol) == ("a b+c", "held-out-speakers")
    assert (result.run.leaks, result.run.shares_speakers) == (("a clip",), False)
    assert result.skipped == (Skip("a/0_9", "no speech is heard in it"),)
    assert result.warnings[0] == "is noisy" and len(result.warnings) == 3
    assert all(text.startswith("test_d/eer/") for text in result.warnings[1:])
    assert json.loads((written[0] / "result.json").read_text())["run"]["hparams"]["name"] == "tiny"


def test_embeddings_of_all_tests_are_kept(written: tuple[Path, ResNet]) -> None:
    kept = read_run(written[0]).vectors
    tests = [embed(people("a", 5)), embed(people("d", 1), "test_d/")]
    assert list(kept.ids) == [u.id for of in tests for u in of.utterances]
    assert np.array_equal(kept.vectors, np.concatenate([of.embeddings for of in tests]))
    assert kept.columns["corpus"].tolist() == ["a"] * 25 + ["d"] * 5


def test_the_model_folder_gives_the_same_embeddings(written: tuple[Path, ResNet]) -> None:
    folder, encoder = written
    again = load_model(folder / "model")
    waves = 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        lengths = torch.tensor([9000, 5000])
        assert torch.equal(again(waves, lengths), encoder(waves, lengths))
    card = (folder / "model" / "card.md").read_text()
    assert "CC0-1.0" in card and "eer/pooled" in card
    assert 'encoder = emovec.load("this/folder")\nencoder.embed("a.wav")' in card
    assert (folder / "figures" / "learning_curves.png").read_bytes()[:4] == b"\x89PNG"
