-- Gives a route to a request that has none. In: a request whose x-isthmus-route header holds its normalised path (early
-- header mutation wrote it, before routing). Out: a request that has a route. Law: it decides nothing but which scope.

local ROUTE_HEADER = "x-isthmus-route"
local CORE_SCOPE = "/-/isthmus-core/-"

return function(handle, info, headers)
  if info:routeName() ~= "" then
    return
  end
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
