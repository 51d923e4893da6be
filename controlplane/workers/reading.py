"""Messages as they come in.

In: a stream of bytes. Out: messages. Law: a stream ends between two frames, or it is an error; what comes is not held
before it has come, however long it says it is.
"""

from __future__ import annotations

import asyncio

from controlplane.workers.frames import HEADER_BYTES, LIMIT, FrameError, Message, length_of, parsed


async def read(reader: asyncio.StreamReader, limit: int = LIMIT) -> Message | None:
    """The next message; None when the other side has ended the conversation, or is gone.

    Raises:
        FrameError: when what comes is no frame, is longer than `limit` bytes, or ends within one.
    """
    try:
        header = await reader.readexactly(HEADER_BYTES)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("the conversation ends within a frame") from None
        return None
    except ConnectionError:
        return None
    try:
        return parsed(await reader.readexactly(length_of(header, limit)))
    except (asyncio.IncompleteReadError, ConnectionError):
        raise FrameError("the conversation ends within a frame") from None
