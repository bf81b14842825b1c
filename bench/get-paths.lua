-- For wrk: gets the paths of a file, one a line, in turn. `wrk … URL -- FILE`.
local paths = {}
local next = 0

function init(args)
  for line in io.lines(args[1]) do
    paths[#paths + 1] = wrk.format("GET", line, { ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" })
  end
end

function request()
  next = next % #paths + 1
  return paths[next]
end
