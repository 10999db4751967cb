"""Embeddings of audio by an encoder, as a folder of shards. The same as ``emovec extract``.

    python recipes/embeddings/extract.py hparams/extract.yaml --inputs=[/data/calls] \
        --encoder=runs/speaker/xvector/1/model
    torchrun --nproc_per_node=2 recipes/embeddings/extract.py hparams/extract.yaml ...

Reads   audio files, folders or a manifest; a model folder
Writes  <run_folder>/hparams.yaml, shards/
"""

from dataclasses import dataclass
from pathlib import Path

from emovec import experiment
from emovec.commands.extract import extract_all


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/extract.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    inputs: list[str]
    encoder: str
    output: str
    engine: str
    then: str | None
    keep: str | None
    masked_groups: int | None
    precision: str
    workers: int | None
    window: float | None
    hop: float | None
    on_error: str
    allow_failures: int


def main(argv: list[str]) -> None:
    """Embed all clips; a run that was killed goes on."""
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    run.begin()
    found = extract_all(
        hparams.inputs,
        hparams.encoder,
        Path(hparams.output),
        engine=hparams.engine,
        then=hparams.then,
        keep=hparams.keep,
        masked_groups=hparams.masked_groups,
        device=run.run_options.device,
        processes=run.processes,
        precision=hparams.precision,
        workers=hparams.workers,
        window=hparams.window,
        hop=hparams.hop,
        on_error=hparams.on_error,
    )
    found.check(hparams.allow_failures)


if __name__ == "__main__":
    experiment.run(main)
