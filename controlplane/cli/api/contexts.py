"""The contexts file: which servers there are, and as whom each is called.

In: the file's text (YAML). Out: `Contexts`, and the file again. Law: the file is whole or as it was, and nobody but its
owner reads it; what it names by a relative path is relative to the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from controlplane.cli import files
from controlplane.cli.api.addresses import parsed
from controlplane.errors import IsthmusError

_CURRENT: Final = "current-context"
_CONTEXTS: Final = "contexts"


class ContextError(IsthmusError):
    """The contexts file, or what was asked of it, is wrong; the text says what to do."""


def _address(text: str) -> str:
    parsed(text)
    return text


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Context(BaseModel):
    """One server, and as whom it is called. "" and None: not said."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_kebab, populate_by_name=True)

    name: Annotated[str, Field(min_length=1)]
    server: Annotated[str, AfterValidator(_address)]
    namespace: str = ""
    certificate_authority: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    tls_server_name: str = ""
    token_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Context:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client-certificate and client-key belong together; set both, or neither")
        return self

    def document(self) -> dict[str, object]:
        """The context as the file has it."""
        return self.model_dump(by_alias=True, exclude_defaults=True, mode="json")

    def anchored(self, folder: Path) -> Context:
        """The same with its paths taken from `folder`."""
        paths = {name: folder / value for name, value in self if isinstance(value, Path)}
        return self.model_copy(update=paths)


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the file says; `current` is the name of the context that is used when none is named, "" for none."""

    current: str = ""
    contexts: tuple[Context, ...] = ()

    def named(self, name: str) -> Context:
        """The context of that name.

        Raises:
            ContextError: when there is none.
        """
        for context in self.contexts:
            if context.name == name:
                return context
        there = ", ".join(context.name for context in self.contexts) or "none"
        raise ContextError(
            f'error: context "{name}" does not exist; there are: {there}; make it with `isthmus config set-context`'
        )

    def using(self, name: str) -> Contexts:
        """The same with another current context.

        Raises:
            ContextError: when there is none of that name.
        """
        return replace(self, current=self.named(name).name)

    def with_context(self, context: Context) -> Contexts:
        """The same with the context in the place of that of its name, or at the end."""
        if all(each.name != context.name for each in self.contexts):
            return replace(self, contexts=(*self.contexts, context))
        return replace(self, contexts=tuple(context if each.name == context.name else each for each in self.contexts))

    def without(self, name: str) -> Contexts:
        """The same without a context; if it was the current one, there is none.

        Raises:
            ContextError: when there is none of that name.
        """
        gone = self.named(name)
        kept = tuple(each for each in self.contexts if each is not gone)
        return Contexts("" if self.current == name else self.current, kept)


def place(environment: Mapping[str, str], home: Path) -> Path:
    """Where the contexts file is, whether there is one or not."""
    if named := environment.get("ISTHMUSCONFIG"):
        return Path(named)
    configuration = environment.get("XDG_CONFIG_HOME")
    return (Path(configuration) if configuration else home / ".config") / "isthmus" / "contexts.yaml"


def load(path: Path) -> Contexts:
    """What the file says; nothing when there is none. Relative paths stay as they are written.

    Raises:
        ContextError: when it cannot be read, or is wrong; one line a defect.
    """
    try:
        said = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise ContextError(f"error: {path} cannot be read ({error.strerror}); make it readable, or move it") from error
    # A date that there is none and too many digits are ValueErrors, endless brackets a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContextError(f"error: {path} is not YAML ({' '.join(str(error).split())}); mend the file") from error
    if said is None:
        return Contexts()
    if not isinstance(said, dict) or not said.keys() <= {_CURRENT, _CONTEXTS}:
        raise ContextError(f"error: {path} holds something else than {_CURRENT} and {_CONTEXTS}; mend the file")
    current, listed = said.get(_CURRENT) or "", said.get(_CONTEXTS) or []
    if not isinstance(current, str) or not isinstance(listed, list):
        raise ContextError(f"error: {path}: {_CURRENT} is no name, or {_CONTEXTS} no list; mend the file")
    contexts = tuple(_context(path, number, each) for number, each in enumerate(listed))
    names = [context.name for context in contexts]
    for name in names:
        if names.count(name) > 1:
            raise ContextError(f"error: {path} has several contexts called {name}; keep one of them")
    return Contexts(current, contexts)


def document(contexts: Contexts) -> dict[str, object]:
    """What the file has."""
    return {_CURRENT: contexts.current, _CONTEXTS: [context.document() for context in contexts.contexts]}


def save(path: Path, contexts: Contexts) -> None:
    """Writes the file, and the folders to it.

    Raises:
        ContextError: when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(path, files.as_yaml(document(contexts)).encode(), mode=0o600)
    except OSError as error:
        raise ContextError(
            f"error: {path} cannot be written ({error.strerror}); name another file in $ISTHMUSCONFIG"
        ) from error


def checked(origin: str, settings: Mapping[str, object]) -> Context:
    """The context that the settings come to.

    Raises:
        ContextError: when it is wrong; one line a defect, each beginning with `origin`.
    """
    try:
        return Context.model_validate(settings)
    except ValidationError as error:
        lines = [_complaint(origin, problem["loc"], problem["msg"]) for problem in error.errors()]
        raise ContextError("\n".join(lines)) from error


def _context(path: Path, number: int, settings: object) -> Context:
    origin = f"{path}: {_CONTEXTS}[{number}]"
    if not isinstance(settings, dict):
        raise ContextError(f"error: {origin} is no mapping; write a context with name and server there")
    return checked(origin, settings)


def _complaint(origin: str, location: tuple[int | str, ...], message: str) -> str:
    field = "".join(f".{part}" for part in location)
    return f"error: {origin}{field}: {message.removeprefix('Value error, ')}"
