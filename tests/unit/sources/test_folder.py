from __future__ import annotations

from controlplane.model.change import Delete, ObjectKey, Upsert
from controlplane.model.problem import Origin, Problem
from controlplane.model.rbac import PolicyRule, Role, RoleKey
from controlplane.sources.decode import Bad, Good, Ignored
from controlplane.sources.folder import Broken, Content, Folder, Gone


def _key(name: str) -> ObjectKey:
    return ObjectKey("Role", "default", name)


def _role(name: str, *verbs: str) -> Role:
    return Role(RoleKey("default", name), (PolicyRule(verbs),))


def _good(path: str, document: int, name: str, *verbs: str) -> Good:
    return Good(Origin(path, document), _key(name), _role(name, *verbs))


def _problem(path: str, document: int = 0) -> Problem:
    return Problem(Origin(path, document), "", "", "is broken", "mend it")


def _bad(path: str, document: int, name: str = "") -> Bad:
    return Bad(Origin(path, document), _key(name) if name else None, (_problem(path, document),))


def _folder(**files: Content) -> Folder:
    folder = Folder()
    folder.observe(files)
    return folder


def test_the_first_look_gives_everything_sorted() -> None:
    """The objects of all files come out sorted by key, whatever the order of the files."""
    folder = Folder()
    changes = folder.observe({"b": Content((_good("b", 1, "x"),)), "a": Content((_good("a", 1, "z"),))})

    assert (Upsert(_key("x"), _role("x")), Upsert(_key("z"), _role("z"))) == changes


def test_the_same_content_again_changes_nothing() -> None:
    """An object that stays equal causes no Change."""
    folder = _folder(a=Content((_good("a", 1, "x", "get"),)))

    assert not folder.observe({"a": Content((_good("a", 1, "x", "get"),))})


def test_a_file_that_is_gone_takes_its_objects_along() -> None:
    """The objects of a file that is gone are deleted, and its Problems with them."""
    folder = _folder(a=Content((_good("a", 1, "x"), _bad("a", 2))))
    changes = folder.observe({"a": Gone()})

    assert (Delete(_key("x")),) == changes
    assert not folder.problems
    assert not folder.in_force


def test_a_broken_file_changes_nothing_but_the_problems() -> None:
    """What a file gave stays in force when nothing in it can be told any more."""
    folder = _folder(a=Content((_good("a", 1, "x"),)))
    changes = folder.observe({"a": Broken(_problem("a"))})

    assert not changes
    assert (_problem("a"),) == folder.problems
    assert {_key("x"): _role("x")} == folder.in_force


def test_a_broken_document_keeps_the_object_it_is_for() -> None:
    """A document that breaks keeps its object in force, wherever in the file it stands now; the others go on."""
    folder = _folder(a=Content((_good("a", 1, "x"), _good("a", 2, "y"))))
    changes = folder.observe({"a": Content((_good("a", 1, "y", "get"), _bad("a", 2, "x")))})

    assert (Upsert(_key("y"), _role("y", "get")),) == changes
    assert _role("x") == folder.in_force[_key("x")]


def test_a_broken_document_without_name_keeps_what_stood_in_its_place() -> None:
    """A document that does not say its object keeps the one of its number, unless that stands elsewhere now."""
    folder = _folder(a=Content((_good("a", 1, "x"), _good("a", 2, "y"))))

    assert not folder.observe({"a": Content((_good("a", 1, "x"), _bad("a", 2)))})
    assert (Upsert(_key("y"), _role("y", "get")),) == folder.observe(
        {"a": Content((_good("a", 1, "y", "get"), _bad("a", 2)))}
    )[1:]


def test_a_document_of_another_kind_in_its_place_lets_go() -> None:
    """A document that became a kind that is ignored holds nothing in force."""
    folder = _folder(a=Content((_good("a", 1, "x"),)))

    assert (Delete(_key("x")),) == folder.observe({"a": Content((Ignored(Origin("a", 1), _problem("a", 1)),))})
    assert (_problem("a", 1),) == folder.problems


def test_the_first_claim_stays_and_the_second_is_told() -> None:
    """Of two files with one object the first stays in force, though its path sorts later, and both places are named."""
    folder = _folder(b=Content((_good("b", 1, "x", "get"),)))
    changes = folder.observe({"a": Content((_good("a", 3, "x", "list"),))})
    message = "is defined in b, document 1 too, and that one was first"

    assert not changes
    assert (Problem(Origin("a", 3), "Role default/x", "", message, "remove one of the two"),) == folder.problems


def test_at_the_first_look_the_first_path_is_first() -> None:
    """Of two files seen in one batch the first by path owns the object."""
    folder = _folder(b=Content((_good("b", 1, "x", "list"),)), a=Content((_good("a", 1, "x", "get"),)))

    assert {_key("x"): _role("x", "get")} == folder.in_force


def test_the_next_claimant_takes_over() -> None:
    """When the owner of an object goes, the file that claimed it next takes over, and the duplicate is solved."""
    folder = _folder(a=Content((_good("a", 1, "x", "get"),)), b=Content((_good("b", 1, "x", "list"),)))
    changes = folder.observe({"a": Gone()})

    assert (Upsert(_key("x"), _role("x", "list")),) == changes
    assert not folder.problems


def test_an_object_that_moves_is_not_deleted_in_between() -> None:
    """An object that is in another file after a batch, and equal, causes no Change at all."""
    folder = _folder(a=Content((_good("a", 1, "x"),)))

    assert not folder.observe({"a": Gone(), "b": Content((_good("b", 1, "x"),))})
    assert not folder.problems


def test_the_same_object_twice_in_a_file_counts_once() -> None:
    """Within a file the first document of an object counts, and the second is told."""
    folder = _folder(a=Content((_good("a", 1, "x", "get"), _good("a", 2, "x", "list"))))
    message = "is defined in a, document 1 too, and that one was first"

    assert {_key("x"): _role("x", "get")} == folder.in_force
    assert (Problem(Origin("a", 2), "Role default/x", "", message, "remove one of the two"),) == folder.problems


def test_the_origin_is_that_of_what_is_in_force() -> None:
    """The file that claimed the object first, then the next one, then none."""
    folder = _folder(a=Content((_good("a", 2, "x"),)))
    folder.observe({"b": Content((_good("b", 1, "x"),))})

    assert folder.origin(_key("x")) == Origin("a", 2)
    folder.observe({"a": Gone()})
    assert folder.origin(_key("x")) == Origin("b", 1)
    folder.observe({"b": Gone()})
    assert folder.origin(_key("x")) is None
