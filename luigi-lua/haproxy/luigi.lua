-- Luigi's glue: gives HAProxy the converter, the actions, the commands and the task of the module `luigi.so`.
--
-- Load it with `lua-load-per-thread` (or `lua-load`: all threads then wait for one another). What the names mean and which lines of
-- the configuration use them is in docs/HAPROXY.md. Nothing is decided here: this file only hands over.

local SUPPORTED = { ["Lua 5.3"] = "lua53", ["Lua 5.4"] = "lua54" }

-- The folder of this file, spelled as the configuration spells it: the map has the same name there.
local HOME = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local MODES = HOME .. "/modes.map"

-- How often the feed is looked at, and how often an idle thread lets go of an old version; in milliseconds.
local POLL_EVERY, REFRESH_EVERY = 100, 1000

-- Errors are strings without a position: HAProxy shows nothing else, and the line in this file helps nobody.
local function fail(message)
  error("luigi: " .. message, 0)
end

local function load_module()
  local folder = SUPPORTED[_VERSION] or fail("no module for " .. _VERSION)
  local opener, why = package.loadlib(HOME .. "/" .. folder .. "/luigi.so", "luaopen_luigi")
  if not opener then
    fail(why)
  end
  local functions, problem = opener().open()
  return functions or fail(problem)
end

local luigi = load_module()

-- The converter is a C function of the module: what every request pays for.
core.register_converters("luigi", luigi.convert)

-- The same for how a privileged request ended; used only where decisions are recorded.
core.register_converters("luigi_response", luigi.response)

-- Sends the refusal. If anything here fails, HAProxy goes on with the next rule, which denies.
core.register_action("luigi_refuse", { "http-req" }, function(txn)
  local reply, problem = luigi.refusal(txn:get_var("txn.luigi.in"), txn:get_var("txn.luigi.out"), txn.sf:req_fhdr("accept"))
  if not reply then
    fail(problem)
  end
  txn:done(txn:reply(reply))
end)

-- Counts a request without an answer, and says so, at most once a second for each thread.
local last_said = 0
core.register_action("luigi_failed", { "http-req" }, function()
  luigi.failed()
  local now = core.now().sec
  if now ~= last_said then
    last_said = now
    core.log(core.err, "luigi: a request got no answer; `luigi status` on the stats socket counts them")
  end
end)

-- Commands that only read. HAProxy wants each function in every Lua state, whichever runs it.
local status_usage = "luigi status [json] : mode, revision, feed and counts of Luigi"
core.register_cli({ "luigi", "status" }, status_usage, function(applet, _, _, format)
  local status, problem = luigi.status(format)
  applet:send((status or problem) .. "\n")
end)

local usage = "luigi explain METHOD URL [NAME=VALUE]... : how Luigi decides a request, rule by rule"
core.register_cli({ "luigi", "explain" }, usage, function(applet, _, _, ...)
  local text, problem = luigi.explain({ ... })
  applet:send((text or problem) .. "\n")
end)

if core.thread <= 1 then
  -- One Lua state sees to what the whole process needs: the only one, or that of the first thread.
  local published = nil
  local function keep_mode()
    local mode = luigi.mode()
    if mode ~= published then
      core.set_map(MODES, "mode", mode)
      published = mode
    end
  end

  -- Before the first request. Without the map the closing rule cannot know the mode, so HAProxy must not start.
  core.register_init(function()
    if not pcall(keep_mode) then
      fail("the configuration does not use the map " .. MODES .. "; print its lines with `luigi haproxy-config`")
    end
  end)

  -- Goes on in the old worker after a reload: while it still answers requests it follows the feed like the new one. This
  -- thread, too, may be without requests and has to let go of the version that it saw last.
  -- An error would end the task, and with it everything that this process ever learns: what fails is logged and tried again.
  local said = nil
  local function step()
    local wait, level, line = luigi.poll()
    if not wait then
      fail(level)
    end
    if line then
      core.log(core[level], "luigi: " .. line)
    end
    keep_mode()
    luigi.refresh()
    said = nil
    return math.min(wait, POLL_EVERY)
  end
  core.register_task(function()
    while true do
      local done, wait = pcall(step)
      if not done then
        luigi.failed()
        if tostring(wait) ~= said then
          said = tostring(wait)
          core.log(core.alert, said)
        end
        wait = REFRESH_EVERY
      end
      core.msleep(wait)
    end
  end)
else
  -- A thread without requests would otherwise hold the version that it saw last.
  core.register_task(function()
    while true do
      luigi.refresh()
      core.msleep(REFRESH_EVERY)
    end
  end)
end
