"""What a card.md says of a model, and the header with which the hub lists it."""

import re
from pathlib import Path
from typing import Any

from emovec.encoders.folders import CARD

# Of https://huggingface.co/docs/hub/repositories-licenses; others are "other" there, with a name
HUB_LICENCES = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "cc0-1.0"),
    *("cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
    *("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
)


def read_card(folder: Path) -> str:
    """Text of a model folder's card.md; empty if it has none."""
    path = folder / CARD
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def title(card: str) -> str:
    r"""Text of the first heading; empty if there is none.

    >>> title("# x-vector\n\nA network.\n")
    'x-vector'
    """
    found = re.search(r"^#\s+(.+?)\s*$", card, flags=re.MULTILINE)
    return found[1] if found else ""


def licence(card: str) -> str:
    r"""What the card's line ``- Licence: ...`` says; empty if there is none.

    >>> licence("# x-vector\n\n- Licence: CC-BY-4.0\n")
    'CC-BY-4.0'
    """
    found = re.search(r"^- Licence:\s*(.+?)\s*$", card, flags=re.MULTILINE)
    return "" if found is None or found[1] == "not known" else found[1]


def summary(card: str) -> str:
    r"""First sentence of the first paragraph that is neither heading, quotation, bold nor licence.

    >>> summary("# x-vector\n\nTrained on demo, licence MIT.\n\nA network. It\nis deep.\n")
    'A network.'
    """
    for paragraph in re.split(r"\n\s*\n", card):
        text = " ".join(paragraph.split())
        if text and not text.startswith(("#", ">", "**", "-", "|", "`", "Trained on")):
            return re.split(r"(?<=[.!?]) ", text)[0]
    return title(card)


def hub_licence(text: str) -> dict[str, Any]:
    """Licence as the hub's header wants it.

    >>> hub_licence("CC BY-NC-SA 4.0")
    {'license': 'cc-by-nc-sa-4.0'}
    >>> hub_licence("by agreement with the owner")
    {'license': 'other', 'license_name': 'by-agreement-with-the-owner'}
    >>> hub_licence("")
    {'license': 'unknown'}
    """
    name = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
    if not name:
        return {"license": "unknown"}
    return {"license": name} if name in HUB_LICENCES else {"license": "other", "license_name": name}


def hub_card(card: str, class_name: str) -> str:
    """README.md of the hub: a card below its header.

    Args:
        card: text of card.md
        class_name: of the model, in the registry
    """
    from huggingface_hub import ModelCardData

    predicts = class_name in ("affect_model", "emotion_model")
    header = ModelCardData(
        library_name="emovec",
        pipeline_tag="audio-classification" if predicts else "feature-extraction",
        tags=["speech", "emotion-recognition" if predicts else "embeddings", class_name],
        **hub_licence(licence(card)),
    )
    return f"---\n{header.to_yaml()}\n---\n\n{card}"
