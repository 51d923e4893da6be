"""An API server as a sidecar stands before: no TLS, no authentication, and only Python's standard library.

In: --listen=HOST:PORT. Out: an answer to every GET, and for each a line of JSON on stdout with what arrived. Law: it
believes whatever its request headers say.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers with an empty object."""
        print(json.dumps({"path": self.path, "headers": self.headers.items()}), flush=True)
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serves until it is killed."""
    host, _, port = sys.argv[1].removeprefix("--listen=").rpartition(":")
    ThreadingHTTPServer((host, int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
