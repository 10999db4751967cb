"""Sections of a run's page, by the files of its folder: what a run has not is left out."""

from collections.abc import Iterator

import numpy as np

from emovec.metrics.classification import confusion_matrix
from emovec.report import html_pairs, interactive, interactive_curves
from emovec.report.html_blocks import Block, Chart, Drawing, Section, Table, is_wide, picture
from emovec.report.html_facts import metrics_table, settings_tables, skipped_table
from emovec.report.html_map import map_chart
from emovec.report.html_runs import RunFolder
from emovec.report.interactive_affect import Affect, read_affect, scatter_drawing, sphere_drawing

FURTHEST = 10  # clips that are listed
NEAR = 1e-4  # of an accuracy: predictions.csv has four digits, a clip on a border may change sides
TITLES = {
    "affect_sphere": "Affect on the sphere, true and predicted",
    "durations": "Durations of clips",
    "filters": "Filters that were learnt",
    "trade_off": "Trade-off of the settings that were tried",
    "detection_confusion": "Confusion of neutral and other",
}


class Sections:
    """Sections of a run, in order; static figures that none of them has taken come last."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.left = dict(run.pictures)

    def all(self) -> list[Section]:
        """Those that have something to show."""
        parts = {
            "Affect": self._affect(),
            "Emotion classes": self._classes(),
            "Verification by pair of emotions": self._pairs(),
            "Emotion and identity": self._masking(),
            "Map of embeddings": self._map(),
            "Learning": self._learning(),
            "Clips": self._clips(),
        }
        found = [Section(title, list(blocks)) for title, blocks in parts.items()]
        found.append(Section("Further figures", list(self._rest())))
        result = self.run.result
        tables: list[Block] = [metrics_table(result)] if result.metrics else []
        found.append(Section("All numbers", tables))
        skipped: list[Block] = [skipped_table(result)] if result.skipped else []
        found.append(Section("Clips left out", skipped))
        found.append(Section("Settings", list(settings_tables(result))))
        return [section for section in found if section.blocks]

    def _chart(
        self, name: str, title: str, alt: str, drawing: Drawing | None, note: str = ""
    ) -> Iterator[Chart]:
        """A figure as it can be had: interactive, the run's picture, both, or not at all."""
        path = self.left.pop(name, None)
        if drawing is not None or path is not None:
            yield Chart(title, alt, drawing, picture(path), note, is_wide(path))

    def _affect(self) -> Iterator[Block]:
        affect, scale = read_affect(self.run), self.run.affect
        if affect is None:
            return
        clips = f"{len(affect.ids)} test clips"
        yield from self._chart(
            "affect_sphere",
            TITLES["affect_sphere"],
            f"Unit sphere in three dimensions with true and predicted affect of {clips}, "
            "coloured by their true region.",
            sphere_drawing(affect, scale) if scale else None,
            "Colour: true region. Circles: true; diamonds: predicted. "
            + interactive.points_note(len(affect.ids), interactive.MOST_POINTS // 2),
        )
        yield from self._chart(
            "predicted_against_true",
            "Predicted against true",
            f"Predicted over true valence, arousal and dominance of {clips}; "
            "on the diagonal they are the same.",
            scatter_drawing(affect, scale.affect_scale if scale else None),
            interactive.points_note(len(affect.ids)),
        )
        yield from self._regions(affect)
        yield furthest(affect)

    def _regions(self, affect: Affect) -> Iterator[Block]:
        drawing, scale = None, self.run.affect
        accuracy = self.run.result.get("region/accuracy")
        if scale and accuracy:
            true, predicted = (
                affect.region(scale.to_signed(of)) for of in (affect.true, affect.predicted)
            )
            if abs(np.mean(true == predicted) - accuracy.value) < NEAR:
                counts = confusion_matrix(predicted, true, range(len(affect.names)))
                drawing = interactive_curves.confusion(counts, affect.names, "region")
        said = "Share of the clips of each true region that are predicted in each region."
        yield from self._chart("region_confusion", "Regions", said, drawing)

    def _classes(self) -> Iterator[Block]:
        rows = self.run.predictions
        if not rows or "predicted" not in rows[0]:
            return
        column = "emotion" if "emotion" in rows[0] else "true"
        groups = {"emotion_confusion": rows}
        corpora = {name for name in self.left if name.startswith("confusion_")}
        if corpora:  # each corpus has emotions of its own
            groups = {
                name: [r for r in rows if f"confusion_{r['id'].partition('/')[0]}" == name]
                for name in sorted(corpora)
            }
        for name, members in groups.items():
            true = [row[column] for row in members]
            said = [row["predicted"] for row in members]
            classes = sorted({*true, *said})
            drawing = None
            if classes:
                counts = confusion_matrix(said, true, classes)
                drawing = interactive_curves.confusion(counts, classes, "emotion")
            of = name.removeprefix("confusion_")
            title = "Confusion of emotions" + (f", {of}" if corpora else "")
            alt = f"Share of {len(members)} clips of each true emotion that are taken for each."
            yield from self._chart(name, title, alt, drawing)

    def _pairs(self) -> Iterator[Block]:
        rows = self.run.table("eer_matrix.csv")
        if not rows:
            return
        yield from self._chart(*html_pairs.matrix_chart(self.run, rows))
        yield html_pairs.pair_table(rows)
        compared = self.run.table("comparison.csv")
        if compared:
            yield html_pairs.comparison_table(compared)
        for chart in html_pairs.curve_charts(self.run, rows):
            yield from self._chart(*chart)

    def _masking(self) -> Iterator[Block]:
        rows, drawing = self.run.table("masking.csv"), None
        if rows:
            guessed = self.run.result.get("baseline_majority/weighted_f1")
            drawing = interactive_curves.masking_curves(rows, guessed.value if guessed else None)
        alt = "What attackers find of emotion and identity as more and more groups are masked."
        yield from self._chart("masking", "Masking curves", alt, drawing)

    def _map(self) -> Iterator[Block]:
        chart = map_chart(self.run)
        if chart is not None:
            yield chart

    def _learning(self) -> Iterator[Block]:
        drawing = interactive_curves.learning_curves(self.run.history)
        alt = f"Loss and metrics over {len(self.run.history)} epochs."
        yield from self._chart("learning_curves", "Learning curves", alt, drawing)

    def _clips(self) -> Iterator[Block]:
        seconds: dict[str, list[float]] = {}
        for clip in self.run.clips.values():
            seconds.setdefault(clip.corpus, []).append(clip.utterance.duration)
        drawing = interactive_curves.durations(seconds) if seconds else None
        count = sum(map(len, seconds.values()))
        note = f"All {count} clips of the manifest, without the longest 1 %." if seconds else ""
        alt = "How many clips last how long."
        yield from self._chart("durations", TITLES["durations"], alt, drawing, note)

    def _rest(self) -> Iterator[Block]:
        for name, path in self.left.items():
            title = TITLES.get(name, name.replace("_", " "))
            alt = f"The run's figure {name}."
            yield Chart(title, alt, picture=picture(path), is_wide=is_wide(path))


def furthest(affect: Affect) -> Table:
    """Clips whose prediction is furthest from the truth."""
    order = np.argsort(-affect.distances, kind="stable")[:FURTHEST].tolist()
    rows = [
        [
            affect.ids[row],
            f"{affect.distances[row]:.2f}",
            ", ".join(f"{value:.2f}" for value in affect.true[row]),
            ", ".join(f"{value:.2f}" for value in affect.predicted[row]),
        ]
        for row in order
    ]
    header = ["clip", "distance", "true valence, arousal, dominance", "predicted"]
    audio = {place: affect.ids[row] for place, row in enumerate(order)}
    return Table("Furthest from the truth", header, rows, audio)
