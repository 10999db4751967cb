"""``emovec report``."""

from collections.abc import Sequence
from pathlib import Path

import click

from emovec.commands.shared import PATH, note


@click.command(short_help="A page of one run, or of several to compare.")
@click.argument("run_folders", nargs=-1, required=True, type=PATH)
@click.option(
    "--output", type=PATH, default=Path("report.html"), show_default=True, help="HTML file."
)
@click.option("--with_audio", is_flag=True, help="Clips can be heard: the file is larger.")
def report(run_folders: Sequence[Path], output: Path, with_audio: bool) -> None:
    """A page of the run in RUN_FOLDERS, or of several runs beside each other.

    One HTML file that needs no network and can be passed on. What a run folder holds is shown, and
    nothing else. Several runs are compared with the first one; where their splits are not the same
    the page says that they cannot be.

    Figures are interactive with plotly: pip install 'emovec[report]'; else they are the run's own.
    """
    from emovec.report import interactive
    from emovec.report.html import write_report

    write_report(run_folders, output, with_audio=with_audio)
    if not interactive.library():
        note(f"static figures; interactive ones: {interactive.HINT}")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
