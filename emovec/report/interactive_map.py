"""Interactive map of embeddings: two dimensions, coloured by what is known of the clips.

Shapes: N rows, E embedding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.report import interactive, style
from emovec.report.html_blocks import Drawing
from emovec.report.interactive import HOVER, Option

MOST_NEIGHBOURS = 1000  # clips of a t-SNE: more take longer than anybody waits for a page
# Of 1,000 clips the divergence is as low, and as many neighbours are kept, as by scikit-learn's own
# settings, in less than half of the time
QUICK: Mapping[str, Any] = {"max_iter": 500, "angle": 0.8}
MOST_GROUPS = 40  # colours by name; more groups share them
CYCLE = (*style.REGION_COLOURS, "#332288", "#44AA99", "#661100", "#999933")


def flattened(vectors: NDArray, seed: int = 0) -> tuple[NDArray[np.float64], str]:
    """Vectors in two dimensions, and how they came there.

    t-SNE (van der Maaten & Hinton, 2008) of the first 50 principal components of up to 1,000
    clips; principal components alone of more.

    Args:
        vectors: (N, E), N > 2
        seed: of the t-SNE

    Returns:
        (N, 2) and a sentence
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    values = np.asarray(vectors, dtype=np.float64)
    few = len(values) <= MOST_NEIGHBOURS
    size = min(50 if few else 2, *values.shape)
    model = PCA(size, random_state=seed)
    parts = model.fit_transform(values)  # (N, size)
    if few and len(values) > 10 and size > 2:
        perplexity = min(30, (len(values) - 1) / 3)
        sne = TSNE(perplexity=perplexity, init="pca", random_state=seed, **QUICK)
        found = sne.fit_transform(parts)
        said = f"t-SNE (perplexity {perplexity:.0f}): neighbours mean something, distances do not."
        return np.asarray(found, dtype=np.float64), said
    share = 100 * model.explained_variance_ratio_[:2].sum()
    if size == 1:
        parts = np.column_stack([parts, np.zeros(len(parts))])
    return parts[:, :2], f"The first two principal components, {share:.0f} % of the variance."


def embedding_map(
    points: NDArray[np.float64], ids: Sequence[str], labels: Mapping[str, Sequence[str]]
) -> Drawing:
    """Points coloured by a label at a time.

    Args:
        points: (N, 2)
        ids: N
        labels: by the name of a label, N of them, "" where one is not known
    """
    hover = [
        interactive.lines(id_, *(f"{name}: {of[row]}" for name, of in labels.items() if of[row]))
        for row, id_ in enumerate(ids)
    ]
    traces, owners = [], []
    for label, values in labels.items():
        known = np.array(values)
        groups = np.unique(known).tolist()
        for number, group in enumerate(groups):
            rows = np.flatnonzero(known == group).tolist()
            colour = _colour(label, group, number)
            traces.append(
                {
                    "type": "scattergl" if len(ids) > 1000 else "scatter",
                    "mode": "markers",
                    "name": interactive.text(group or "not known"),
                    "showlegend": len(groups) <= MOST_GROUPS,
                    "x": interactive.numbers(points[rows, 0], 3),
                    "y": interactive.numbers(points[rows, 1], 3),
                    "text": [hover[row] for row in rows],
                    "customdata": [ids[row] for row in rows],
                    "hovertemplate": HOVER,
                    "marker": {
                        "color": colour,
                        "size": 7,
                        "opacity": 0.85,
                        "line": {"color": "@outline", "width": 0.6},
                    },
                }
            )
            owners.append(label)
    options = [Option(label, [owner == label for owner in owners]) for label in labels]
    bare = {"showticklabels": False, "zeroline": False}
    layout = {
        "xaxis": interactive.axis("", **bare),
        "yaxis": interactive.axis("", **bare, scaleanchor="x"),
        "legend": {"orientation": "h", "y": -0.05, "yanchor": "top", "x": 0},
        "height": 600,
    }
    return interactive.drawing(traces, layout, {"Colour": options})


def _colour(label: str, group: str, number: int) -> str:
    if label == "emotion":
        return style.EMOTION_COLOURS.get(group, style.FAINT)
    return CYCLE[number % len(CYCLE)] if group else style.FAINT
