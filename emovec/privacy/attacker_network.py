"""Fresh networks that attackers train on a representation.

Shapes: N clips, B batch, D numbers of a representation, H hidden, K classes.
"""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

HIDDEN = 256
EPOCHS = 40
PATIENCE = 8  # epochs without a better one
BATCH = 128
RATE = 1e-3
WEIGHT_DECAY = 1e-4


class AttackerNetwork(nn.Module):
    """Two hidden layers and a classifier; the second one, before its ReLU, is the embedding.

    Args:
        inputs: D
        classes: K
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN))
        self.output = nn.Sequential(nn.ReLU(), nn.Linear(HIDDEN, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K) of a representation (B, D)."""
        return self.output(self.hidden(x))

    def embed(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings (N, H) of a representation (N, D)."""
        with torch.inference_mode():
            return self.hidden(torch.from_numpy(x)).numpy()

    def classify(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Most likely classes (N,) of a representation (N, D)."""
        with torch.inference_mode():
            return self(torch.from_numpy(x)).argmax(dim=1).numpy()


def fit_network(
    x: NDArray[np.float32],
    classes: NDArray[np.int64],
    error: Callable[[AttackerNetwork], float],
    seed: int,
) -> AttackerNetwork:
    """A network of the epoch whose error is the lowest.

    Adam at 1e-3, batches of 128, at most 40 epochs, and no more than 8 without a better one: ours.

    Args:
        x: (N, D) standardised
        classes: (N,) of the clips
        error: of a network on validation clips
        seed: of weights and batches
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttackerNetwork(x.shape[1], int(classes.max()) + 1)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        inputs, targets = torch.from_numpy(x), torch.from_numpy(classes)
        lowest, best, state = math.inf, 0, network.state_dict()
        for epoch in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                cross_entropy(network(inputs[rows]), targets[rows]).backward()
                optimizer.step()
            found = error(network)
            if found < lowest:
                lowest, best, state = found, epoch, copy.deepcopy(network.state_dict())
            elif epoch - best >= PATIENCE:
                break
    network.load_state_dict(state)
    return network
