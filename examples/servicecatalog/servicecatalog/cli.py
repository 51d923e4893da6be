"""The command line: flags to ServerOptions, and a server that runs until it is told to stop.

In go arguments and signals; out come one line on standard output when the server listens, logs on standard error,
and the exit code.
The law: this is the only module that touches the process (signals, standard streams, logging set-up).
"""

import asyncio
import logging
import signal
import ssl
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import click
import orjson

from servicecatalog.audit import AuditSink
from servicecatalog.resources import GROUP_VERSION
from servicecatalog.schemas import JsonObject
from servicecatalog.server import Server, ServerOptions

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _names(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.strip() for value in values for name in value.split(",") if name.strip())


def _audit_sink(stream: TextIO | None) -> AuditSink:
    """A sink that writes JSON lines to the stream; None writes nothing."""
    if stream is None:
        return lambda _event: None

    def write(event: JsonObject) -> None:
        stream.write(orjson.dumps(event).decode() + "\n")
        stream.flush()

    return write


async def _run(options: ServerOptions, audit: AuditSink) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = Server(options, audit=audit)
    try:
        port = await server.start()
        host = f"[{options.address}]" if ":" in options.address else options.address
        click.echo(f"serving {GROUP_VERSION} on https://{host}:{port}")
        await stopping.wait()
    finally:
        await server.stop()


@click.command()
@click.option("--bind-address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--secure-port",
    type=click.IntRange(0, 65535),
    default=6443,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--tls-cert-file", type=_FILE, required=True, help="Serving certificate, PEM.")
@click.option("--tls-private-key-file", type=_FILE, required=True, help="Key of the serving certificate, PEM.")
@click.option(
    "--requestheader-client-ca-file", type=_FILE, required=True, help="CA of the front-proxy certificate, PEM."
)
@click.option(
    "--requestheader-allowed-names",
    multiple=True,
    metavar="NAME[,NAME]",
    help="Common names a front proxy may have; none given trusts every name the CA signed.",
)
@click.option("--audit-log-path", metavar="FILE", help="Write a JSON line for each request; - is standard output.")
@click.option(
    "--watch-history-size",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Changes kept for each resource; a watch from before them is answered with 410.",
)
def main(
    bind_address: str,
    secure_port: int,
    tls_cert_file: Path,
    tls_private_key_file: Path,
    requestheader_client_ca_file: Path,
    requestheader_allowed_names: tuple[str, ...],
    audit_log_path: str | None,
    watch_history_size: int,
) -> None:
    """Serve servicecatalog.k8s.io/v1beta1 behind a front proxy, in memory."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # aiohttp answers what is not HTTP with 400, and would log a traceback of its parser each time.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    options = ServerOptions(
        address=bind_address,
        port=secure_port,
        cert_file=tls_cert_file,
        key_file=tls_private_key_file,
        client_ca_file=requestheader_client_ca_file,
        allowed_names=_names(requestheader_allowed_names),
        watch_history=watch_history_size,
    )
    try:
        with ExitStack() as stack:
            stream = sys.stdout if audit_log_path == "-" else None
            if audit_log_path and stream is None:
                stream = stack.enter_context(Path(audit_log_path).open("a", encoding="utf-8"))
            asyncio.run(_run(options, _audit_sink(stream)))
    except ssl.SSLError as error:
        remedy = "all three must be PEM, and --tls-private-key-file must belong to --tls-cert-file"
        raise click.ClickException(f"the TLS files cannot be used: {error.reason}; {remedy}") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
