"""Map of the embeddings that a run has kept, as a chart of its page."""

from emovec.report import interactive, interactive_map
from emovec.report.html_blocks import Chart
from emovec.report.html_runs import RunFolder
from emovec.report.kept_vectors import LABELS
from emovec.tables.embeddings import Embeddings


def map_chart(run: RunFolder) -> Chart | None:
    """Embeddings in two dimensions; None where there are not three of them.

    Clips that are drawn have the labels that were kept beside the vectors, or those of the
    manifest; a label that is known of none is no choice.
    """
    if run.vectors is None or len(run.vectors.ids) < 3:
        return None
    table = run.vectors.take(interactive.spread(len(run.vectors.ids)))
    labels = {name: of for name, of in _labels(run, table).items() if any(of)}
    labels = labels or {"all": [""] * len(table.ids)}
    points, said = interactive_map.flattened(table.vectors)
    drawing = interactive_map.embedding_map(points, table.ids, labels)
    note = f"{said} {interactive.points_note(len(run.vectors.ids))}".strip()
    alt = f"{len(table.ids)} embeddings in two dimensions, coloured by {', '.join(labels)}."
    return Chart("Embeddings in two dimensions", alt, drawing, "", note)


def _labels(run: RunFolder, table: Embeddings) -> dict[str, list[str]]:
    names = (*LABELS, "corpus")
    if any(name in table.columns for name in names):
        return {name: [str(of) for of in table.columns.get(name, ())] for name in names}
    clips = [run.clips.get(id_) for id_ in table.ids]
    labels = {
        name: [getattr(clip.utterance, name) if clip else "" for clip in clips] for name in LABELS
    }
    return {**labels, "corpus": [clip.corpus if clip else "" for clip in clips]}
