"""Parameters of a paper's table: ``<name>`` in a file, a value on the command line."""

import re
from collections.abc import Mapping
from typing import Any

import ruamel.yaml

from emovec.errors import HparamError

_PARAMETER = re.compile(r"<(\w+)>")


def read_yaml(text: str, where: str) -> Any:
    """Plain YAML.

    Raises:
        HparamError: if it is none
    """
    try:
        return ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    except ruamel.yaml.YAMLError as error:
        raise HparamError(f"{where}: no YAML: {error}.") from error


def references(value: Any) -> list[str]:
    """Names of the parameters that a value refers to."""
    if isinstance(value, Mapping):
        return [name for inner in value.values() for name in references(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in references(inner)]
    found = _PARAMETER.fullmatch(value) if isinstance(value, str) else None
    return [found[1]] if found else []


def filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    """A value with parameters in their places; a mapping takes further keys from ``extends``.

    >>> filled({"a": ["<x>"], "b": {"extends": "<y>", "c": 3}}, {"x": 1, "y": {"c": 2, "d": 4}})
    {'a': [1], 'b': {'c': 3, 'd': 4}}
    """
    if isinstance(value, Mapping):
        inner = {key: filled(item, parameters) for key, item in value.items()}
        return {**inner.pop("extends", {}), **inner}
    if isinstance(value, list):
        return [filled(inner, parameters) for inner in value]
    found = references(value)
    return parameters[found[0]] if found else value
