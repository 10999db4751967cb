"""Make the folder of a model that ships with the package, and the runs that it takes.

    python recipes/ship.py xvector-small
    python recipes/ship.py affect-small        # and all that it is made from

Reads   hparams/ship/NAME.yaml; runs that are complete are taken as they are
Writes  emovec/models/NAME/ (config.json, model.safetensors, card.md, LICENSE, results.json), and
        tests/shipped/NAME.npy, what the model says of reference clips

The same runs give the same bytes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import emovec
from emovec import experiment
from emovec.audio.reference import reference_waves
from emovec.encoders.folders import CARD, WEIGHTS
from emovec.encoders.locating import place_of
from emovec.encoders.shipping import check_sizes, shipped_form
from emovec.encoders.store import load_model, write_model
from emovec.errors import HparamError, ModelError, TrainingError
from emovec.loaded import Model
from emovec.predictors import AffectPredictor, EmotionPredictor
from emovec.report.shipment import RESULTS, Shipment, shipment
from emovec.report.shipped_card import licence_text, shipped_card
from emovec.report.shipping_plan import Plan, chain, result_of
from emovec.tables.files import folder_atomically, write_atomically

ROOT = Path(__file__).resolve().parents[1]
PLANS = ROOT / "hparams" / "ship"
REFERENCES = ROOT / "tests" / "shipped"
LARGEST_DIFFERENCE = 0.02  # of an embedding's length, by rounding
LOG_LINES = 15  # of a failed run, to be shown


def main(argv: list[str]) -> None:
    """Make the runs that are missing, and the folders of a chain of models."""
    if len(argv) != 1 or argv[0].startswith("-"):
        known = sorted(file.stem for file in PLANS.glob("*.yaml"))
        raise HparamError(f"command line: {argv} found; expected one of {known}.")
    plans = chain(PLANS / f"{argv[0]}.yaml")
    for number, plan in enumerate(plans):
        make_runs(plan)
        ship(plans[: number + 1])


def make_runs(plan: Plan) -> None:
    """Run what has no result yet.

    Raises:
        TrainingError: if a run fails
    """
    for step in plan.steps():
        run = step.run(experiment.plain_hparams)
        if run.result() is None and not run.train(neighbours=1):
            raise TrainingError(f"{run.log} ends with\n{run.log_end(LOG_LINES)}")


def ship(plans: list[Plan]) -> None:
    """Write the folder of the last of a chain of models.

    Raises:
        ModelError: if the model is too large, differs too much when it is rounded, or its runs do
            not allow it to ship
    """
    plan, folder = plans[-1], place_of(plans[-1].name)
    trained = Path(plan.trainings[-1].folder, "model")
    config, state = shipped_form(load_model(trained), plan.stands_on)
    with folder_atomically(folder) as temporary:
        write_model(temporary, config, state)
        shipped, before = (emovec.load(place, device="cpu") for place in (temporary, trained))
        facts = facts_of(plans, difference(before, shipped))
        predicts = isinstance(shipped, AffectPredictor | EmotionPredictor)
        texts = {
            CARD: shipped_card(plan, facts, predicts),
            "LICENSE": licence_text(facts),
            RESULTS: facts.to_json(),
        }
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
        check_sizes(temporary, folder)
    with write_atomically(REFERENCES / f"{plan.name}.npy", "wb") as file:
        np.save(file, reference_values(shipped))
    print(f"{folder}: {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB")


def facts_of(plans: list[Plan], rounding: float) -> Shipment:
    """What the results of all runs say of the last of a chain of models."""
    trainings = [
        result_of(step.run(experiment.plain_hparams)) for plan in plans for step in plan.trainings
    ]
    measured = [
        (e, result_of(e.step.run(experiment.plain_hparams)) if e.step else trainings[-1])
        for e in plans[-1].evaluations
    ]
    further = tuple(dict.fromkeys(text for plan in plans for text in plan.further_data))
    return shipment(plans[-1].name, plans[-1].licence, further, trainings, measured, rounding)


def difference(before: Model, shipped: Model) -> float:
    """Largest distance of an embedding of a reference clip from what it was, over its length.

    Raises:
        ModelError: if it is not a matter of rounding
    """
    waves = reference_waves(before.sample_rate)
    was, found = (model.embed(waves, model.sample_rate) for model in (before, shipped))  # (N, E)
    largest = float((np.linalg.norm(found - was, axis=1) / np.linalg.norm(was, axis=1)).max())
    if not largest <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"embeddings differ by {largest:.2g} of their length from those of the trained model; "
            f"expected at most {LARGEST_DIFFERENCE}. Is what it stands on what it was trained on?"
        )
    return largest


def reference_values(model: Model) -> NDArray[np.float32]:
    """What a model says of each reference clip: its embedding, then its predictions."""
    waves = reference_waves(model.sample_rate)
    columns = [model.embed(waves, model.sample_rate)]
    if isinstance(model, AffectPredictor):
        said = model.predict(waves, model.sample_rate)
        columns.append(np.array([[one.valence, one.arousal, one.dominance] for one in said]))
    elif isinstance(model, EmotionPredictor):
        said = model.predict(waves, model.sample_rate)
        columns.append(np.array([list(one.emotions.values()) for one in said]))
    return np.concatenate(columns, axis=1).astype(np.float32)


if __name__ == "__main__":
    experiment.run(main)
