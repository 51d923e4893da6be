"""The exceptions of Isthmus, all meant for the person at the terminal.

    IsthmusError
    ├── SettingsError      a setting is wrong: the message names it, its value and what would be right
    ├── ManifestError      a manifest asked to be checked offline does not hold
    ├── StartError         something needed at the start is missing, broken or taken
    └── AskError           a question that has yes and no for answers has none

In: a sentence. Out: one line on stderr and the exit code the class carries.
Law: expected defects of registered objects are values (`model.problem.Problem`), never exceptions; these are for what
stops the program.
"""

from __future__ import annotations


class IsthmusError(Exception):
    """A reason to stop that a person can act on; its text is a whole sentence and holds no secret."""

    exit_code = 1


class SettingsError(IsthmusError):
    """A setting is wrong; the text names the setting, the value and the remedy."""

    exit_code = 2


class ManifestError(IsthmusError):
    """Manifests that were asked to be checked do not hold; the problems were printed one a line."""


class StartError(IsthmusError):
    """Something needed at the start is missing, broken or taken: a port, the Envoy binary, a folder."""


class AskError(IsthmusError):
    """A question that has yes and no for answers has none; exit code 1 is "no"."""

    exit_code = 2
