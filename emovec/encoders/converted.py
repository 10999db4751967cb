"""Published models of SpeechBrain as model folders of ours, made once and kept beside the hub's."""

from pathlib import Path

from emovec.encoders.foreign import MODELS, SpeechBrainEncoder
from emovec.encoders.store import save_model
from emovec.errors import ModelError

NAMES = {published.repository: name for name, published in MODELS.items()}


def converted(repository: str, revision: str = "") -> Path:
    """The folder of a published model, fetched and converted if it is not there.

    Args:
        repository: a key of ``NAMES``
        revision: "" or the only one that is known, whose architecture ours is

    Raises:
        ModelError: if another revision is asked for, or it cannot be fetched
        StorageError: if the folder cannot be written
    """
    from huggingface_hub.constants import HF_HOME

    published = MODELS[NAMES[repository]]
    if revision not in ("", published.revision):
        raise ModelError(
            f"{repository}: revision is {revision}; expected {published.revision}, whose "
            "architecture is known. Leave the revision out."
        )
    folder = Path(HF_HOME) / "emovec" / repository / published.revision
    if not folder.is_dir():
        encoder = SpeechBrainEncoder(NAMES[repository], weights="published")
        save_model(folder, encoder, _card(repository, published.revision))
    return folder


def _card(repository: str, revision: str) -> str:
    return (
        f"# {repository}\n\n"
        "Embeddings of speakers by SpeechBrain, trained on VoxCeleb.\n\n"
        "- Licence: Apache-2.0\n"
        f"- From: https://huggingface.co/{repository}/tree/{revision}, converted\n"
    )
