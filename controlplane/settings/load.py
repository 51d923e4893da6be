"""Settings from a YAML file.

In: a path. Out: `Settings`. Law: every complaint names the file, the setting, its value and the remedy.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from controlplane.errors import SettingsError
from controlplane.settings.settings import Settings


def load(path: Path) -> Settings:
    """The settings in a YAML file; relative paths in it are relative to the file's folder.

    Raises:
        SettingsError: when the file cannot be read or a setting is wrong, one line a setting.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give --config the path of a settings file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not YAML ({' '.join(str(error).split())}); mend the file") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: holds no settings; see docs/settings.md for an example")
    try:
        return Settings.model_validate(document).relative_to(path.parent.resolve())
    except ValidationError as error:
        lines = [_complaint(path, problem["loc"], problem["msg"], problem["input"]) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def _complaint(path: Path, location: tuple[int | str, ...], message: str, value: object) -> str:
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    # What is wrong with several sections together has no place of its own.
    place = f"{'.'.join(str(part) for part in location)}: " if location else ""
    return f"{path}: {place}{message.removeprefix('Value error, ')}{shown}"
