"""What all tests share, doctests in emovec/ included."""

import sys

import pytest
from speechbrain.utils.importutils import LazyModule


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems() -> None:
    """Hide SpeechBrain's lazy modules from hypothesis.

    It asks every entry of ``sys.modules`` for its file, which makes these import optional
    dependencies that are not installed. As attributes of their packages they work as before.
    """
    lazy = [name for name, module in sys.modules.items() if isinstance(module, LazyModule)]
    for name in lazy:
        del sys.modules[name]
