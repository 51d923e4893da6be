from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from envoy.config.core.v3 import extension_pb2
from envoy.extensions.common.matching.v3 import extension_matcher_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import http_inputs_pb2
from xds.type.matcher.v3 import matcher_pb2

from controlplane.model.policy import Policy
from controlplane.model.resource import EXTENSION_CONFIG, EnvoyResource
from controlplane.model.revocations import Revocations
from controlplane.model.topology import Topology, Touched
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.authorization import authorization_filter
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator
from controlplane.translation.verdicts import VerdictTerms, verdicts_filter

TERMS = VerdictTerms("e1", entries=100, milliseconds=10_000)
REVOKED = Revocations(3, (("aa", 4), ("bb", 5)))


def header_of(resource: EnvoyResource) -> tuple[str, str]:
    """Name and value of the one header that the filter writes."""
    config = header_mutation_pb2.HeaderMutation()
    extension_pb2.TypedExtensionConfig.FromString(resource.body).typed_config.Unpack(config)
    (mutation,) = config.mutations.request_mutations
    assert mutation.append.append_action == mutation.append.OVERWRITE_IF_EXISTS_OR_ADD
    return mutation.append.header.key, mutation.append.header.value


def translator(terms: VerdictTerms | None) -> Translator:
    """A translator for a front door that keeps verdicts on those terms."""
    door = FrontDoor("127.0.0.1", 8443, Scripts("", "", "", ""), asks_for_client_certificates=False, verdicts=terms)
    address = Address.parse("unix:/run/a.sock")
    return Translator(door, authorization=address, discovery=address)


def test_the_header_says_what_still_holds() -> None:
    """Epoch, floor, bounds, flag, then each ground with its generation; a client's own header is overwritten."""
    assert header_of(verdicts_filter(TERMS, REVOKED)) == ("x-isthmus-verdicts", "e1 3 100 10000 0 aa=4 bb=5")
    shown = replace(TERMS, shown=True)
    assert header_of(verdicts_filter(shown, Revocations())) == ("x-isthmus-verdicts", "e1 0 100 10000 1")


def test_a_policy_that_takes_rights_away_is_one_resource() -> None:
    """The change of policy and what Envoy is told of it go out together."""
    topology = Topology(policy=Policy(5, revocations=REVOKED))

    made = translator(TERMS).translate(topology, Touched(policy=True))

    assert (verdicts_filter(TERMS, REVOKED),) == made.upserts


def test_a_change_of_anything_else_tells_nothing() -> None:
    """Without a change of policy there is no word about verdicts."""
    assert translator(TERMS).translate(Topology(), Touched()).upserts == ()


def test_without_verdicts_authorization_cannot_be_left_out() -> None:
    """Switched off, there is no resource, and the authorization filter knows no exception."""
    topology = Topology(policy=Policy(5, revocations=REVOKED))
    assert translator(None).translate(topology, Touched(policy=True)).upserts == ()

    (plain,) = (r for r in translator(None).fixed(topology).upserts if r.key.type_url == EXTENSION_CONFIG)
    assert plain == authorization_filter(keeps_verdicts=False, patience=timedelta(seconds=5))
    matcher = matcher_of(plain)
    assert matcher.WhichOneof("matcher_type") is None
    assert matcher.on_no_match.action.name == "unknown"


def test_only_a_known_verdict_leaves_authorization_out() -> None:
    """The header that we overwrite on every request says so with one word, beside a user's name; all else is asked."""
    matcher = matcher_of(authorization_filter(keeps_verdicts=True, patience=timedelta(seconds=5)))

    (known,) = matcher.matcher_list.matchers
    skip = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"
    assert known.on_match.action.typed_config.TypeName() == skip
    said, named = (each.single_predicate for each in known.predicate.and_matcher.predicate)
    header = http_inputs_pb2.HttpRequestHeaderMatchInput()
    assert said.input.typed_config.Unpack(header)
    assert (names.VERDICTS_HEADER, "known") == (header.header_name, said.value_match.exact)
    assert named.input.typed_config.Unpack(header)
    assert header.header_name == "x-remote-user"
    assert matcher.on_no_match.action.name == "unknown"


def matcher_of(resource: EnvoyResource) -> matcher_pb2.Matcher:
    """What decides whether a request is authorized."""
    config = extension_matcher_pb2.ExtensionWithMatcher()
    assert extension_pb2.TypedExtensionConfig.FromString(resource.body).typed_config.Unpack(config)
    return config.xds_matcher
