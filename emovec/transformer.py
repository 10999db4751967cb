"""Embeddings as a step of a scikit-learn pipeline.

For example, to learn labels of files::

    make_pipeline(EmbeddingTransformer("folder"), LogisticRegression()).fit(files, labels)
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from emovec.api import load_of_clips, usual_encoder
from emovec.audio.clips import File, is_one
from emovec.loaded import Engine, Model


class EmbeddingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embeddings of lists of files, by a model that is not fitted to them.

    Clones and pickles know the model by its name, and load it when they need it.

    Args:
        name: as :func:`emovec.load` takes it; None: the usual encoder
        device: where it runs; None: a GPU if there is one
        engine: "torch" or "onnx"
    """

    def __init__(
        self, name: File | None = None, device: str | None = None, engine: Engine = "torch"
    ) -> None:
        self.name = name
        self.device = device
        self.engine = engine

    def fit(self, files: Iterable[File], y: Any = None) -> "EmbeddingTransformer":
        """Load the model; nothing is learned.

        Args:
            files: are not looked at
            y: is not looked at

        Raises:
            HparamError: if there is no such device or engine
            ModelError: if there is no such model
        """
        self._loaded()
        return self

    def transform(self, files: Iterable[File]) -> NDArray[np.float32]:
        """Embeddings (N, E) of N files.

        Raises:
            AudioError: if a file cannot be read or used
            HparamError: if there is no such device or engine
            ModelError: if there is no such model
            ValueError: if there is one file instead of several
        """
        if is_one(files):  # as scikit-learn's vectorizers: a string is a sequence of strings, too
            raise ValueError(f"{files!r} found; expected a list of files.")
        return self._loaded().embed(files)

    def _loaded(self) -> Model:
        """The model, loaded if that was not done with these arguments."""
        arguments = (self.name, self.device, self.engine)
        if getattr(self, "_model_of", None) != arguments:
            name = usual_encoder() if self.name is None else self.name
            self._model = load_of_clips(name, device=self.device, engine=self.engine)
            self._model_of = arguments
        return self._model

    @property
    def _n_features_out(self) -> int:
        """Number of columns, for ``get_feature_names_out``."""
        return self._loaded().embedding_size

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {key: state[key] for key in state if key not in ("_model", "_model_of")}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.requires_fit = False
        return tags
