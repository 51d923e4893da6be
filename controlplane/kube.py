"""The one door to the Kubernetes client library.

In: a kubeconfig and a path of the API. Out: what the server answered. Law: nothing else imports `kubernetes`, and no
exception of that library or of its HTTP client leaves this module.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
from kubernetes.aio import client, config

from controlplane.egress.connector import Connector
from controlplane.egress.proxying import named

# One attempt; a front door that accepts a connection and then says nothing must not use up the whole waiting time.
_ATTEMPT_SECONDS = 5.0
_LONGEST_MESSAGE = 200


async def first_answer(
    kubeconfig: Path, context: str, path: str, *, scratch: Path, pause: float, give_up_after: float
) -> str:
    """Asks for `path` as `context` until it is answered with a 2xx status: "" then, else the last failure in words.

    The client library writes the key of an embedded user to a file; it goes to the folder `scratch`, which the caller
    removes. `pause` (between attempts) and `give_up_after` are seconds.
    """
    failure = "nothing was asked"
    try:
        async with asyncio.timeout(give_up_after):
            api = await config.new_client_from_config(
                config_file=str(kubeconfig), context=context, persist_config=False, temp_file_path=str(scratch)
            )
            # HTTPS_PROXY of the user's shell must not come between this machine and itself.
            api.configuration.client_session_kwargs = {"trust_env": False}
            async with api:
                while failure := await _attempt(api, path):  # noqa: ASYNC110 -- nothing here could set an event
                    await asyncio.sleep(pause)
    except TimeoutError:
        return failure
    return ""


async def document(kubeconfig: Path, path: str, *, scratch: Path) -> dict[str, object] | str:
    """The JSON object at `path`, asked for as the kubeconfig's current context; or why there is none, in words.

    Files that the kubeconfig names are read anew each time; a proxy that it names is used, and none of the environment.
    `scratch` is as above.
    """
    try:
        api = await config.new_client_from_config(
            config_file=str(kubeconfig), persist_config=False, temp_file_path=str(scratch)
        )
    except (config.ConfigException, OSError, ValueError) as error:
        return f"the kubeconfig cannot be used ({error})"
    async with Connector(ssl=api.rest_client.ssl_context) as connector, api:
        api.configuration.client_session_kwargs = {"trust_env": False, "connector": connector}
        if defect := _misdirected(api):
            return f"the kubeconfig cannot be used ({defect})"
        try:
            request = await api.param_serialize(
                "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
            )
            response = await api.call_api(*request, _request_timeout=_ATTEMPT_SECONDS)
            body: bytes = await response.read()
        except TimeoutError:
            return f"no answer within {_ATTEMPT_SECONDS:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return str(error) or type(error).__name__
    if response.status != 200:
        return f"HTTP {response.status}: {_message(body)}"
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else "the answer is no JSON object"


def _misdirected(api: client.ApiClient) -> str:
    """Has a client go through the proxy that its kubeconfig names, if any; a text: why it cannot."""
    rest = api.rest_client
    proxy = named(str(rest.proxy)) if rest.proxy else None
    if isinstance(proxy, str):
        return f"cluster.proxy-url {proxy}"
    if proxy is not None:
        rest.proxy, rest.proxy_headers = proxy.url, proxy.headers
    return ""


async def _attempt(api: client.ApiClient, path: str) -> str:
    try:
        request = await api.param_serialize("GET", path, header_params={"Accept": "application/json"})
        response = await api.call_api(*request, _request_timeout=_ATTEMPT_SECONDS)
        body: bytes = await response.read()
    except TimeoutError:
        return f"no answer within {_ATTEMPT_SECONDS:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return str(error) or type(error).__name__
    if 200 <= response.status < 300:
        return ""
    return f"HTTP {response.status}: {_message(body)}"


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    text = document.get("message", "") if isinstance(document, dict) else body.decode(errors="replace")
    return " ".join(str(text).split())[:_LONGEST_MESSAGE] or "no message"
