"""The transformer among scikit-learn's tools: pipelines, searches, clones, pickles."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

import emovec
from emovec import EmbeddingTransformer, transformer
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.errors import AudioError, HparamError, ModelError


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "encoder"
    save_model(folder, ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10), "")
    return str(folder)


@pytest.fixture
def files(small_corpus: Path) -> list[str]:
    return [str(path) for path in sorted((small_corpus / "audio").iterdir())[:16]]


@pytest.fixture
def labels(files: list[str]) -> list[str]:
    return [Path(path).stem.split("_")[1] for path in files]


def test_embeddings_are_those_of_the_model(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name)
    found = step.fit_transform(files)
    assert found.shape == (16, 10) and found.dtype == np.float32
    assert np.array_equal(found, emovec.load(name).embed(files))
    assert np.array_equal(step.transform(np.array(files)), found)
    assert np.array_equal(step.transform([Path(path) for path in files]), found)
    assert step.transform([]).shape == (0, 10)


def test_a_pipeline_is_searched(name: str, files: list[str], labels: list[str]) -> None:
    pipeline = make_pipeline(
        EmbeddingTransformer(name), StandardScaler(), LogisticRegression(max_iter=500)
    )
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    search.fit(files, labels)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.predict(files[:4])) <= set(labels)
    again = pickle.loads(pickle.dumps(search))
    assert list(again.predict(files)) == list(search.predict(files))


def test_a_clone_knows_the_arguments_only(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name, device="cpu").fit(files)
    copy = clone(step)
    assert copy.get_params() == {"name": name, "device": "cpu", "engine": "torch"}
    assert set(vars(copy)) == {"name", "device", "engine"}
    assert np.array_equal(copy.transform(files[:2]), step.transform(files[:2]))


def test_a_pickle_has_the_name_and_no_weights(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name).fit(files)
    pickled = pickle.dumps(step)
    assert len(pickled) < 1000
    assert np.array_equal(pickle.loads(pickled).transform(files[:2]), step.transform(files[:2]))
    assert joblib.hash(step) == joblib.hash(EmbeddingTransformer(name))  # a Pipeline's memory


def test_the_model_is_loaded_once_and_again_when_renamed(
    name: str, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []

    def counted(*arguments: Any, **options: Any) -> Any:
        loads.append(arguments[0])
        return emovec.load(*arguments, **options)

    monkeypatch.setattr(transformer, "load_of_clips", counted)
    step = EmbeddingTransformer(name)
    assert loads == []
    step.fit(files).transform(files[:1])
    step.get_feature_names_out()
    assert loads == [name]
    step.set_params(device="cpu").transform(files[:1])
    assert loads == [name, name]


def test_names_of_features(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name)
    wanted = [f"embeddingtransformer{place}" for place in range(10)]
    assert list(step.get_feature_names_out()) == wanted
    union = make_union(step, EmbeddingTransformer(name)).fit(files)
    assert len(set(union.get_feature_names_out())) == 20


def test_a_column_of_a_table(name: str, files: list[str]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame({"path": files, "age": range(16)})
    columns = ColumnTransformer([("voice", EmbeddingTransformer(name), "path")], remainder="drop")
    found = columns.set_output(transform="pandas").fit_transform(table)
    assert found.columns[9] == "voice__embeddingtransformer9"
    assert np.allclose(found.to_numpy(), emovec.load(name).embed(files))


def test_nothing_is_fitted(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name)
    check_is_fitted(step)
    assert step.fit(files) is step
    assert step.__sklearn_tags__().input_tags.string


def test_wrong_input(name: str, files: list[str]) -> None:
    step = EmbeddingTransformer(name)
    for one in (files[0], Path(files[0]), np.zeros(9000)):
        with pytest.raises(ValueError, match="expected a list of files"):
            step.transform(one)
    with pytest.raises(AudioError, match=r"absent\.wav: not found"):
        step.transform([*files, "absent.wav"])
    with pytest.raises(ModelError, match="no such model"):
        EmbeddingTransformer("nowhere at all").fit(files)
    with pytest.raises(HparamError, match="engine is 'jax'"):
        EmbeddingTransformer(name, engine="jax").fit(files)


def test_without_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str]) -> None:
    monkeypatch.setattr("emovec.encoders.locating._shipped_folder", lambda: tmp_path)
    step = EmbeddingTransformer()
    with pytest.raises(ModelError, match="no model named"):
        step.fit(files)


# Those of scikit-learn's own checks that do not feed tables of numbers.
CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("check", CHECKS)
def test_what_scikit_learn_checks(check: str, name: str) -> None:
    getattr(estimator_checks, check)("EmbeddingTransformer", EmbeddingTransformer(name))
