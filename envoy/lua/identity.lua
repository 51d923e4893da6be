-- Runs after authorization has allowed the request. In: the identity authorization wrote into dynamic metadata, a flat list
-- {name, value, name, value, ...}. Out: those headers, one line each (ext_authz itself cannot send a header twice), and a
-- request without the credential in Sec-WebSocket-Protocol. Not run, as authorization is not, where the verdict is known.
-- Law: no identity, no backend; one identity and not two.

local BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."

local function without_bearer_protocol(headers)
  local kept = {}
  for index = 0, headers:getNumValues("sec-websocket-protocol") - 1 do
    for protocol in headers:getAtIndex("sec-websocket-protocol", index):gmatch("[^,%s]+") do
      if protocol:sub(1, #BEARER_PROTOCOL) ~= BEARER_PROTOCOL then
        kept[#kept + 1] = protocol
      end
    end
  end
  headers:remove("sec-websocket-protocol")
  if #kept > 0 then
    headers:add("sec-websocket-protocol", table.concat(kept, ", "))
  end
end

function envoy_on_request(handle)
  local decision = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.ext_authz")
  local identity = decision and decision.identity
  local headers = handle:headers()
  if type(identity) ~= "table" or #identity < 2 or headers:get("x-remote-user") ~= nil then
    handle:respond({ [":status"] = "500" }, "no identity was established")
    return
  end
  for index = 1, #identity, 2 do
    headers:add(identity[index], identity[index + 1])
  end
  -- The route was selected before authorization was asked. Meanwhile its cluster may have been removed, which is 503, or its
  -- API moved; the scope's header is as it was, so selecting again finds the same API where it is now.
  handle:clearRouteCache()
  if headers:get("upgrade") ~= nil then
    -- Upgrades are HTTP/1.1: Go's HTTP/2 servers refuse extended CONNECT. The next filter turns this into ALPN.
    headers:replace("x-isthmus-alpn", "http/1.1")
    -- Envoy passes on what a client lists here when it upgrades, and the next proxy would take listed headers away.
    headers:replace("connection", "Upgrade")
  end
  if headers:get("sec-websocket-protocol") ~= nil then
    without_bearer_protocol(headers)
  end
end
