-- The script of the endpoint beside a client. In: a request, and `select_route` from scope.lua. Out: a request that has a
-- route, and a connection of its own kind when it is an upgrade. Law: it decides nothing about who asks.

local BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."

function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("upgrade") ~= nil then
    -- Every line of it, joined.
    local protocols = headers:get("sec-websocket-protocol")
    if protocols ~= nil and protocols:find(BEARER_PROTOCOL, 1, true) then
      -- It would be a second credential beside the sidecar's own.
      handle:respond({ [":status"] = "400" }, "no credential is taken here")
      return
    end
    -- Upgrades are HTTP/1.1: Go's HTTP/2 servers refuse extended CONNECT. A later filter turns this into ALPN.
    headers:replace("x-isthmus-alpn", "http/1.1")
  end
  select_route(handle, handle:streamInfo(), headers)
end
