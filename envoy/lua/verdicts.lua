-- The verdicts of authorization, kept by each worker next to its requests. In: what a request shows, and what authorization
-- said its answer covers. Out: the identity of a request that was allowed before. Law: a verdict is used only for the very
-- credential it was given to, inside the scope it was given, before it expires, and under a policy that has not taken it
-- back; whatever is unforeseen is no verdict. Nothing here knows Envoy.

local PATH_LIMIT = 512
local CREDENTIAL_LIMIT = 8192
local WAITING_LIMIT = 1024
-- Request lines kept for one credential: queries make as many of them as anybody likes, to push out what others are known by.
local LINES_LIMIT = 256
-- Who may list in every namespace makes a scope of each name: so many of them are kept, and more where the cache is large.
local SCOPES_LIMIT = 64
local SCOPES_SHARE = 16
-- Where it is small: this part of it for the scopes of a credential, and half of that for its request lines.
local LARGEST_SHARE = 4

-- The verb of a request that names an object; the same table as in the control plane's requestinfo.
local VERBS = { DELETE = "delete", GET = "get", HEAD = "get", PATCH = "patch", POST = "create", PUT = "update" }

-- "list" or "watch", or nil where the query might make it something else: a field selector, an escape in a key, a value
-- of watch that is neither of the two that clients send.
local function list_or_watch(query)
  local verb = "list"
  for pair in query:gmatch("[^&]+") do
    local key, value = pair:match("^(%a+)=(.*)$")
    if key == nil or key == "fieldSelector" then
      return nil
    end
    if key == "watch" then
      if verb == "watch" or (value ~= "true" and value ~= "1") then
        return nil
      end
      verb = "watch"
    end
  end
  return verb
end

-- The path between slashes; nil unless every segment is plain: no escape, nothing empty, no dots alone.
local function segments_of(path)
  if not path:find("^/[%w%-._~:/]+$") then
    return nil
  end
  local segments, length = {}, 0
  for segment in path:gmatch("/([^/]*)") do
    if segment == "" or segment == "." or segment == ".." then
      return nil
    end
    length = length + 1
    segments[length] = segment
  end
  return segments
end

-- The scopes that a request lies in, the widest first; nil for one that is always asked about. Their text is the one that
-- the control plane's module `scope` writes.
local function scopes_of(method, target)
  local verb = VERBS[method]
  -- Neither can "#", ";" and what is not printable be part of any request that is remembered, in path or query.
  if verb == nil or #target > PATH_LIMIT or target:find("[^!-~]") or target:find("[#;]") then
    return nil
  end
  local path, query = target:match("^([^?]*)%??(.*)$")
  local segments = segments_of(path)
  if segments == nil then
    return nil
  end
  local group, at = "", nil
  if segments[1] == "api" and segments[3] then
    at = 3
  elseif segments[1] == "apis" and segments[4] then
    group, at = segments[2], 4
  end
  if at == nil then
    return { "*", "path " .. method:lower() .. " " .. path }
  end
  local version, first = segments[at - 1], segments[at]
  if first == "watch" or first == "proxy" then
    return nil
  end
  local namespace = ""
  if first == "namespaces" and segments[at + 1] then
    namespace = segments[at + 1]
    local third = segments[at + 2]
    if third and third ~= "status" and third ~= "finalize" then
      at = at + 2
    end
  end
  local resource, name, subresource = segments[at], segments[at + 1] or "", segments[at + 2] or ""
  if name == "" and verb == "get" then
    verb = list_or_watch(query)
    if verb == nil then
      return nil
    end
  elseif name == "" and verb == "delete" then
    verb = "deletecollection"
  end
  local group_version = verb .. " " .. group .. "/" .. version
  local in_namespace = group_version .. " " .. namespace
  local collection = in_namespace .. " " .. resource .. "/" .. subresource
  return { "*", group_version, in_namespace, collection, collection .. " " .. name }
end

-- What the control plane says of all verdicts: "epoch floor limit milliseconds debug ground=generation ...".
local function policy_of(text)
  local epoch, floor, limit, life, debug, rest = text:match("^(%w+) (%d+) (%d+) (%d+) ([01])(.*)$")
  if epoch == nil then
    return nil
  end
  local policy = {
    epoch = epoch,
    floor = tonumber(floor),
    limit = tonumber(limit),
    life = tonumber(life),
    debug = debug == "1",
    revoked = {},
  }
  for item in rest:gmatch("%S+") do
    local ground, generation = item:match("^(%w+)=(%d+)$")
    if ground == nil then
      return nil
    end
    policy.revoked[ground] = tonumber(generation)
  end
  return policy
end

local function is_list_of_strings(value)
  if type(value) ~= "table" then
    return false
  end
  for index = 1, #value do
    if type(value[index]) ~= "string" then
      return false
    end
  end
  return true
end

local function in_force(entry, policy)
  if entry.epoch ~= policy.epoch or entry.generation < policy.floor then
    return false
  end
  for index = 1, #entry.grounds do
    if (policy.revoked[entry.grounds[index]] or 0) > entry.generation then
      return false
    end
  end
  return true
end

local Cache = {}
Cache.__index = Cache

-- Both tables and the waiting live for two spans of the longest life of a verdict: what is in the older one when it goes
-- has expired, however many requests were made of it.
function Cache:rotate(now)
  self.rotation = now + (self.policy and self.policy.life or 0)
  self.old, self.old_count, self.young, self.count = self.young, self.count, {}, 0
  self.lines, self.scopes = {}, {}
  self:retire_questions()
end

function Cache:retire_questions()
  self.waiting_old, self.waiting_old_count, self.waiting, self.waiting_count = self.waiting, self.waiting_count, {}, 0
end

-- Takes the policy's text; an unreadable one, or none, is a policy under which nothing holds.
function Cache:adopt(text)
  if text ~= self.text then
    self.text = text
    self.policy = text and policy_of(text)
  end
  return self.policy ~= nil
end

function Cache:keep(credential, key, entry)
  if self.count >= self.policy.limit / 2 then
    self:rotate(entry.asked)
  end
  local person = self.young[credential]
  if person == nil then
    person = {}
    self.young[credential] = person
  end
  if person[key] == nil then
    self.count = self.count + 1
  end
  person[key] = entry
end

function Cache:held(credential, key, now)
  local person = self.young[credential]
  local entry = person and person[key]
  if entry == nil then
    person = self.old[credential]
    entry = person and person[key]
    if entry == nil then
      return nil
    end
  end
  if entry.revoked or now < entry.asked or now >= entry.expires then
    return nil
  end
  if entry.text ~= self.text then
    if not in_force(entry, self.policy) then
      entry.revoked = true
      self.invalidations = self.invalidations + 1
      return nil
    end
    entry.text = self.text
  end
  return entry
end

-- The identity that the request was allowed with before, and what is to be said of it in the audit log; or nil.
function Cache:find(credential, method, target, now)
  if now >= self.rotation then
    self:rotate(now)
  end
  -- The request line is remembered beside the scopes, and the method "get" of the path "/v1" would read like one of them.
  if VERBS[method] == nil then
    return nil
  end
  local line = method .. " " .. target
  local entry = self:held(credential, line, now)
  if entry then
    return entry.identity, entry.audit
  end
  local scopes = scopes_of(method, target)
  for index = 1, scopes and #scopes or 0 do
    entry = self:held(credential, scopes[index], now)
    if entry then
      local lines = self.lines[credential] or 0
      if lines < math.min(LINES_LIMIT, self.policy.limit / LARGEST_SHARE / 2) then
        self.lines[credential] = lines + 1
        self:keep(credential, line, entry)
      end
      return entry.identity, entry.audit
    end
  end
  return nil
end

-- Remembers that authorization is being asked at `now` (milliseconds); the number is for `answered`. nil: not remembered.
function Cache:asked(credential, method, target, now)
  if #credential > CREDENTIAL_LIMIT then
    return nil
  end
  local scopes = scopes_of(method, target)
  if scopes == nil then
    return nil
  end
  -- Whoever goes away unanswered leaves a question open. The oldest make way: else a few such clients would switch the cache off.
  if self.waiting_count >= WAITING_LIMIT then
    self:retire_questions()
  end
  self.number = self.number + 1
  self.waiting[self.number] = { credential = credential, scopes = scopes, now = now }
  self.waiting_count = self.waiting_count + 1
  return self.number
end

-- Whether one more scope of that credential may be kept, which is then counted.
function Cache:has_room(credential, scope)
  local person, scopes = self.young[credential], self.scopes[credential] or 0
  if person and person[scope] then
    return true
  end
  self.scopes[credential] = scopes + 1
  local limit = self.policy.limit
  return scopes < math.min(math.max(SCOPES_LIMIT, limit / SCOPES_SHARE), limit / LARGEST_SHARE)
end

-- Whether any question is open; when none is, there is nothing to do for a response.
function Cache:is_waiting()
  return self.waiting_count + self.waiting_old_count > 0
end

-- Keeps the answer to the question of that number: the identity, the verdict as authorization described it, and what it
-- says for the audit log (nil: there is none). Without a verdict (refused, failed, not to be kept), or with one that is not
-- as it should be, nothing is kept.
function Cache:answered(number, identity, verdict, audit)
  local question = self.waiting[number]
  if question then
    self.waiting[number] = nil
    self.waiting_count = self.waiting_count - 1
  else
    question = self.waiting_old[number]
    if question == nil then
      return false
    end
    self.waiting_old[number] = nil
    self.waiting_old_count = self.waiting_old_count - 1
  end
  if type(verdict) ~= "table" or not self.policy or not is_list_of_strings(identity) or #identity < 2 then
    return false
  end
  local scope, seconds, epoch, generation = verdict.scope, verdict.seconds, verdict.epoch, verdict.generation
  if type(seconds) ~= "number" or type(generation) ~= "number" or type(epoch) ~= "string" then
    return false
  end
  if not is_list_of_strings(verdict.grounds) or #verdict.grounds < 1 then
    return false
  end
  for index = 1, #question.scopes do
    -- The scope is one that this very request lies in, by this side's own reading of it.
    if question.scopes[index] == scope then
      if not self:has_room(question.credential, scope) then
        return false
      end
      self:keep(question.credential, scope, {
        asked = question.now,
        -- Counted from before the question: never later than authorization meant.
        expires = question.now + math.min(seconds * 1000, self.policy.life),
        epoch = epoch,
        generation = generation,
        grounds = verdict.grounds,
        identity = identity,
        audit = audit,
      })
      return true
    end
  end
  return false
end

local function new_cache()
  local cache = { number = 0, rotation = 0, invalidations = 0, lines = {}, scopes = {} }
  cache.young, cache.count, cache.old, cache.old_count = {}, 0, {}, 0
  cache.waiting, cache.waiting_count, cache.waiting_old, cache.waiting_old_count = {}, 0, {}, 0
  return setmetatable(cache, Cache)
end

return { new_cache = new_cache, scopes_of = scopes_of }
