-- Runs before authorization. In: a request whose identity headers were stripped; `verdicts` and `select_route` from the files
-- beside this one. Out: a request that has a route and either an identity, when its verdict is known, or what authorization
-- must know about it. Law: authorization is left out only for a verdict that `verdicts` holds; an error on the way there is no
-- verdict.

local VERDICT = "isthmus.verdict"
local ASSERTED = "x-isthmus-asserted"
local POLICY = "x-isthmus-verdicts"
-- What authorization's matcher looks for in place of the policy.
local KNOWN = "known"
local FIRST_OF_IMPERSONATE = ("i"):byte()

local byte, find = string.byte, string.find

-- Nearly all that is done here are calls of Envoy's functions, which LuaJIT cannot compile: machine code for what lies between
-- two of them costs more to enter and to leave than it saves.
jit.off()

local cache = verdicts.new_cache()
local counters

-- Hits are counted here and told together: telling one costs as much as finding its verdict.
local HITS_TOLD_TOGETHER = 100
local hits = 0

local function count(handle)
  if counters == nil then
    local stats = handle:stats()
    counters = {
      hits = stats:counter("hits"),
      misses = stats:counter("misses"),
      bypasses = stats:counter("bypasses"),
      failures = stats:counter("failures"),
      invalidations = stats:counter("invalidations"),
      entries = stats:gauge("entries"),
      invalidated = 0,
      held = 0,
    }
  end
  return counters
end

-- Only when verdicts were kept or dropped: not on the way of a hit.
local function settle(counted)
  local held = cache.count + cache.old_count
  if held > counted.held then
    counted.entries:add(held - counted.held)
  elseif held < counted.held then
    counted.entries:sub(counted.held - held)
  end
  counted.held = held
  if cache.invalidations > counted.invalidated then
    counted.invalidations:add(cache.invalidations - counted.invalidated)
    counted.invalidated = cache.invalidations
  end
end

-- Method, target and token of a request that may have a verdict: not of one that impersonates, in whatever spelling, or
-- upgrades or names subprotocols, which may hold a token, and not of one in which a front proxy says who asks. One walk over all headers
-- is the only way to see every Impersonate-Extra-*; it goes to the end, since Envoy refuses to change headers after half a walk.
local function question_of(headers)
  local method, target, token
  local none = false
  for name, value in pairs(headers) do
    if name == ":method" then
      method = value
    elseif name == ":path" then
      target = value
    elseif name == "authorization" then
      none = none or token ~= nil or not find(value, "^[Bb]earer ")
      token = value
    elseif
      name == "upgrade"
      or name == "sec-websocket-protocol"
      or name == ASSERTED
      or (byte(name) == FIRST_OF_IMPERSONATE and find(name, "^impersonate"))
    then
      none = true
    end
  end
  if none then
    return nil
  end
  return method, target, token
end

-- What stands for who sends the request: a token, the digest of a verified certificate, "" for nothing shown; nil when both
-- are shown, or a certificate that is not believed. A digest is no secret, and a token is whatever a client writes: so a digest
-- begins with what no header's value can hold.
local function credential_of(token, tls)
  if tls == nil or not tls:peerCertificatePresented() then
    return token or ""
  end
  if token ~= nil or not tls:peerCertificateValidated() then
    return nil
  end
  local digest = tls:sha256PeerCertificateDigest()
  return digest ~= "" and "\n" .. digest or nil
end

-- The identity of a known verdict and what the audit log is told of it, or nil and the number under which authorization's
-- answer is awaited.
local function verdict_on(handle, headers, tls)
  local method, target, token = question_of(headers)
  local credential = method and target and credential_of(token, tls)
  if not credential then
    return nil, nil
  end
  local now = handle:timestamp()
  local identity, audit = cache:find(credential, method, target, now)
  if identity then
    return identity, audit
  end
  return nil, cache:asked(credential, method, target, now)
end

local function tell_hits(counted)
  if hits > 0 then
    counted.hits:add(hits)
    hits = 0
  end
end

-- For the audit log and for the response; metadata cost more than all else that is done with a hit.
local function tell_hit(info, said)
  local metadata = info:dynamicMetadata()
  if said then
    metadata:set(VERDICT, "audit", said)
  end
  metadata:set(VERDICT, "hit", true)
end

-- Whether authorization may be left out.
local function is_known(handle, headers, info, tls)
  if not cache:adopt(headers:get(POLICY)) then
    return false
  end
  local sound, identity, said = pcall(verdict_on, handle, headers, tls)
  if sound and identity then
    for index = 1, #identity, 2 do
      headers:add(identity[index], identity[index + 1])
    end
    if said or cache.policy.debug then
      tell_hit(info, said)
    end
    hits = hits + 1
    if hits >= HITS_TOLD_TOGETHER then
      tell_hits(counters or count(handle))
    end
    -- Last, so that whatever fails before it leaves the request to authorization.
    headers:replace(POLICY, KNOWN)
    return true
  end
  local counted = counters or count(handle)
  tell_hits(counted)
  if sound and said then
    info:dynamicMetadata():set(VERDICT, "number", said)
    counted.misses:inc()
  else
    counted.bypasses:inc()
    if not sound then
      counted.failures:inc()
    end
  end
  return false
end

-- Authorization has the client's own certificate from ext_authz, and verifies it again: authorities may have been replaced since
-- Envoy did.
local function tell_chain(info, tls)
  local chain = tls:urlEncodedPemEncodedPeerCertificateChain()
  if chain ~= tls:urlEncodedPemEncodedPeerCertificate() then
    info:dynamicMetadata():set("isthmus.tls", "client_certificate_chain", chain)
  end
end

function envoy_on_request(handle)
  local headers, info = handle:headers(), handle:streamInfo()
  local tls = info:downstreamSslConnection()
  if not is_known(handle, headers, info, tls) then
    -- The listener accepts client certificates it cannot verify, so that they can be answered with 401 instead of a broken
    -- handshake. Authorization must therefore be told which certificates were verified; silence means "not verified".
    if tls ~= nil and tls:peerCertificatePresented() and tls:peerCertificateValidated() then
      info:dynamicMetadata():set("isthmus.tls", "client_certificate_verified", true)
      tell_chain(info, tls)
    end
  end
  select_route(handle, info, headers)
end

function envoy_on_response(handle)
  local shown = cache.policy and cache.policy.debug
  if not shown and not cache:is_waiting() then
    return
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  local verdict = metadata:get(VERDICT)
  if verdict and verdict.number then
    local answer = metadata:get("envoy.filters.http.ext_authz")
    if answer then
      cache:answered(verdict.number, answer.identity, answer.verdict, answer.audit)
    else
      cache:answered(verdict.number)
    end
    settle(count(handle))
  end
  if shown then
    handle:headers():replace("x-isthmus-verdict", verdict and (verdict.hit and "hit" or "miss") or "bypass")
  end
end
