# Part of scripts/kernel: User-Mode Linux, a kernel that is a process of ours.

# memory_directory: where UML may map its memory from: enough room, and not mounted noexec.
memory_directory() {
  local wanted_kib available_kib directory probe
  wanted_kib=$(($(numfmt --from=iec "$memory") / 1024))
  for directory in /dev/shm /tmp; do
    [[ -d $directory ]] || continue
    available_kib=$(df -k --output=avail -- "$directory" 2>/dev/null | tail -n 1)
    [[ $available_kib =~ ^\ *[0-9]+$ ]] && ((available_kib > wanted_kib)) || continue
    probe=$(mktemp "$directory/gkmpd-probe.XXXXXX" 2>/dev/null) || continue
    chmod +x "$probe"
    if [[ -x $probe ]]; then
      rm -f -- "$probe"
      echo "$directory"
      return
    fi
    rm -f -- "$probe"
  done
  return 1
}

# The lengthening of requests that CPUs with AMX need (why: uml-xstate.c). A compiler is at hand
# wherever gkmpd is built; without one, UML still runs on the other CPUs.
preload_for_xstate() {
  if command -v cc >/dev/null; then
    cc -shared -fPIC -O1 -o "$job/uml-xstate.so" "$lib/uml-xstate.c" ||
      fail "the helper for User-Mode Linux does not compile"
    echo "$job/uml-xstate.so"
  elif grep -qw amx_tile /proc/cpuinfo 2>/dev/null; then
    say "on this CPU User-Mode Linux needs a compiled helper: apt-get install gcc libc6-dev"
    return 1
  fi
}

start_uml() {
  local preload memory_in
  need linux.uml user-mode-linux
  need modprobe kmod
  need ip iproute2
  [[ -d /lib/modules || $(id -u) == 0 ]] || fail "as root, once: mkdir /lib/modules"
  preload=$(preload_for_xstate) || exit 125
  memory_in=$(memory_directory) || fail "neither /dev/shm nor /tmp has room for $memory of memory"

  # The kernel speaks on its first console, the command on two serial lines of the guest. UML makes
  # what it writes to non-blocking, which our caller's files must not become: hence the pipes.
  mkfifo "$job/out" "$job/err"
  cat "$job/out" &
  copiers+=($!)
  cat "$job/err" >&2 &
  copiers+=($!)
  # UML makes itself leader of a session.
  LD_PRELOAD=$preload TMPDIR=$memory_in linux.uml \
    rootfstype=hostfs rootflags=/ rw "mem=$memory" quiet \
    "uml_dir=$job/" umid=guest "init=$job/inside" \
    con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 ssl1=null,fd:4 \
    -- "$job" </dev/null 3>"$job/out" 4>"$job/err" >"$job/log" 2>&1 &
  runner=$!
}
