"""matchConditions: which requests a webhook is asked about at all.

In: CEL expressions over `request`, a SubjectAccessReviewSpec (v1); later a request's spec. Out: whether to ask.
Law: false outweighs an error, and an error is never taken for true; the fields of the spec are all there, empty or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from controlplane.auth.cel import Defect, Environment, Expression, Failure, Returns
from controlplane.auth.records import Kind, Record

_REQUIREMENT: Final = Record(
    "SelectorRequirement", (("key", Kind.STRING), ("operator", Kind.STRING), ("values", Kind.STRINGS))
)
_SELECTOR: Final = (("rawSelector", Kind.STRING), ("requirements", (_REQUIREMENT,)))
_TEXTS: Final = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_RESOURCE: Final = Record(
    "ResourceAttributes",
    (
        *((name, Kind.STRING) for name in _TEXTS),
        ("fieldSelector", Record("FieldSelectorAttributes", _SELECTOR)),
        ("labelSelector", Record("LabelSelectorAttributes", _SELECTOR)),
    ),
)
_NON_RESOURCE: Final = Record("NonResourceAttributes", (("path", Kind.STRING), ("verb", Kind.STRING)))
_SPEC: Final = Record(
    "kubernetes.SubjectAccessReviewSpec",
    (
        ("resourceAttributes", _RESOURCE),
        ("nonResourceAttributes", _NON_RESOURCE),
        ("user", Kind.STRING),
        ("groups", Kind.STRINGS),
        ("extra", Kind.STRING_LISTS),
        ("uid", Kind.STRING),
    ),
)


class MatchConditions:
    """Compiled expressions; `defects` are those that do not compile, by their place in the list."""

    def __init__(self, texts: Iterable[str]) -> None:
        # Types find what is misspelt, but give a field that is not set an empty value; kube-apiserver evaluates on a
        # mapping, in which reading what is not there is an error.
        typed = Environment({"request": _SPEC})
        self._environment = Environment({"request": Kind.JSON_OBJECT})
        self._expressions: list[Expression] = []
        self.defects: dict[int, str] = {}
        for place, text in enumerate(texts):
            compiled = typed.compile(text, Returns.BOOL)
            if not isinstance(compiled, Defect):
                compiled = self._environment.compile(text)
            if isinstance(compiled, Defect):
                self.defects[place] = compiled.reason
            else:
                self._expressions.append(compiled)

    def __len__(self) -> int:
        return len(self._expressions)

    def match(self, spec: Mapping[str, Any]) -> bool | str:
        """Whether all expressions come to true for `spec`; a text when none is false and some came to nothing."""
        bound = self._environment.bind({"request": _complete(spec)})
        if isinstance(bound, Failure):
            return f"cel evaluation error: {bound.reason}"
        errors: list[str] = []
        for expression in self._expressions:
            value = expression.evaluate(bound)
            if value is False:
                return False
            if isinstance(value, Failure):
                errors.append(f"cel evaluation error: {value.reason}")
            elif value is not True:
                errors.append(f"cel evaluation error: expression '{expression.text}' eval result type should be bool")
        if not errors:
            return True
        return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"


def _complete(spec: Mapping[str, Any]) -> dict[str, object]:
    complete: dict[str, object] = {"user": "", "groups": [], "uid": "", "extra": {}, **spec}
    if "resourceAttributes" in spec:
        attributes = dict.fromkeys(_TEXTS, "") | spec["resourceAttributes"]
        for key in ("fieldSelector", "labelSelector"):
            if key in attributes:
                requirements = [{"values": [], **each} for each in attributes[key]["requirements"]]
                attributes[key] = {"requirements": requirements}
        complete["resourceAttributes"] = attributes
    else:
        complete["nonResourceAttributes"] = {"path": "", "verb": "", **spec["nonResourceAttributes"]}
    return complete
