"""Model folders of the Hugging Face hub: fetched at a pinned revision, and published."""

from pathlib import Path

from emovec.encoders.cards import hub_card
from emovec.encoders.folders import CARD, CONFIG, WEIGHTS, missing_files, read_config
from emovec.encoders.store import check_folder
from emovec.errors import ModelError

README = "README.md"
FILES = (CONFIG, WEIGHTS, CARD, README)  # nothing else of a repository is ever fetched
COMMIT_MESSAGE = "Upload model"
UNPINNED = (
    "expected a revision, a commit or a tag, behind an @. A repository can change at any time; the "
    "revision pins what is loaded, so that results can be had again and nobody can exchange it"
)


def fetch(repository: str, revision: str) -> Path:
    """Folder with the files of a model, fetched into the hub's cache if they are not there.

    Args:
        repository: organisation/name
        revision: commit or tag

    Raises:
        ModelError: if there is no revision given, no such repository or revision, no model in it,
            or the hub cannot be reached and the files are not in the cache
    """
    if not revision:
        raise ModelError(
            f"{repository}: no revision; {UNPINNED}. "
            f"Choose one of https://huggingface.co/{repository}/commits/main."
        )
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    # Not only OSError: the hub lets through what its client raises, which its releases replace.
    except Exception as error:
        raise ModelError(f"{repository}@{revision}: {_reason(error, repository)}") from error
    if missing_files(folder):
        raise ModelError(
            f"{repository}@{revision}: no model of emovec; expected {CONFIG} and {WEIGHTS}. "
            "Choose another repository or revision."
        )
    return folder


def push_to_hub(folder: Path, repository: str, *, private: bool = True) -> str:
    """Publish a model folder: its three files, and the card as README.md with the hub's header.

    Args:
        folder: as ``save_model`` writes it
        repository: organisation/name; made if there is none, otherwise it gets a further commit
        private: whether a new repository is for its owners alone; an old one stays as it is

    Returns:
        the commit: the model can be loaded as ``repository@commit``

    Raises:
        ModelError: if the folder has a fault, or the hub does not take it
    """
    faults = check_folder(folder)
    if faults:
        raise ModelError("\n".join(faults))
    from huggingface_hub import CommitOperationAdd, HfApi

    card = (folder / CARD).read_text(encoding="utf-8")
    readme = hub_card(card, read_config(folder / CONFIG)["class"])
    operations = [
        *(CommitOperationAdd(name, folder / name) for name in (CONFIG, WEIGHTS, CARD)),
        CommitOperationAdd(README, readme.encode()),
    ]
    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.create_commit(repository, operations, commit_message=COMMIT_MESSAGE)
    except Exception as error:
        raise ModelError(f"{repository}: {_reason(error, repository)}") from error
    return commit.oid


def _reason(error: Exception, repository: str) -> str:
    """What went wrong between here and the hub, and what to do."""
    from huggingface_hub import utils

    address = f"https://huggingface.co/{repository}"
    reasons = {  # the first that fits: a gated repository is also one that is not found
        utils.GatedRepoError: f"not open to you; expected access. Ask for it at {address}, and log "
        "in with `hf auth login`.",
        utils.RepositoryNotFoundError: "no such repository on the Hugging Face hub; expected one "
        "that you may see. Correct the name, or log in with `hf auth login` if it is private.",
        utils.RevisionNotFoundError: f"no such revision; expected one of {address}/commits/main. "
        "Correct it.",
        utils.HFValidationError: "no name of a repository; expected organisation/name. Correct it.",
        utils.LocalEntryNotFoundError: "the hub cannot be reached, and the files are not in its "
        "cache; expected a connection, and no HF_HUB_OFFLINE=1. Fetch them where there is one, and "
        "load the folder.",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return (
        f"the Hugging Face hub failed ({error}); expected an answer. Try again later, and log in "
        "with `hf auth login` if you have to."
    )
