"""Envoy's Lua sources on a LuaJIT of the tests' own.

In: what a filter would be called with. Out: what it does. Law: the sources are the very files that Envoy runs; only the
handle they are given is played.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lupa import luajit21

from controlplane.translation.filters import Scripts

SOURCES = Path(__file__).resolve().parent.parent / "envoy" / "lua"
POLICY = "e1 0 1000 10000 0"
"""Epoch e1, floor 0, 1000 entries, 10 seconds, no response header, nothing revoked."""

# Envoy's pairs asks a header map for its own iterator, as Lua 5.2 does and this LuaJIT does not.
_PLAYED = """
local plain = pairs
function pairs(object)
  if object.lines == nil then
    return plain(object)
  end
  local index = 0
  object.walked = true
  return function()
    index = index + 1
    local line = object.lines[index]
    if line then
      return line[1], line[2]
    end
    object.walked = false
  end
end

local Headers = {}
Headers.__index = Headers
function Headers:get(name)
  local found = {}
  for _, line in ipairs(self.lines) do
    if line[1] == name then
      found[#found + 1] = line[2]
    end
  end
  return found[1] and table.concat(found, ",")
end
function Headers:add(name, value)
  assert(not self.walked, "header map cannot be modified while iterating")
  self.lines[#self.lines + 1] = { name, value }
end
function Headers:remove(name)
  assert(not self.walked, "header map cannot be modified while iterating")
  for index = #self.lines, 1, -1 do
    if self.lines[index][1] == name then
      table.remove(self.lines, index)
    end
  end
end
function Headers:replace(name, value)
  self:remove(name)
  self:add(name, value)
end

local function metadata_of(stream)
  return {
    get = function(_, namespace) return stream.metadata[namespace] end,
    set = function(_, namespace, key, value)
      stream.metadata[namespace] = stream.metadata[namespace] or {}
      stream.metadata[namespace][key] = value
    end,
  }
end

local function stats_of(stats)
  local function one(_, name)
    local function add(_, amount) stats[name] = (stats[name] or 0) + amount end
    return { inc = function() add(nil, 1) end, add = add, sub = function(_, amount) add(nil, -amount) end }
  end
  return { counter = one, gauge = one }
end

return function(stream, stats)
  local headers = setmetatable({ lines = stream.lines }, Headers)
  local tls = stream.certificate and {
    peerCertificatePresented = function() return stream.certificate ~= "" end,
    peerCertificateValidated = function() return stream.validated end,
    sha256PeerCertificateDigest = function() return stream.certificate end,
    urlEncodedPemEncodedPeerCertificate = function() return stream.certificate end,
    urlEncodedPemEncodedPeerCertificateChain = function() return stream.chain end,
  }
  local metadata = metadata_of(stream)
  local info = {
    dynamicMetadata = function() return metadata end,
    downstreamSslConnection = function() return tls end,
    routeName = function() return stream.route end,
  }
  return {
    headers = function() return headers end,
    streamInfo = function() return info end,
    timestamp = function() return stream.now end,
    stats = function() return stats_of(stats) end,
    clearRouteCache = function() end,
    respond = function(_, response) stream.responded = response[":status"] end,
  }
end
"""


def source(name: str) -> str:
    """The text of one of Envoy's Lua files."""
    return (SOURCES / f"{name}.lua").read_text()


class Verdicts:
    """The cache of `verdicts.lua`, alone."""

    def __init__(self, policy: str | None = POLICY) -> None:
        self._lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
        self._module: Any = self._lua.execute(source("verdicts"))
        self._cache: Any = self._module.new_cache()
        self.adopt(policy)

    def adopt(self, policy: str | None) -> bool:
        """Gives it the policy's text; whether it can be read."""
        return bool(self._cache.adopt(self._cache, policy))

    def scopes(self, method: str, target: str) -> list[str] | None:
        """The scopes that a request lies in, the widest first."""
        scopes = self._module.scopes_of(method, target)
        return None if scopes is None else list(scopes.values())

    def find(self, credential: str, method: str, target: str, now: int = 0) -> list[str] | None:
        """The identity that the cache knows for a request."""
        found = self._cache.find(self._cache, credential, method, target, now)
        return None if found is None else list(found[0].values())

    def said(self, credential: str, method: str, target: str) -> str | None:
        """What the audit log is told of a request that the cache knows."""
        audit: str | None = self._cache.find(self._cache, credential, method, target, 0)[1]
        return audit

    def ask(self, credential: str, method: str, target: str, now: int = 0) -> int | None:
        """The number of a question to authorization."""
        number: int | None = self._cache.asked(self._cache, credential, method, target, now)
        return number

    def answer(self, number: int | None, identity: object, verdict: object, audit: str | None = None) -> bool:
        """Gives it authorization's answer; whether it was kept."""
        return bool(self._cache.answered(self._cache, number, self._table(identity), self._table(verdict), audit))

    def keep(self, credential: str, method: str, target: str, verdict: Mapping[str, object], now: int = 0) -> bool:
        """A question and its answer; the identity names the credential."""
        return self.answer(self.ask(credential, method, target, now), ["x-remote-user", credential], verdict)

    @property
    def held(self) -> int:
        """How many entries there are."""
        return int(self._cache.count + self._cache.old_count)

    @property
    def waiting(self) -> bool:
        """Whether any question is open."""
        return bool(self._cache.is_waiting(self._cache))

    def _table(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self._lua.table_from({key: self._table(item) for key, item in value.items()})
        return self._lua.table_from([self._table(item) for item in value]) if isinstance(value, list) else value


def verdict(scope: str, **changes: object) -> dict[str, object]:
    """A verdict as authorization writes it into the answer: 10 seconds, generation 1 of epoch e1."""
    return {"scope": scope, "seconds": 10, "epoch": "e1", "generation": 1, "grounds": ["g1"], **changes}


@dataclass
class Stream:
    """One request as the Lua filters see it; `certificate` None is no TLS, "" is TLS without a client certificate."""

    headers: Iterable[tuple[str, str]] = ()
    method: str = "GET"
    target: str = "/apis/a.io/v1/things"
    certificate: str | None = ""
    chain: str = ""
    """What TLS brought of certificates, "" for `certificate` alone."""
    validated: bool = True
    policy: str | None = POLICY
    now: int | None = 0
    route: str = "api"
    """The route that was selected on arrival, "" for none."""
    lines: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    responded: str | None = None
    """The status a filter answered with by itself."""
    known: bool = False
    """Whether authorization was left out."""
    shown: str | None = None
    """What the response header says became of the request."""

    def values(self, name: str) -> list[str]:
        """The values of the lines of that header, as they are at the end."""
        return [value for key, value in self.lines if key == name]


class Filters:
    """The Lua filters before and after authorization, each with its state, as one worker of Envoy has them."""

    def __init__(self) -> None:
        scripts = Scripts(**{name: source(name) for name in ("verdicts", "scope", "arrival", "identity")})
        arrival = scripts.before_authorization
        self._before, self._after = _Filter(arrival), _Filter(scripts.identity)
        self.asked = 0
        """How many requests reached authorization."""

    @property
    def stats(self) -> dict[str, int]:
        """What was counted."""
        return dict(self._before.stats.items())

    def send(self, stream: Stream, answer: Mapping[str, object] | None) -> Stream:
        """Passes a request through all filters; `answer` is authorization's metadata, None its refusal."""
        policy = [] if stream.policy is None else [("x-isthmus-verdicts", stream.policy)]
        stream.lines = [(":method", stream.method), (":path", stream.target), *stream.headers, *policy]
        self._before.run("envoy_on_request", stream)
        stream.known = stream.values("x-isthmus-verdicts") == ["known"]
        if not stream.known:
            self.asked += 1
            if answer is not None:
                stream.metadata["envoy.filters.http.ext_authz"] = dict(answer)
                self._after.run("envoy_on_request", stream)
        response = Stream(policy=stream.policy, metadata=stream.metadata)
        self._before.run("envoy_on_response", response)
        stream.shown = dict(response.lines).get("x-isthmus-verdict")
        return stream


class Reader:
    """The filter that reads what front proxies say, with its state."""

    def __init__(self, text: str) -> None:
        self._filter = _Filter(text)

    def send(self, stream: Stream) -> Stream:
        """Passes a request through it."""
        stream.lines = list(stream.headers)
        self._filter.run("envoy_on_request", stream)
        return stream


class _Filter:
    def __init__(self, text: str) -> None:
        self._lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
        self._handle: Any = self._lua.execute(_PLAYED)
        self._lua.execute(text)
        self.stats: Any = self._lua.table()

    def run(self, function: str, stream: Stream) -> None:
        """Calls the filter's function with a handle on the stream, and writes what it did back to the stream."""
        table: Any = self._table(
            {
                "lines": stream.lines,
                "metadata": stream.metadata,
                "certificate": stream.certificate,
                "chain": stream.chain or stream.certificate,
                "validated": stream.validated,
                "now": stream.now,
                "route": stream.route,
            }
        )
        self._lua.globals()[function](self._handle(table, self.stats))
        stream.lines = [(line[1], line[2]) for line in table.lines.values()]
        stream.metadata = _plain(table.metadata)
        stream.responded = table.responded

    def _table(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self._lua.table_from({key: self._table(item) for key, item in value.items()})
        return self._lua.table_from([self._table(item) for item in value]) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 - a Lua value is anything
    if luajit21.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and all(isinstance(key, int) for key in keys):
        return [_plain(value[key]) for key in sorted(keys)]
    return {key: _plain(value[key]) for key in keys}
