# What the tests in a laboratory and the demo have in common: they look at hosts, wait, and judge. Whoever
# sources this has set `tree`, the root of the sources, `lab`, the laboratory's directory, and `prefix`,
# the beginning of its namespaces' names.

readonly bin="${GKMPD_BIN:-$tree/build/bin}"

lab() { "$tree/scripts/lab" --dir "$lab" --prefix "$prefix" "$@"; }
on() { nsenter --net="/run/netns/$prefix-$1" "${@:2}"; }
# For the background: there is no shell between us and the command, so $! is the command.
become_on() { exec nsenter --net="/run/netns/$prefix-$1" "${@:2}"; }

# until_true SECONDS COMMAND...: false if the time passed first; more of it with GKMPD_LAB_PATIENCE.
until_true() {
  local deadline=$((SECONDS + $1 * ${GKMPD_LAB_PATIENCE:-1}))
  until "${@:2}"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# --- Judging ------------------------------------------------------------------------------------------

failures=0
# expect WHAT WANTED SEEN
expect() {
  if [[ $2 == "$3" ]]; then
    printf '   ok   %s\n' "$1"
  else
    printf '   NOT  %s\n        wanted: %s\n        seen:   %s\n' "$1" "$2" "$3"
    failures=$((failures + 1))
  fi
}

# What agents have said last, but for the datagrams that they dropped.
show_logs() {
  local log
  for log in "$lab"/*/log; do
    [[ -s $log ]] || continue
    printf '   End of %s:\n' "$log"
    grep -v ' dropped ' "$log" | tail -n 20 | sed 's/^/   | /'
  done
}
# give_up WHY: when nothing that follows could be seen.
give_up() {
  printf '   FAILED: %s\n' "$*"
  show_logs
  exit 1
}

# clean_up [FILE]...: for a trap at the end of what has made a laboratory. Ends what is in the background
# and the laboratory, and removes the files; fails if an agent did not end well.
clean_up() {
  local well=yes
  kill $(jobs -p) 2>/dev/null || true
  [[ ! -e $lab ]] || lab down || well=
  rm -rf -- "$@"
  # In a trap, this is the exit code.
  [[ $well ]] || exit 1
}

# --- The segment --------------------------------------------------------------------------------------

# capture_start FILE [FILTER]: everything on the segment, or what the filter takes; tcpdump's own words
# in FILE.log.
capture_start() {
  become_on wire tcpdump -i br0 -n -Z root -B 65536 -w "$1" "${@:2}" 2>"$1.log" &
  capturing=$!
  until_true 20 grep -q "listening on" "$1.log" || give_up "tcpdump does not start"
}
capture_stop() {
  sleep 2  # tcpdump takes what it has in blocks of up to a second
  kill -TERM "$capturing"
  wait "$capturing" 2>/dev/null || true
}

# --- The kernels --------------------------------------------------------------------------------------

# one_epoch GROUP HOST...: the kernels of those hosts hold one and the same epoch of it.
one_epoch() {
  local host told
  told=$(for host in "${@:2}"; do
    lab ctl "$host" group show "$1" --json 2>/dev/null | jq -r '"\(.installed) \(.epoch_id)"'
  done | sort -u)
  [[ $told == "true "* && $told != *$'\n'* ]]
}

# goes_on HOST GROUP: the agent, started again, has the group as the one before it left it, or has its keys
# from the controller by now.
goes_on() {
  lab ctl "$1" group show "$2" --json 2>/dev/null | jq -e '.state | IN("adopted", "pending", "active")' >/dev/null
}

# our_sas HOST: how many have a reqid in our range.
our_sas() { on "$1" "$bin/esp-open" list | jq 'map(select(.reqid / 16777216 | floor == 71)) | length'; }
# our_policies HOST [other]: how many have an index in our range, or have not.
our_policies() {
  on "$1" ip -o -s xfrm policy | awk -v which="${2:-ours}" '
    match($0, /index [0-9]+/) {
      ours = int(substr($0, RSTART + 6, RLENGTH - 6) / 16777216) == 71  # 0x47
      n += ours == (which == "ours")
    }
    END { print n + 0 }'
}

# add_foreign HOST: somebody else's SA to the group 239.1.1.1, and a policy beside ours.
add_foreign() {
  on "$1" ip xfrm state add src 10.9.0.9 dst 239.1.1.1 proto esp spi 0x900 reqid 9 mode transport \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
  on "$1" ip xfrm policy add src 10.9.0.9/32 dst 239.9.9.9/32 dir out action block
}
# foreign HOST: how many of each are there.
foreign() {
  echo "$(on "$1" ip xfrm state | grep -c "spi 0x00000900")" \
    "$(on "$1" ip xfrm policy | grep -c "dst 239\.9\.9\.9/32")"
}
