-- Reads what a front proxy says of who asks; the filter behind this one removes it from every request. In: a request as the
-- client sent it; the lists `usernames`, `names` and `prefixes` (lower case) ahead of this file. Out: the lines as dynamic
-- metadata for authorization, and a header that keeps the verdict cache out of it. Law: whoever shows no certificate that
-- Envoy has verified says nothing here; whom to believe is for authorization.

local is_named = {}
for _, list in ipairs({ usernames, names }) do
  for index = 1, #list do
    is_named[list[index]] = true
  end
end

local function says_who(headers)
  for index = 1, #usernames do
    local value = headers:get(usernames[index])
    if value ~= nil and value ~= "" then
      return true
    end
  end
  return false
end

local function is_one(name)
  if is_named[name] then
    return true
  end
  for index = 1, #prefixes do
    if name:sub(1, #prefixes[index]) == prefixes[index] then
      return true
    end
  end
  return false
end

-- Metadata are UTF-8, and a header may be anything.
local function escaped(value)
  return (value:gsub("[^ !-$&-~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if not says_who(headers) then
    return
  end
  local info = handle:streamInfo()
  local tls = info:downstreamSslConnection()
  if tls == nil or not tls:peerCertificatePresented() or not tls:peerCertificateValidated() then
    return
  end
  local lines = {}
  for name, value in pairs(headers) do
    if is_one(name) then
      lines[#lines + 1] = name
      lines[#lines + 1] = escaped(value)
    end
  end
  headers:add("x-isthmus-asserted", "1")
  info:dynamicMetadata():set("isthmus.request_headers", "lines", lines)
end
