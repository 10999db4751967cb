"""The probe: what it finds and does not, how C is chosen, and what it refuses."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.svm import SVC

from emovec.backends import probe as module
from emovec.backends.convergence import convergence_noted
from emovec.backends.hierarchical import HierarchicalClassifier
from emovec.backends.probe import CLASSIFIERS, Probe
from emovec.backends.probe_settings import Setting, inner_folds
from emovec.errors import HparamError, TrainingError

CLASSES = ["anger", "fear", "neutral"]
C_VALUES = [0.001, 0.03, 1.0, 30.0]


def clips(
    speakers: int = 12, each: int = 9, signal: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, list[str], list[str]]:
    """Features whose first three columns carry the class, in very unlike units."""
    random = np.random.default_rng(seed)
    emotions = np.array(CLASSES * (speakers * each // 3))
    people = np.repeat([f"s{n:02}" for n in range(speakers)], each)
    features = random.standard_normal((len(emotions), 10))
    features[:, :3] += signal * (emotions[:, None] == np.array(CLASSES))
    return features * np.logspace(-3, 3, 10) + 5, emotions.tolist(), people.tolist()


def standardised(features: np.ndarray, by: np.ndarray) -> np.ndarray:
    return (features - by.mean(axis=0)) / by.std(axis=0)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_known_signal_is_found_and_noise_is_not(
    classifier: str, class_weight: str | None
) -> None:
    probe = Probe(classifier, C_VALUES, class_weight)
    for signal, low, high in ((4.0, 0.93, 1.0), (0.0, 0.2, 0.47)):
        features, emotions, speakers = clips(signal=signal)
        fitted = probe.fit(features, emotions, speakers, CLASSES)
        new, true, _ = clips(speakers=40, signal=signal, seed=1)
        right = np.mean(np.array(fitted.predict(new)) == true)
        assert low <= right <= high
        assert max(fitted.inner_f1.values()) <= high + 0.05


def test_a_single_c_is_taken_and_is_scikit_learn_s_on_standardised_features() -> None:
    features, emotions, _ = clips()
    fitted = Probe("logistic_regression", [0.3]).fit(features, emotions, ["one"] * 108, CLASSES)
    assert (fitted.setting.c, fitted.inner_f1, fitted.warnings) == (0.3, {}, ())
    plain = LogisticRegression(C=0.3, max_iter=5000)
    plain.fit(standardised(features, features), emotions)
    new, _, _ = clips(seed=1)
    expected = plain.predict_proba(standardised(new, features))
    np.testing.assert_allclose(fitted.probability(new), expected.max(axis=1), atol=1e-6)
    assert fitted.predict(new) == plain.classes_[expected.argmax(axis=1)].tolist()


def test_only_logistic_regression_has_probabilities() -> None:
    features, emotions, speakers = clips()
    for classifier in CLASSIFIERS:
        fitted = Probe(classifier, [1.0]).fit(features, emotions, speakers, CLASSES)
        assert (fitted.probability(features) is None) == (classifier != "logistic_regression")


def test_c_is_the_best_on_speakers_left_out() -> None:
    """As many inner folds as speakers, so that they do not depend on the seed."""
    features, emotions, speakers = clips(speakers=5, each=12, signal=0.7)
    true, people = np.array(emotions), np.array(speakers)
    expected = {}
    for c in C_VALUES:
        scores = []
        for person in np.unique(people):
            out = people == person
            model = LogisticRegression(C=c, max_iter=5000)
            model.fit(standardised(features[~out], features[~out]), true[~out])
            said = model.predict(standardised(features[out], features[~out]))
            scores.append(f1_score(true[out], said, average="weighted"))
        expected[c] = np.mean(scores)
    for seed in (0, 1):
        fitted = Probe("logistic_regression", C_VALUES[::-1], seed=seed).fit(
            features, emotions, speakers, CLASSES
        )
        assert [setting.c for setting in fitted.inner_f1] == C_VALUES
        assert list(fitted.inner_f1.values()) == pytest.approx(list(expected.values()))
        assert fitted.setting.c == max(expected, key=lambda c: expected[c])


def test_of_equal_ones_the_smallest_c_is_chosen() -> None:
    features, emotions, speakers = clips(signal=100.0)
    fitted = Probe("logistic_regression", [10.0, 1.0, 100.0]).fit(
        features, emotions, speakers, CLASSES
    )
    assert fitted.inner_f1 == {Setting(c): 1.0 for c in (1.0, 10.0, 100.0)}
    assert fitted.setting == Setting(1.0)


def test_no_speaker_is_fitted_and_chosen_by() -> None:
    _, emotions, speakers = clips(speakers=7)
    people = np.array(speakers)
    folds, notes = inner_folds(np.array(emotions), people, [Setting(1.0)], seed=3)
    assert len(folds) == 5 and notes == []
    for fitted, left_out in folds:
        assert not set(people[fitted]) & set(people[left_out])
        assert len(fitted) + len(left_out) == len(people)
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(len(people)))


def test_what_identifies_the_speaker_is_of_no_use() -> None:
    """Each speaker has one emotion: clips left out at random would let the voice tell it."""
    random = np.random.default_rng(0)
    voice = random.standard_normal((12, 30)) * 5
    people = np.repeat(np.arange(12), 10)
    features = voice[people] + 0.1 * random.standard_normal((120, 30))
    emotions = [CLASSES[person % 3] for person in people]
    fitted = Probe("logistic_regression", C_VALUES).fit(
        features, emotions, [f"s{p}" for p in people], CLASSES
    )
    assert np.mean(np.array(fitted.predict(features)) == emotions) == 1
    assert max(fitted.inner_f1.values()) < 0.7


def test_the_same_seed_gives_the_same_model() -> None:
    features, emotions, speakers = clips(signal=0.5)
    for classifier in CLASSIFIERS:
        one, two = (
            Probe(classifier, C_VALUES, seed=4).fit(features, emotions, speakers, CLASSES)
            for _ in range(2)
        )
        assert one.inner_f1 == two.inner_f1 and one.predict(features) == two.predict(features)


def test_balanced_weights_find_the_rare_class() -> None:
    features, emotions, speakers = clips(speakers=20, signal=1.2)
    kept = [row for row, name in enumerate(emotions) if name != "fear" or row % 8 == 1]
    rows = (features[kept], [emotions[r] for r in kept], [speakers[r] for r in kept])
    new, true, _ = clips(speakers=40, signal=1.2, seed=1)
    rare = np.array(true) == "fear"
    found = {}
    for weight in (None, "balanced"):
        fitted = Probe("logistic_regression", [1.0], weight).fit(*rows, CLASSES)
        found[weight] = np.mean(np.array(fitted.predict(new))[rare] == "fear")
    assert found["balanced"] > found[None] + 0.1


def test_fits_that_do_not_converge_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ITERATIONS", 2)
    features, emotions, speakers = clips()
    fitted = Probe("logistic_regression", [1.0, 100.0]).fit(features, emotions, speakers, CLASSES)
    assert fitted.warnings == (
        "11 of 11 fits of logistic_regression had not converged after 2 iterations",
    )
    fitted = Probe("logistic_regression", [1.0]).fit(features, emotions, speakers, CLASSES)
    assert fitted.warnings[0].startswith("1 of 1 fits of logistic_regression")


def test_other_warnings_are_passed_on() -> None:
    with pytest.warns(RuntimeWarning, match="something else"), convergence_noted() as notes:
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
    assert notes == []


def test_a_constant_feature_is_harmless() -> None:
    features, emotions, speakers = clips()
    probe = Probe("logistic_regression", C_VALUES)
    one = probe.fit(features, emotions, speakers, CLASSES)
    wide = np.column_stack([features, np.full(len(features), 7.0)])
    two = probe.fit(wide, emotions, speakers, CLASSES)
    assert one.setting == two.setting and one.predict(features) == two.predict(wide)


def fit(emotions: Sequence[str], speakers: Sequence[str], classes: Sequence[str] = CLASSES) -> None:
    features = np.random.default_rng(0).standard_normal((len(emotions), 3))
    Probe("logistic_regression", C_VALUES).fit(features, emotions, speakers, classes)


def test_what_cannot_be_trained_on_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"none of \['fear'\]; expected some of each of 3"):
        fit(["anger", "neutral"] * 4, list("aabbccdd"))
    with pytest.raises(TrainingError, match=r"2 training clips .*none of \['neutral'\]"):
        fit(["anger", "fear"], ["a", "b"])  # fewer clips than classes
    with pytest.raises(TrainingError, match="at least 2 classes"):
        fit(["anger"] * 4, list("aabb"), ["anger"])
    with pytest.raises(TrainingError, match="1 training speaker found; expected at least 2"):
        fit(CLASSES * 4, ["a"] * 12)
    with pytest.raises(TrainingError, match="1 training speaker found"):
        fit(CLASSES * 4, [""] * 12)  # unknown speakers may be one
    with pytest.raises(TrainingError, match=r"inner fold \d, training clips are all anger"):
        fit(["anger"] * 4 + CLASSES, ["a"] * 4 + ["b"] * 3)


def test_a_class_of_one_speaker_is_told() -> None:
    features, emotions, speakers = clips(speakers=5)
    emotions = [
        "neutral" if name == "fear" and person != "s00" else name
        for name, person in zip(emotions, speakers, strict=True)
    ]
    fitted = Probe("logistic_regression", C_VALUES).fit(features, emotions, speakers, CLASSES)
    (note,) = fitted.warnings
    assert note.startswith("C was chosen, in inner fold ") and note.endswith("clips of ['fear']")


def test_wrong_arguments_are_refused() -> None:
    for arguments, message in (
        (("forest", [1.0]), r"classifier is 'forest'; expected one of \('logistic_regression'"),
        (("rbf_svm", []), r"c_values are \[\]; expected numbers above 0"),
        (("rbf_svm", [1.0, 0.0]), r"c_values are \[1.0, 0.0\]"),
        (("rbf_svm", [np.nan]), "c_values"),
        (
            ("rbf_svm", [1.0], None, 0, []),
            r"gamma_values are \[\]; expected numbers above 0, or sc",
        ),
        (("rbf_svm", [1.0], None, 0, ["auto"]), r"gamma_values are \['auto'\]"),
        (("rbf_svm", [1.0], None, 0, [-0.1]), r"gamma_values are \[-0.1\]"),
        (("rbf_svm", [1.0], None, 0, [None]), r"gamma_values are \[None\]"),
        (("rbf_svm", [1.0], None, 0, [True]), r"gamma_values are \[True\]"),
        (("linear_svm", [1.0], None, 0, [0.1]), "as only rbf_svm has a gamma"),
        (("rbf_svm", [1.0], "equal"), "class_weight is 'equal'; expected 'balanced' or null"),
    ):
        with pytest.raises(HparamError, match=message):
            Probe(*arguments)
    features, emotions, speakers = clips()
    probe = Probe("logistic_regression", [1.0])
    with pytest.raises(ValueError, match="107 emotions"):
        probe.fit(features, emotions[1:], speakers, CLASSES)
    features[3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        probe.fit(features, emotions, speakers, CLASSES)


def test_the_published_svm_sees_raw_embeddings() -> None:
    features, emotions, speakers = clips()
    features = (features - features.mean(axis=0)) / features.std(axis=0) / 3 + 1
    probe = Probe("rbf_svm", [1000.0], gamma_values=[0.1], standardise=False)
    fitted = probe.fit(features, emotions, speakers, CLASSES)
    plain = SVC(C=1000.0, gamma=0.1).fit(features, emotions)
    new = features + 0.2 * np.random.default_rng(3).standard_normal(features.shape)
    assert fitted.predict(new) == plain.predict(new).tolist()
    assert fitted.setting == Setting(1000.0, 0.1) and fitted.stages(new) is None
    assert str(fitted.setting) == "C 1000, gamma 0.1"


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_two_stages_are_two_classifiers_of_standardised_features(classifier: str) -> None:
    features, emotions, speakers = clips()
    fitted = Probe(classifier, [0.3], first="fear").fit(features, emotions, speakers, CLASSES)
    new, _, _ = clips(seed=1)
    x, others = standardised(features, features), np.array(emotions) != "fear"
    model = fitted.pipeline[-1].estimator
    stage1 = type(model)(**model.get_params()).fit(x, others)
    stage2 = type(model)(**model.get_params()).fit(x[others], np.array(emotions)[others])
    at = standardised(new, features)
    expected = np.where(stage1.predict(at), stage2.predict(at), "fear")
    assert fitted.predict(new) == expected.tolist() and fitted.probability(new) is None
    stages = fitted.stages(new)
    np.testing.assert_array_equal(stages.is_first, ~stage1.predict(at))
    np.testing.assert_array_equal(stages.other, stage2.predict(at))


def test_c_gamma_and_the_first_class_are_the_best_on_speakers_left_out() -> None:
    """As many inner folds as speakers, each fitted and scored by hand."""
    features, emotions, speakers = clips(speakers=4, each=12, signal=1.0)
    true, people = np.array(emotions), np.array(speakers)
    expected = {}
    for c in (0.5, 5.0):
        for gamma in (0.01, 0.1):
            for first in CLASSES:
                scores = []
                for person in np.unique(people):
                    out = people == person
                    by = features[~out]
                    model = HierarchicalClassifier(first, SVC(C=c, gamma=gamma))
                    model.fit(standardised(by, by), true[~out])
                    said = model.predict(standardised(features[out], by))
                    scores.append(f1_score(true[out], said, average="weighted"))
                expected[Setting(c, gamma, first)] = np.mean(scores)
    probe = Probe("rbf_svm", [5.0, 0.5], gamma_values=[0.1, 0.01], first="best")
    fitted = probe.fit(features, emotions, speakers, CLASSES)
    assert list(fitted.inner_f1) == list(expected)  # the order in which equal ones are preferred
    assert list(fitted.inner_f1.values()) == pytest.approx(list(expected.values()))
    assert fitted.setting == max(expected, key=lambda setting: expected[setting])
    assert fitted.pipeline[-1].first_ == fitted.setting.first


def test_a_first_class_that_is_none_is_refused() -> None:
    features, emotions, speakers = clips()
    with pytest.raises(HparamError, match=r"first is 'sadness'; expected one of \['anger', 'fear'"):
        Probe("rbf_svm", [1.0], first="sadness").fit(features, emotions, speakers, CLASSES)


def test_a_first_class_of_one_speaker_leaves_nothing_to_choose_by() -> None:
    features, emotions, speakers = clips(speakers=5)
    emotions = [
        "neutral" if name == "fear" and person != "s00" else name
        for name, person in zip(emotions, speakers, strict=True)
    ]
    with pytest.raises(TrainingError, match=r"expected fear, to choose C\. Add speakers"):
        Probe("rbf_svm", [1.0, 2.0], first="fear").fit(features, emotions, speakers, CLASSES)
    Probe("rbf_svm", [1.0], first="fear").fit(features, emotions, speakers, CLASSES)
