"""Exceptions: each message says where, what was found, what was expected, and what to do."""


class EmovecError(Exception):
    """Anything that a user can mend; recipes print its message without a traceback."""


class AudioError(EmovecError):
    """An audio file that cannot be used."""


class CorpusError(EmovecError):
    """A corpus folder that is missing, partial or not as published."""


class HparamError(EmovecError):
    """A missing, unknown or impossible hyper-parameter."""


class ManifestError(EmovecError):
    """A table of utterances that breaks its promises."""


class ModelError(EmovecError):
    """A model folder or weights file that cannot be loaded."""


class SplitError(EmovecError):
    """A split that leaks, or has an empty part."""


class StorageError(EmovecError):
    """A file that could not be written; nothing half-written is left behind."""


class TrainingError(EmovecError):
    """Data or numbers that a model cannot be trained on."""
