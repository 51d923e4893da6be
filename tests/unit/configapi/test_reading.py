from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from controlplane.api.v1 import config_pb2
from controlplane.configapi import reading
from controlplane.configapi.reading import Selection
from controlplane.model.identity import UserInfo
from controlplane.resources.kinds import KINDS
from controlplane.resources.selectors import Selector
from controlplane.resources.status import Status
from controlplane.store.interface import Key, Page, Scope, Stored

SELECTION = Selection(KINDS["Role"], "n", Selector())
TOKENS = st.one_of(
    st.text(min_size=1),
    st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    st.binary().map(lambda raw: base64.urlsafe_b64encode(reading._digest(SELECTION) + raw).decode()),
    st.sampled_from([b"[0,'','']", b'[1,"","a",1]', b'["1","","a"]', b'[1,"",""]', b'{"a":1}', b"[" * 500]).map(
        lambda raw: base64.urlsafe_b64encode(reading._digest(SELECTION) + raw).decode()
    ),
)


class Shelf:
    """A store with numbered Roles, two on a page."""

    async def list(
        self,
        scope: Scope,
        *,
        limit: int = 500,  # noqa: ARG002 - the protocol passes it
        revision: int | None = None,
        after: Key | None = None,
    ) -> Page:
        """A page of what there is."""
        keys = [Key(scope.resource or "", "n", f"r{number}") for number in range(7)]
        left = [key for key in keys if after is None or key > after]
        items = tuple(Stored(key, b'{"metadata":{"name":"%s"}}' % key.name.encode(), 1, 1) for key in left[:2])
        return Page(items, revision or 9, len(left) > 2)


class Everybody:
    """Lets everybody do everything."""

    async def admit(self, method: str, target: str) -> UserInfo:  # noqa: ARG002 - the protocol passes both
        """Somebody."""
        return UserInfo("somebody")


@given(TOKENS)
def test_garbage_is_no_token(token: str) -> None:
    """It is refused, and never raises."""
    assert isinstance(reading._read(token, SELECTION), Status)


@given(st.integers(1, 9))
async def test_pages_of_any_size_hold_everything_once(size: int) -> None:
    """However the store cuts its own."""
    names: list[str] = []
    token = ""
    for _ in range(9):
        page = await reading.list_page(Shelf(), Everybody(), SELECTION, size, token, lambda: lambda _: ())
        assert isinstance(page, config_pb2.ListResponse)
        assert len(page.objects) <= size
        names += [one.reference.name for one in page.objects]
        token = page.next_page_token
        if not token:
            break

    assert [f"r{number}" for number in range(7)] == names
