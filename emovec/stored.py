"""Loaded models of any kind: back into a folder, or onto the hub."""

from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from emovec.audio.clips import File
from emovec.encoders.folders import CARD, CONFIG, WEIGHTS
from emovec.encoders.store import save_model
from emovec.errors import StorageError


class StoredModel:
    """What all loaded models have in common.

    Attributes:
        card: text of card.md: data, licence, results

    Args:
        model: what is saved
        card: as above
    """

    def __init__(self, model: nn.Module, card: str) -> None:
        self.card = card
        self._model = model.eval()

    def save(self, folder: File) -> None:
        """Write the model as a folder, from which ``emovec.load`` has it again.

        Args:
            folder: a new one, or a model folder, which is replaced

        Raises:
            StorageError: if it is there and holds something else, or cannot be written
        """
        folder = Path(folder)
        found = [folder] if folder.is_file() else folder.glob("*")
        others = sorted(path.name for path in found if path.name not in (CONFIG, WEIGHTS, CARD))
        if others:
            raise StorageError(
                f"{folder}: holds {others[:5]}; expected a new folder or one of a model, since it "
                "is replaced. Choose another."
            )
        save_model(folder, self._model, self.card)

    def push_to_hub(self, repository: str, *, private: bool = True) -> str:
        """Publish the model on the Hugging Face hub.

        Args:
            repository: organisation/name; made if there is none, otherwise it gets a further commit
            private: whether a new repository is for its owners alone

        Returns:
            the name by which ``emovec.load`` has it again, organisation/name@commit

        Raises:
            ModelError: if the hub does not take it
        """
        from emovec.encoders.hub import push_to_hub

        with TemporaryDirectory() as folder:
            self.save(Path(folder, "model"))
            commit = push_to_hub(Path(folder, "model"), repository, private=private)
        return f"{repository}@{commit}"
