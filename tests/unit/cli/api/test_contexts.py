"""The contexts file."""

from __future__ import annotations

from pathlib import Path

import pytest
from process import ROOT

from controlplane.cli.api.contexts import Context, ContextError, Contexts, load, place, save

A = Context(name="a", server="unix:/a.sock", namespace="n", token_file=Path("tokens/a"))
B = Context(name="b", server="https://example.com:443", client_certificate=Path("c"), client_key=Path("k"))


def written(path: Path, text: str) -> Path:
    """The file with a text."""
    path.write_text(text)
    return path


def test_the_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """With the folders to it, and for its owner alone."""
    path = tmp_path / "x" / "y" / "contexts.yaml"
    contexts = Contexts("a", (A, B))
    save(path, contexts)

    assert contexts == load(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert "certificate-authority" not in path.read_text()
    assert "token-file: tokens/a" in path.read_text()


def test_no_file_is_no_context(tmp_path: Path) -> None:
    """An empty one neither."""
    assert Contexts() == load(tmp_path / "contexts.yaml")
    assert Contexts() == load(written(tmp_path / "empty.yaml", ""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("current-context: 2001-99-99", "is not YAML"),
        ("[\n" * 5_000, "is not YAML"),
        ("- a", "something else"),
        ("{contexts: [], users: []}", "something else"),
        ("contexts: 7", "no list"),
        ("current-context: [a]", "no name"),
        ("contexts: [7]", r"contexts\[0\] is no mapping"),
        ("contexts: [{name: a}]", r"contexts\[0\].server: Field required"),
        ("contexts: [{name: a, server: 'unix:/a', user: b}]", r"contexts\[0\].user: Extra"),
        ("contexts: [{name: a, server: nowhere}]", r"contexts\[0\].server: 'nowhere' is no address; write unix:/"),
        (
            "contexts: [{name: a, server: 'unix:/a', client-key: k}]",
            r"contexts\[0\]: client-certificate and client-key",
        ),
        ("contexts: [{name: a, server: 'unix:/a'}, {name: a, server: 'unix:/b'}]", "several contexts called a"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    """With the file, the place and the remedy."""
    path = written(tmp_path / "contexts.yaml", text)

    with pytest.raises(ContextError, match=said) as caught:
        load(path)
    assert str(caught.value).startswith(f"error: {path}")


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    """A folder in its place, for one."""
    with pytest.raises(ContextError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(ContextError, match="ISTHMUSCONFIG"):
        save(tmp_path, Contexts())


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({}, "/home/a/.config/isthmus/contexts.yaml"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/isthmus/contexts.yaml"),
        ({"XDG_CONFIG_HOME": "/x", "ISTHMUSCONFIG": "/y.yaml"}, "/y.yaml"),
    ],
)
def test_the_environment_says_where_the_file_is(environment: dict[str, str], path: str) -> None:
    """Or nothing does, and it is below the home directory."""
    assert Path(path) == place(environment, Path("/home/a"))


def test_a_context_is_found_by_its_name() -> None:
    """Or it is said which there are."""
    contexts = Contexts("a", (A, B))

    assert B == contexts.named("b")
    assert "b" == contexts.using("b").current
    with pytest.raises(ContextError, match='context "c" does not exist; there are: a, b'):
        contexts.using("c")
    with pytest.raises(ContextError, match="there are: none"):
        Contexts().named("c")


def test_a_context_is_replaced_in_its_place_and_removed() -> None:
    """The current one is none any more when it is removed."""
    contexts = Contexts("a", (A, B))
    other = A.model_copy(update={"namespace": "m"})

    assert Contexts("a", (other, B)) == contexts.with_context(other)
    assert Contexts("a", (B, A)) == Contexts("a", (B,)).with_context(A)
    assert Contexts("", (B,)) == contexts.without("a")
    assert Contexts("a", (A,)) == contexts.without("b")


def test_relative_paths_are_relative_to_the_file() -> None:
    """Absolute ones stay."""
    anchored = A.model_copy(update={"client_key": Path("/k")}).anchored(Path("/etc/isthmus"))

    assert (Path("/etc/isthmus/tokens/a"), Path("/k"), None) == (
        anchored.token_file,
        anchored.client_key,
        anchored.certificate_authority,
    )


def test_the_example_of_the_page_is_a_contexts_file(tmp_path: Path) -> None:
    """Whoever copies it has two contexts."""
    page = (ROOT / "docs" / "cli.md").read_text()
    [example] = [block for block in page.split("```yaml\n")[1:] if block.startswith("current-context")]
    contexts = load(written(tmp_path / "contexts.yaml", example.partition("```")[0]))

    assert ("dev", ["dev", "prod"]) == (contexts.current, [context.name for context in contexts.contexts])
