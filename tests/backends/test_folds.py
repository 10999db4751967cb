"""A probe over folds: who is trained on and tested, and that test clips teach nothing."""

from dataclasses import replace

import numpy as np
import pytest

from emovec.backends.folds import FoldOutcome, evaluate_folds
from emovec.backends.probe import Probe
from emovec.backends.undersampling import Undersampling
from emovec.encoders.extract import Extracted
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import folds_by_speaker

CLASSES = ["anger", "fear", "neutral"]
PROBE = Probe("logistic_regression", [0.01, 0.1, 1.0, 10.0])
CLIPS = [
    Utterance(f"{s}-{e}-{k}", "x.wav", None, None, 1.0, speaker=f"s{s}", emotion=e)
    for s in range(10)
    for e in CLASSES
    for k in range(4)
]
Folds = dict[int, dict[str, list[Utterance]]]


def folds(clips: list[Utterance] = CLIPS) -> Folds:
    rows = folds_by_speaker(clips, 5, seed=0)
    by_id = {u.id: u for u in clips}
    found: Folds = {n: {"train": [], "valid": [], "test": []} for n in range(5)}
    for row in rows:
        found[row.fold][row.split].append(by_id[row.id])
    return found


def embedded(signal: float, copies: int = 0, seed: int = 0) -> Extracted:
    random = np.random.default_rng(seed)
    ids = [u.id for u in CLIPS] + [f"{u.id}#{k + 1}" for k in range(copies) for u in CLIPS]
    codes = np.array([CLASSES.index(u.emotion) for u in CLIPS] * (1 + copies))
    vectors = random.standard_normal((len(ids), 8))
    vectors[:, :3] += signal * np.eye(3)[codes]
    return Extracted(ids, vectors.astype(np.float32), ())


def accuracy(outcomes: list[FoldOutcome]) -> float:
    pairs = [
        (said, u.emotion) for o in outcomes for said, u in zip(o.predicted, o.tested, strict=True)
    ]
    return float(np.mean([said == true for said, true in pairs]))


def test_every_clip_is_tested_once_by_others_of_whom_none_is_its_speaker() -> None:
    outcomes = evaluate_folds(PROBE, folds(), embedded(4.0), CLASSES)
    assert sorted(u.id for o in outcomes for u in o.tested) == sorted(u.id for u in CLIPS)
    for outcome in outcomes:
        assert not {u.speaker for u in outcome.trained} & {u.speaker for u in outcome.tested}
        assert len(outcome.trained) + len(outcome.tested) == len(CLIPS)  # valid is trained on
        assert len(outcome.predicted) == len(outcome.probability) == len(outcome.tested)
    assert accuracy(outcomes) > 0.95


def test_noise_stays_at_chance() -> None:
    found = [
        accuracy(evaluate_folds(PROBE, folds(), embedded(0.0, seed=s), CLASSES)) for s in (1, 2)
    ]
    assert 0.2 < np.mean(found) < 0.47


def test_test_clips_teach_nothing() -> None:
    """Their vectors and labels poisoned, C, its scores and the model are the same."""
    clean = evaluate_folds(PROBE, folds(), embedded(0.8), CLASSES)
    for number, splits in folds().items():
        poison = embedded(0.8)
        tested = {u.id for u in splits["test"]}
        rows = [row for row, id_ in enumerate(poison.ids) if id_ in tested]
        poison.embeddings[rows] = 1e6 * np.random.default_rng(5).standard_normal((len(rows), 8))
        wrong = [replace(u, emotion="fear") for u in splits["test"]]
        (found,) = evaluate_folds(PROBE, {number: splits | {"test": wrong}}, poison, CLASSES)
        expected = clean[number]
        assert found.probe.setting == expected.probe.setting
        assert found.probe.inner_f1 == expected.probe.inner_f1
        for name in ("coef_", "intercept_"):
            one, two = (getattr(o.probe.pipeline[-1], name) for o in (found, expected))
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(
            found.probe.pipeline[0].mean_, expected.probe.pipeline[0].mean_
        )


def test_copies_are_trained_on_and_never_tested() -> None:
    vectors = embedded(1.0, copies=2)
    gone = "0-anger-0#2"
    kept = [row for row, id_ in enumerate(vectors.ids) if id_ != gone]
    vectors = Extracted([vectors.ids[row] for row in kept], vectors.embeddings[kept], ())
    with_copies = evaluate_folds(PROBE, folds(), vectors, CLASSES, copies=2)
    without = evaluate_folds(PROBE, folds(), vectors, CLASSES)
    for one, two in zip(with_copies, without, strict=True):
        lost = "0-anger-0" in {u.id for u in one.trained}
        assert len(one.trained) == 3 * len(two.trained) - lost
        assert one.tested == two.tested
        assert not {u.speaker for u in one.trained} & {u.speaker for u in one.tested}


def test_clips_for_validation_are_trained_on_unless_they_share_a_test_speaker() -> None:
    splits = folds()[0]
    (outcome,) = evaluate_folds(PROBE, {0: splits}, embedded(1.0), CLASSES)
    assert outcome.trained == splits["train"] + splits["valid"]
    first = splits["test"][0]
    for speaker in (first.speaker, ""):
        own = replace(splits["valid"][0], speaker=speaker)
        test = [replace(first, speaker=speaker), *splits["test"][1:]]
        mixed = splits | {"valid": [own, *splits["valid"][1:]], "test": test}
        (outcome,) = evaluate_folds(PROBE, {0: mixed}, embedded(1.0), CLASSES)
        assert outcome.trained == splits["train"]


def test_skipped_clips_are_left_out() -> None:
    vectors = embedded(2.0)
    vectors = Extracted(vectors.ids[1:], vectors.embeddings[1:], ())
    outcomes = evaluate_folds(PROBE, folds(), vectors, CLASSES)
    assert sum(len(o.tested) for o in outcomes) == len(CLIPS) - 1
    first = folds()[0]
    without_test = [id_ for id_ in vectors.ids if id_ not in {u.id for u in first["test"]}]
    rows = [vectors.ids.index(id_) for id_ in without_test]
    with pytest.raises(TrainingError, match=r"fold 0: none of 24 test clips has an embedding"):
        evaluate_folds(PROBE, {0: first}, Extracted(without_test, vectors.embeddings[rows], ()), [])


def test_a_fold_that_lacks_a_class_is_named() -> None:
    splits = folds()[3]
    poor = splits | {"train": [u for u in splits["train"] if u.emotion != "fear"], "valid": []}
    with pytest.raises(TrainingError, match=r"fold 3: .* none of \['fear'\]"):
        evaluate_folds(PROBE, {3: poor}, embedded(1.0), CLASSES)
    poor = splits | {"test": [u for u in splits["test"] if u.emotion != "fear"]}
    (outcome,) = evaluate_folds(PROBE, {3: poor}, embedded(1.0), CLASSES)
    assert outcome.warnings == (
        "fold 3: no test clip of fear; its metrics are of the other classes",
    )


def test_detection_has_a_classifier_of_its_own() -> None:
    """As if the others were one class."""
    probe, vectors = replace(PROBE, c_values=[1.0]), embedded(1.0)
    outcomes = evaluate_folds(probe, folds(), vectors, CLASSES, detection=True)
    merged = [replace(u, emotion=u.emotion if u.emotion == "neutral" else "other") for u in CLIPS]
    alone = evaluate_folds(probe, folds(merged), vectors, ["neutral", "other"])
    for one, two in zip(outcomes, alone, strict=True):
        assert [u.id for u in one.tested] == [u.id for u in two.tested]
        assert one.detected == two.predicted
    mapped = ["neutral" if s == "neutral" else "other" for o in outcomes for s in o.predicted]
    assert mapped != [said for o in outcomes for said in o.detected]
    assert evaluate_folds(probe, folds(), vectors, CLASSES)[0].detected is None


def test_detection_of_two_stages_is_what_they_say() -> None:
    probe = replace(PROBE, first="fear", c_values=[1.0])
    for outcome in evaluate_folds(probe, folds(), embedded(1.0), CLASSES, detection=True):
        assert outcome.detected == [
            "neutral" if said == "neutral" else "other" for said in outcome.predicted
        ]
        first = [
            "fear" if is_first else said for is_first, said in zip(*outcome.stages, strict=True)
        ]
        assert first == outcome.predicted


def test_classes_that_are_needed_and_absent_are_told_at_once() -> None:
    with pytest.raises(HparamError, match=r"detection is asked for, with classes \['anger'"):
        evaluate_folds(PROBE, {}, embedded(1.0), ["anger", "fear"], detection=True)
    with pytest.raises(HparamError, match="first is 'sadness'; expected one of"):
        evaluate_folds(replace(PROBE, first="sadness"), {}, embedded(1.0), CLASSES)


def test_undersampled_folds_are_fitted_to_and_tested_on_what_is_drawn() -> None:
    vectors = embedded(1.0, copies=1)
    lost = {f"{s}-fear-{k}" for s in range(10) for k in range(2)}  # half of the fear
    kept = [row for row, id_ in enumerate(vectors.ids) if id_.split("#")[0] not in lost]
    vectors = Extracted([vectors.ids[row] for row in kept], vectors.embeddings[kept], ())
    drawn, probe = Undersampling("smallest", 3, seed=1), replace(PROBE, c_values=[1.0])
    for outcome in evaluate_folds(probe, folds(), vectors, CLASSES, 1, undersampling=drawn):
        trained, tested = ([u.emotion for u in of] for of in (outcome.trained, outcome.tested))
        assert {name: trained.count(name) for name in CLASSES} == dict.fromkeys(CLASSES, 32)
        assert {name: tested.count(name) for name in CLASSES} == dict.fromkeys(CLASSES, 3)
        assert len({u.id for u in outcome.trained}) == 48  # each with its copy
        counts = {(c.split, c.emotion): (c.given, c.embedded, c.used) for c in outcome.counts}
        assert counts["train", "fear"] == (32, 16, 16)
        assert counts["train", "anger"] == (32, 32, 16)
        assert counts["test", "fear"] == (8, 4, 3)
        assert counts["test", "neutral"] == (8, 8, 3)
    with pytest.raises(TrainingError, match=r"fold 0: train has {'fear': 16} clips"):
        evaluate_folds(PROBE, folds(), vectors, CLASSES, undersampling=Undersampling(17))
