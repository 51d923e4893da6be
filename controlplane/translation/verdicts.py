"""What the verdict cache in Envoy's Lua is told of the policy: which verdicts still hold.

In: revocations, and the terms on which verdicts are kept. Out: the configuration, by ECDS, of a filter ahead of the Lua
filter, which gives every request one header. Law: it holds nothing but generations and digests, so that it stays small
and says nobody's name; a new one drains no connection and empties no cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import base_pb2, extension_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2

from controlplane.model.resource import EXTENSION_CONFIG, EnvoyResource, ResourceName
from controlplane.model.revocations import Revocations
from controlplane.translation import names

_OVERWRITE: Final = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


@dataclass(frozen=True, slots=True)
class VerdictTerms:
    """On what terms one worker keeps verdicts: of this epoch, at most `entries` of them for `milliseconds` each.

    `shown` adds a response header that says what became of the request.
    """

    epoch: str
    entries: int
    milliseconds: int
    shown: bool = False


def verdicts_filter(terms: VerdictTerms, revocations: Revocations) -> EnvoyResource:
    """The header_mutation filter that writes the header; `envoy/lua/verdicts.lua` reads it."""
    mutation = mutation_rules_pb2.HeaderMutation()
    mutation.append.header.key = names.VERDICTS_HEADER
    mutation.append.header.value = _text(terms, revocations)
    mutation.append.append_action = _OVERWRITE
    config = header_mutation_pb2.HeaderMutation()
    config.mutations.request_mutations.append(mutation)
    extension = extension_pb2.TypedExtensionConfig(name=names.VERDICTS_FILTER)
    extension.typed_config.Pack(config)
    key = ResourceName(EXTENSION_CONFIG, names.VERDICTS_FILTER)
    return EnvoyResource(key, extension.SerializeToString(deterministic=True))


def _text(terms: VerdictTerms, revocations: Revocations) -> str:
    words = [terms.epoch, revocations.floor, terms.entries, terms.milliseconds, int(terms.shown)]
    grounds = [f"{ground}={generation}" for ground, generation in revocations.grounds]
    return " ".join([*map(str, words), *grounds])
