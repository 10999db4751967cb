"""The ``emovec`` command, whose subcommands import what they need when they run: help is instant.

Ends with 0 where all is well, 1 where something is not, and 2 where the command line is wrong.
"""

import errno
from typing import Any

import click

from emovec import __version__
from emovec.commands.check import check
from emovec.commands.demo import demo
from emovec.commands.eer_matrix import eer_matrix
from emovec.commands.emotion import emotion
from emovec.commands.export import export
from emovec.commands.extract import extract
from emovec.commands.models import models
from emovec.commands.prepare import prepare
from emovec.commands.report import report
from emovec.commands.verify import verify
from emovec.errors import EmovecError


class _Commands(click.Group):
    """Subcommands whose errors are told without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except EmovecError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has left
                raise
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Speaker and emotion embeddings in the x-vector style.

    Every command ends with 0 where all is well, 1 where something is not, and 2 where the command
    line is wrong; what else its codes mean, its own help says. Answers go to standard output, with
    --json as JSON; notes, warnings and progress to standard error.
    """


for command in (check, demo, eer_matrix, emotion, export, extract, models, prepare, report, verify):
    main.add_command(command)

if __name__ == "__main__":
    main()
