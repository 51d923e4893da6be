from __future__ import annotations

import base64

import pytest

from controlplane.egress.proxying import DIRECT, NoWay, Proxy, named, proxies
from controlplane.model.credentials import Secret

PROXY = Proxy("http://proxy.example.org:3128")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("https://proxy.example.org", "https://proxy.example.org"),
        ("10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("http://[fd00::1]:3128/", "http://[fd00::1]:3128"),
        ("socks5://proxy.example.org", "socks5://proxy.example.org"),
        ("socks5h://proxy.example.org:1081", "socks5://proxy.example.org:1081"),
    ],
)
def test_a_proxy_is_an_address_with_or_without_scheme(written: str, url: str) -> None:
    """What has no scheme is a proxy over http."""
    assert Proxy(url) == proxies({"HTTPS_PROXY": written}).of("https://issuer.example.org/keys")


@pytest.mark.parametrize("environment", [{}, {"HTTP_PROXY": "http://p:1"}, {"HTTPS_PROXY": ""}])
def test_without_a_proxy_for_https_none_is_used(environment: dict[str, str]) -> None:
    """HTTP_PROXY is for plain http, which nobody here speaks."""
    assert proxies(environment).of("https://issuer.example.org") is None
    assert DIRECT.of("https://issuer.example.org") is None


def test_the_lower_case_name_counts_first() -> None:
    """As in Go, of either variable; an empty one is as good as not there."""
    both = {"https_proxy": "lower:1", "HTTPS_PROXY": "upper:1", "no_proxy": "a.org", "NO_PROXY": "b.org"}

    assert Proxy("http://lower:1") == proxies(both).of("https://b.org")
    assert proxies(both).of("https://a.org") is None
    assert Proxy("http://upper:1") == proxies({**both, "https_proxy": ""}).of("https://b.org")


@pytest.mark.parametrize(
    "url",
    ["https://localhost", "https://LOCALHOST:1", "https://127.0.0.1:6443/x", "https://127.9.9.9", "https://[::1]:6443"],
)
def test_this_machine_is_never_asked_through_a_proxy(url: str) -> None:
    """Whatever NO_PROXY says."""
    assert proxies({"HTTPS_PROXY": "proxy.example.org:3128"}).of(url) is None


def test_a_mapped_loopback_address_is_this_machine() -> None:
    """An IPv4 address inside an IPv6 one is that address."""
    assert proxies({"HTTPS_PROXY": "proxy.example.org:3128"}).of("https://[::ffff:127.0.0.1]") is None


@pytest.mark.parametrize(
    ("exempt", "url", "direct"),
    [
        ("example.org", "https://example.org", True),
        ("example.org", "https://a.b.EXAMPLE.org", True),
        ("example.org", "https://anexample.org", False),
        (".example.org", "https://example.org", False),
        (".example.org", "https://a.example.org", True),
        ("*.example.org", "https://a.example.org", True),
        ("*.example.org", "https://example.org", False),
        ("example.org:443", "https://example.org", True),
        ("example.org:8443", "https://example.org", False),
        (" other , EXAMPLE.org ", "https://example.org", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.1.2.3/8", "https://10.9.9.9", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/255.0.0.0", "https://10.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:6443", True),
        ("10.1.2.3:443", "https://10.1.2.3:6443", False),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("fd00::1", "https://[fd00::1]", True),
        ("[fd00::1]", "https://[fd00::1]", False),
        ("0.1", "https://10.0.0.1", False),
        ("bücher.example", "https://xn--bcher-kva.example", True),
        ("a,*,b", "https://example.org", True),
        ("", "https://example.org", False),
        (",:80,.", "https://example.org", False),
    ],
)
def test_what_is_exempt_is_asked_directly(exempt: str, url: str, direct: bool) -> None:
    """NO_PROXY lists names with what is below them, addresses, networks, and ports if need be; * is everything."""
    found = proxies({"HTTPS_PROXY": "proxy.example.org:3128", "NO_PROXY": exempt}).of(url)

    assert (None if direct else PROXY) == found


@pytest.mark.parametrize(
    "written", ["socks4://hidden:1", "ftp://hidden", "http://hidden:99999999", "http://hidden:x", "://", "//hidden"]
)
def test_a_proxy_that_cannot_be_used_is_no_reason_to_go_without(written: str) -> None:
    """Nothing is asked directly that was to go through a proxy, and the reason does not hold the address."""
    found = proxies({"HTTPS_PROXY": written}).of("https://issuer.example.org")

    assert isinstance(found, NoWay)
    assert "hidden" not in found.reason


@pytest.mark.parametrize("url", ["https://a.example:99999/", "https://a.example:x", "https://[::1", "https://[a]"])
def test_a_url_that_cannot_be_read_is_not_asked_past_the_proxy(url: str) -> None:
    """Nobody can tell whether it is exempt; where no proxy is named it is for nobody to say."""
    found = proxies({"HTTPS_PROXY": "proxy.example.org:3128", "NO_PROXY": "b.example"}).of(url)

    assert isinstance(found, NoWay)
    assert DIRECT.of(url) is None


def test_credentials_of_a_proxy_are_shown_to_it_alone() -> None:
    """They are in the header, decoded, and in neither the URL nor any repr."""
    found = proxies({"HTTPS_PROXY": "http://us%40er:s3cr%20et@proxy:3128"}).of("https://issuer.example.org")

    assert isinstance(found, Proxy)
    assert found.url == "http://proxy:3128"
    assert found.headers == {"Proxy-Authorization": f"Basic {base64.b64encode(b'us@er:s3cr et').decode()}"}
    assert "s3cr" not in repr(found)


@pytest.mark.parametrize("url", ["p:3128", "proxy.example.org", "", "socks4://p", "http://", "http://p:x"])
def test_a_url_says_which_kind_of_proxy_it_names(url: str) -> None:
    """Without a scheme it names none, as in client-go."""
    assert isinstance(named(url), str)


def test_a_socks_proxy_is_shown_its_credentials_too() -> None:
    """They are kept as the same header."""
    expected = Secret(b"Basic " + base64.b64encode(b"us er:s3:cret"))

    assert Proxy("socks5://p:1", expected) == named("socks5://us%20er:s3:cret@p:1")


@pytest.mark.parametrize("written", ["me", "me:", ":hidden", f"me:{'hidden' * 50}", "m%C3%A9:hidden", "m%3Ae:hidden"])
def test_credentials_that_socks_cannot_carry_are_refused(written: str) -> None:
    """RFC 1929 counts either in one byte; the reason does not hold them."""
    found = named(f"socks5://{written}@p:1")

    assert isinstance(found, str)
    assert "NAME:PASSWORD of 1 to 255 ASCII characters" in found
    assert "hidden" not in found


@pytest.mark.parametrize("url", ["https://", "https:///path"])
def test_a_url_without_a_host_has_no_proxy(url: str) -> None:
    """It fails where it is asked, not here."""
    assert proxies({"HTTPS_PROXY": "proxy:3128"}).of(url) is None
