"""Settings from a YAML file.

In: a path, or what was read there. Out: `Settings`. Law: every complaint names the file, the setting, its value and
the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from controlplane.errors import SettingsError
from controlplane.settings.settings import Settings


def load(path: Path, *, workers: int | None = None) -> Settings:
    """The settings in a YAML file; relative paths in it are relative to the file's folder.

    `workers` takes the place of authorization.workers, None: of nothing.

    Raises:
        SettingsError: when the file cannot be read or a setting is wrong, one line a setting.
    """
    document = read(path)
    if workers is not None and isinstance(section := document.get("authorization"), dict):
        section["workers"] = workers
    return checked(document, str(path), path.parent.resolve())


def read(path: Path) -> dict[str, Any]:
    """What a settings file holds, unchecked.

    Raises:
        SettingsError: when the file cannot be read, or holds no settings.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give --config the path of a settings file"
        ) from error
    # A date that there is none and too many digits are ValueErrors, endless brackets a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not YAML ({' '.join(str(error).split())}); mend the file") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: holds no settings; see docs/settings.md for an example")
    return document


def checked(document: Mapping[str, Any], origin: str, folder: Path) -> Settings:
    """The settings that `document` comes to; relative paths in it are relative to `folder`.

    Raises:
        SettingsError: when a setting is wrong, one line a setting, each beginning with `origin`.
    """
    try:
        return Settings.model_validate(document).relative_to(folder)
    except ValidationError as error:
        lines = [_complaint(origin, problem["loc"], problem["msg"], problem["input"]) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def _complaint(origin: str, location: tuple[int | str, ...], message: str, value: object) -> str:
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    # What is wrong with several sections together has no place of its own.
    place = f"{'.'.join(str(part) for part in location)}: " if location else ""
    return f"{origin}: {place}{message.removeprefix('Value error, ')}{shown}"
