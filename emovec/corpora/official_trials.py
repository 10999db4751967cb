"""Official lists of trials, in our own form beside the manifest that they belong to."""

from pathlib import Path

from emovec.corpora.base import Corpus
from emovec.corpora.preparing import Prepared
from emovec.errors import ManifestError
from emovec.tables.trials import check_trials, read_published_trials, write_trials


def write_official_trials(
    corpus: Corpus, prepared: Prepared, output_folder: Path, allow_partial: bool
) -> list[str]:
    """Write every list that is in the data folder as ``trials/NAME.csv``.

    Args:
        corpus: from ``emovec.corpora.get``
        prepared: its manifest
        output_folder: that of the manifest
        allow_partial: leave out, and tell, a list whose clips are not all there

    Returns:
        warnings

    Raises:
        ManifestError: if a list cannot be read, or does not fit the manifest
    """
    warnings = []
    lists = corpus.trials(prepared.root) if corpus.trials else {}
    for name, (file, published) in lists.items():
        trials = read_published_trials(file)
        try:
            said = check_trials(trials, prepared.utterances, published)
        except ManifestError as error:
            if not allow_partial:
                raise
            warnings.append(f"{name} is not written: {error}")
            continue
        warnings += [f"{name}: {warning}" for warning in said]
        write_trials(output_folder / "trials" / f"{name}.csv", trials)
    return warnings
