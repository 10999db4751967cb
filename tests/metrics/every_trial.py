"""All pairs of clips written out as a list of trials: what the streamed matrix must agree with."""

import numpy as np

from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.scored_trials import Trials


def every_trial(embeddings, speakers, groups=None) -> Trials:
    """Cosine of every pair of clips within a group; speakers are numbered in sorted order."""
    speakers = np.unique(speakers, return_inverse=True)[1]
    first, second = np.triu_indices(len(speakers), k=1)
    if groups is not None:
        within = np.asarray(groups)[first] == np.asarray(groups)[second]
        first, second = first[within], second[within]
    scores = cosine_scores(embeddings).pairs(first, second)
    return Trials(scores, speakers[first] == speakers[second], speakers[first], speakers[second])
