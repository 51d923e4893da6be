-- Runs before authorization. In: a request whose identity headers were stripped and whose x-isthmus-route header holds its
-- normalised path (both done by early header mutation, before routing). Out: a request that has a route, and what TLS
-- verification came to. Law: it adds facts only Envoy knows and decides nothing.

local ROUTE_HEADER = "x-isthmus-route"
local CORE_SCOPE = "/-/isthmus-core/-"

function envoy_on_request(handle)
  local info = handle:streamInfo()

  -- The listener accepts client certificates it cannot verify, so that they can be answered with 401 instead of a broken
  -- handshake. Authorization must therefore be told which certificates were verified; silence means "not verified".
  local tls = info:downstreamSslConnection()
  if tls ~= nil and tls:peerCertificatePresented() and tls:peerCertificateValidated() then
    info:dynamicMetadata():set("isthmus.tls", "client_certificate_verified", true)
  end

  if info:routeName() ~= "" then
    return
  end
  local headers = handle:headers()
  local route = headers:get(ROUTE_HEADER)

  -- The OpenAPI v3 document of a registered group-version is served by its backend, so it lives in that scope.
  local group_version = route ~= nil and route:match("^/openapi/v3(/apis/[^/]+/[^/]+)$")
  if group_version then
    headers:replace(ROUTE_HEADER, group_version)
    handle:clearRouteCache()
    -- routeName() shows the route last selected; asking for route metadata selects it anew.
    handle:metadata()
    if info:routeName() ~= "" then
      return
    end
  end

  -- No scope of its own, or none of its routes fits: the scope of everything unregistered always has a route.
  headers:replace(ROUTE_HEADER, CORE_SCOPE)
  handle:clearRouteCache()
end
