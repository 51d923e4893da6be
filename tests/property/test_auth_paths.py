from __future__ import annotations

from urllib.parse import unquote, unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from controlplane.auth.requestinfo import check_path, request_info
from controlplane.model.identity import RequestInfo

# Pieces that together make ordinary paths, paths in disguise, and paths that are nearly either.
PIECES = st.sampled_from(
    [
        *("/", "//", "/./", "/../", ".", "..", "%2e", "%2E%2e", "%2F", "%2f", "%5c", "\\"),
        *("%", "%2", "%zz", "%25", "%252F", "%C3%A9", "%ff", "%C0%AF", "%00", "%0d", "é"),
        *("api", "apis", "openapi", "v3", "v1", "v1beta1", "a.io", "b.io", "pods", "namespaces", "watch", "n"),
        *("%61pis", "%61pi", "%6Fpenapi", "%61.io", "v%31", "%76", "a%2Eio"),
        *("?", "?x=/../", "#", ";", ";a=b", ":", "~", " ", "\x00", "\r\n", "%20", "+", "=", "&", "*"),
    ]
)  # fmt: skip
PATHS = st.one_of(
    st.lists(PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces)),
    st.lists(PIECES, max_size=12).map("/".join).map(lambda path: f"/{path}"),
    st.text(max_size=40),
)
METHODS = st.sampled_from(["GET", "POST", "DELETE", "OPTIONS", "get"])


def segments(path: str) -> list[str]:
    """The segments of a path, without the empty one after a trailing slash."""
    return path.removeprefix("/").removesuffix("/").split("/")


def route_of(path: str) -> list[str]:
    """What a router that knows only plain strings takes for the API that the path chooses."""
    found = segments(path)
    if found[0] == "apis":
        return found[:3]
    if found[0] == "api":
        return found[:2]
    return found[:5] if found[0] == "openapi" else found[:1]


@given(PATHS)
@example("/%61pis/a.io/v1/x")
@example("/apis/a.io%2Fv1/x")
@example("/apis/a.io/v1/..%2f..%2fb.io/v1")
@example("/apis/a.io/v%31")
def test_a_path_that_passes_has_the_same_segments_raw_and_decoded(raw: str) -> None:
    """Splitting before decoding and decoding before splitting give the same segments."""
    path = raw.partition("?")[0]
    if check_path(raw) is None:
        assert [unquote(segment) for segment in segments(path)] == segments(unquote(path))


@given(PATHS)
@example("/openapi/v3/%61pis/a.io/v1")
@example("/apis/%2e%2e/v1")
def test_a_path_that_passes_chooses_the_same_api_raw_and_decoded(raw: str) -> None:
    """No path that decodes to another group-version than it spells is let through."""
    path = raw.partition("?")[0]
    if check_path(raw) is None:
        assert route_of(path) == route_of(unquote(path))


@given(PATHS)
def test_a_path_that_passes_is_in_normal_form(raw: str) -> None:
    """Once decoded it is UTF-8 without dot segments, empty segments, backslashes or control characters."""
    path = raw.partition("?")[0]
    if check_path(raw) is None:
        decoded = unquote_to_bytes(path).decode()
        inner = segments(decoded)
        assert decoded.startswith("/")
        assert not {".", ".."} & set(inner)
        assert "" not in inner or path == "/"
        assert not [character for character in decoded if character < " " or character in "\x7f\\"]


@given(METHODS, PATHS)
def test_what_is_decided_is_what_is_routed(method: str, raw: str) -> None:
    """The group and version that authorization sees are the raw segments that Envoy routes by."""
    if check_path(raw) is not None:
        return
    info = request_info(method, raw)
    if isinstance(info, RequestInfo) and info.is_resource_request:
        prefix = ["apis", info.api_group, info.api_version] if info.api_group else ["api", info.api_version]
        assert prefix == segments(raw.partition("?")[0])[: len(prefix)]


@given(METHODS, st.text(max_size=60))
def test_reading_a_request_never_fails(method: str, target: str) -> None:
    """Any text at all has a RequestInfo or a reason, and a reason or a pass of its path."""
    check_path(target)
    request_info(method, f"/apis/a.io/v1/things?{target}")
    request_info(method, target)
