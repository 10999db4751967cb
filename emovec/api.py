"""Models for those who do not care about torch: files in, numbers out.

Embeddings, predictions, and how alike two voices are::

    encoder = emovec.load("runs/speaker/xvector/1/model")
    encoder.embed(["a.wav", "b.flac"])  # (2, E)
    emovec.similarity("a.wav", "b.flac", model=encoder)
    emovec.load("runs/ser/emosphere/1/model").predict("a.wav")
    emovec.load("runs/privacy/lrvae/1/model").transform(embeddings, keep="emotion")
"""

from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from emovec.audio.clips import File
from emovec.encoders.base import Encoder
from emovec.encoders.cards import read_card
from emovec.encoders.locating import USUAL_ENCODER, find_model, usual
from emovec.encoders.store import load_model
from emovec.errors import ModelError
from emovec.loaded import EncoderModel, Engine, Model
from emovec.metrics.pair_scores import cosine_scores
from emovec.predictors import (
    AffectPrediction,
    AffectPredictor,
    EmotionPrediction,
    EmotionPredictor,
)
from emovec.privacy.lrvae import LRVAE
from emovec.separator import Separator
from emovec.training.models import AffectModel, EmotionModel

__all__ = [
    "AffectPrediction",
    "AffectPredictor",
    "EmotionPrediction",
    "EmotionPredictor",
    "EncoderModel",
    "Model",
    "Separator",
    "load",
    "load_of_clips",
    "similarity",
    "usual_encoder",
]


@overload
def load(
    name: File, *, device: str | None = None, engine: Literal["torch"] = "torch"
) -> EncoderModel | AffectPredictor | EmotionPredictor | Separator: ...


@overload
def load(name: File, *, device: str | None = None, engine: Literal["onnx"]) -> EncoderModel: ...


def load(
    name: File, *, device: str | None = None, engine: Engine = "torch"
) -> EncoderModel | AffectPredictor | EmotionPredictor | Separator:
    """A model by its name; all have ``save`` and ``push_to_hub``, models of clips ``embed``.

    Args:
        name: a model folder, of which no code is run; the name of one that comes with the package;
            or organisation/name@revision of the Hugging Face hub
        device: where it runs, such as "cpu" or "cuda:1"; None: a GPU if there is one
        engine: "torch"; or "onnx", for encoders on the CPU, which needs the extra "onnx"

    Returns:
        an encoder; a predictor of affect or of emotions, which has ``predict`` as well; or a
        separator of emotion and identity, which has ``transform``

    Raises:
        HparamError: if there is no such device or engine, or the extra is missing
        ModelError: if there is no such model, it has a fault, or it is neither of these
    """
    folder = find_model(name)
    model = load_model(folder)
    card = read_card(folder)
    if isinstance(model, Encoder):
        return EncoderModel(model, card, device, engine)
    if engine != "torch":
        raise ModelError(
            f"{name}: holds {type(model).__name__}, with engine {engine!r}; expected an encoder. "
            "Use 'torch'."
        )
    if isinstance(model, EmotionModel):
        return EmotionPredictor(model, card, device)
    if isinstance(model, AffectModel) and "affect" in model.heads:
        return AffectPredictor(model, card, device)
    if isinstance(model, LRVAE):
        return Separator(model, card)
    raise ModelError(
        f"{name}: holds {type(model).__name__}; expected an encoder, a model that predicts affect "
        "or emotions, or one that separates emotion and identity. Choose another folder."
    )


def load_of_clips(name: File, *, device: str | None = None, engine: Engine = "torch") -> Model:
    """A model by its name that takes clips, and embeds them; see :func:`load`.

    Raises:
        HparamError: as :func:`load`
        ModelError: likewise, and if it takes embeddings
    """
    model = load(name, device=device, engine=engine)
    if isinstance(model, Separator):
        raise ModelError(
            f"{name}: separates emotion and identity of embeddings; expected a model of clips. "
            "Give it as --then of `emovec extract`, or its transform embeddings in Python."
        )
    return model


@overload
def similarity(a: File, b: File, *, model: File | Model | None = None) -> float: ...


@overload
def similarity(a: ArrayLike, b: ArrayLike) -> float: ...


def similarity(
    a: File | ArrayLike, b: File | ArrayLike, *, model: File | Model | None = None
) -> float:
    r"""Cosine of two embeddings, :math:`x \cdot y / (|x| \, |y|)`.

    Args:
        a: a file, or a vector (E,)
        b: likewise
        model: of files: what embeds them, by name or loaded, which saves time where many are
            compared; None: the usual encoder

    Returns:
        in [-1, 1], higher the more alike

    Raises:
        AudioError: if a file cannot be read or used
        ModelError: if there is no such model
        ValueError: if one is a file and the other not, vectors come with a model or differ in
            shape, or one is NaN, infinite or zero

    >>> similarity([1, 0], [0, 2]), similarity([3, 4], [30, 40])
    (0.0, 1.0)
    """
    files = [isinstance(one, (str, Path)) for one in (a, b)]
    if any(files):
        if not all(files):
            raise ValueError("a file and a vector found; expected two files or two vectors.")
        if not isinstance(model, Model):
            model = load_of_clips(usual_encoder() if model is None else model)
        vectors = model.embed([a, b])  # type: ignore[list-item]
    else:
        if model is not None:
            raise ValueError("vectors and a model found; expected no model, or two files.")
        x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"shapes {x.shape} and {y.shape} found; expected the same (E,).")
        vectors = np.stack([x, y])
    first, second = cosine_scores(vectors).vectors.astype(np.float64)  # (E,), of length 1
    return float(np.clip(first @ second, -1, 1))


def usual_encoder() -> Path:
    """Folder of the encoder that is used where none is named.

    Raises:
        ModelError: if it does not come with this release
    """
    return usual(USUAL_ENCODER, "a model, or on the command line --encoder")
