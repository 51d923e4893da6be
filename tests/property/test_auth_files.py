"""Whatever is in a file, an environment or a webhook's answer, authentication makes something of it or says why not."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from odd_values import JSON, TEXTS

from controlplane.auth.identity_headers import identity_headers
from controlplane.auth.jwt.decode import decode
from controlplane.auth.tokens import load_tokens
from controlplane.auth.webhook.configuration import read_authorization_configuration
from controlplane.auth.webhook.kubeconfig import Connection, read_kubeconfig
from controlplane.auth.webhook.reviews import AccessStatus, TokenStatus, read_access_review, read_token_review
from controlplane.egress.proxying import NoWay, Proxy, proxies
from controlplane.errors import SettingsError


@given(
    st.one_of(st.text(max_size=60), st.lists(TEXTS, max_size=8).map(",".join), st.text(alphabet='a",\r\n', max_size=20))
)
def test_any_text_is_a_token_file_or_is_not(text: str) -> None:
    """Whoever has one of its tokens can be told to a backend."""
    try:
        table, _ = load_tokens(text, "tokens.csv", b"k" * 16)
    except SettingsError:
        return
    for field in text.split(","):
        user = table.user_of(field)
        assert user is None or identity_headers(user)


YAML = st.one_of(
    TEXTS,
    JSON.map(json.dumps),
    st.text(alphabet="-:&*!?|>{}[]#'\"a1 \n", max_size=30),
    st.sampled_from(
        ["a: 2020-99-99", "[" * 3000, "a: !!int x", "? {a: b}\n: c", "&a [*a]", f"a: {'9' * 5000}", "<<: 1"]
    ),
)
AUTHORIZER = st.dictionaries(
    st.sampled_from(["type", "name", "webhook", "x"]),
    st.one_of(JSON, st.sampled_from(["RBAC", "rbac", "Webhook"]), st.fixed_dictionaries({"connectionInfo": JSON})),
)


@given(YAML)
@example('{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [{}]}')
def test_any_text_is_an_authentication_configuration_or_has_problems(text: str) -> None:
    """One of the two, never both."""
    configuration, problems = decode(text, "authentication.yaml")

    assert (configuration is None) == bool(problems)


@given(
    st.one_of(
        YAML,
        st.lists(AUTHORIZER, max_size=3).map(
            lambda listed: json.dumps(
                {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "AuthorizationConfiguration",
                    "authorizers": listed,
                }
            )
        ),
    )
)
def test_any_text_is_an_authorization_configuration_or_is_not(text: str) -> None:
    """Files that it names are not there."""
    try:
        chain = read_authorization_configuration(text, Path("/a.yaml"), missing, {})
    except SettingsError:
        return
    assert chain


def missing(path: Path) -> bytes:
    """Reads nothing, since nothing is there."""
    raise FileNotFoundError(2, "No such file or directory", str(path))


@given(st.one_of(YAML, JSON.map(lambda value: json.dumps({"current-context": "c", "contexts": value}))))
def test_any_text_is_a_kubeconfig_or_is_not(text: str) -> None:
    """Files that it names are not there."""
    try:
        connection = read_kubeconfig(text, Path("/k/config"), missing)
    except SettingsError:
        return
    assert isinstance(connection, Connection)


@given(
    st.one_of(st.binary(max_size=40), JSON.map(lambda value: json.dumps({"status": value}).encode("utf-8", "replace")))
)
def test_any_answer_of_a_webhook_is_a_review_or_the_reason_why_not(body: bytes) -> None:
    """Of both kinds."""
    assert isinstance(read_token_review(body, "v1"), TokenStatus | str)
    assert isinstance(read_access_review(body, "v1"), AccessStatus | str)


@given(TEXTS, TEXTS, TEXTS)
def test_any_environment_names_a_proxy_or_none(proxy: str, exempt: str, url: str) -> None:
    """For any URL at all."""
    found = proxies({"HTTPS_PROXY": proxy, "NO_PROXY": exempt}).of(url)

    assert found is None or isinstance(found, Proxy | NoWay)
