"""What is wrong with one object, said so that its owner can mend it.

In: where the object came from and which field offends. Out: one sentence. Law: a Problem never holds a secret value.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """The place an object was read from; `document` counts from 1, 0 means the whole file."""

    path: str
    document: int = 0

    def __str__(self) -> str:
        return f"{self.path}, document {self.document}" if self.document else self.path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One defect of one object.

    `subject` is the object ("APIService v1.example.com", "" when not known). `field` is a path as Kubernetes writes it
    ("spec.service.port", "" for the whole object); `message` states what is wrong with which value; `remedy` is what
    to do.
    """

    origin: Origin
    subject: str
    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        parts = [str(self.origin)]
        if self.subject:
            parts.append(self.subject)
        if self.field:
            parts.append(self.field)
        return f"{': '.join(parts)}: {self.message}; {self.remedy}"
