# Part of scripts/lab: credentials, configurations and agents of the hosts.

readonly agent_patience_s=$((30 * ${GKMPD_LAB_PATIENCE:-1}))

# key_type_of NAME: of a host, or of the commander.
key_type_of() {
  local choice type=p256
  for choice in $key_types; do
    [[ ${choice%%=*} != "$1" ]] || type=${choice#*=}
  done
  echo "$type"
}

# issue NAME DIRECTORY FILE OPTION...: key and request in DIRECTORY/FILE.{key,csr}, certificate in
# FILE.pem. The fingerprint that the host sees is what the security manager confirms.
issue() {
  local name=$1 stem=$2/$3 printed fingerprint
  printed=$("$bin/gkmpctl" pki csr --name "$name" --key-type "$(key_type_of "$name")" \
    --key "$stem.key" --out "$stem.csr")
  [[ $printed =~ fingerprint:\ ([0-9a-f]+) ]] || fail "gkmpctl pki csr printed no fingerprint"
  fingerprint=${BASH_REMATCH[1]}
  "$bin/gkmpctl" pki issue --dir "$dir/pki" --csr "$stem.csr" --fingerprint "$fingerprint" \
    --out "$stem.pem" "${@:4}" >/dev/null
}

credentials() {
  local host options named=() name group_list
  # Not by splitting alone: "*" is every group, and no file name.
  read -ra group_list <<<"$groups"
  for name in "${group_list[@]}"; do named+=(--group "$name"); done
  "$bin/gkmpctl" pki init --dir "$dir/pki" --name "lab security manager" >/dev/null
  for host in "${all_hosts[@]}"; do
    mkdir -m 700 "$dir/$host"
    case " $outsiders " in
      *" $host "*) options=(--level 0 --role member) ;;
      *) options=(--level 2 --category blue --role member --role sender) ;;
    esac
    [[ $host != "${host_list[0]}" ]] || options+=(--role controller "${named[@]}")
    issue "$host" "$dir/$host" host --address "$(address_of "$host" 4)" \
      --address "$(address_of "$host" 6)" "${options[@]}"
    cp "$dir/pki/anchor.pem" "$dir/pki/crl.pem" "$dir/$host/"
  done
  issue commander "$dir/${host_list[0]}" commander \
    --level 2 --category blue --role commander "${named[@]}"
}

# both_addresses HOST: as TOML has them.
both_addresses() { echo "[\"$(address_of "$1" 4)\", \"$(address_of "$1" 6)\"]"; }

configurations() {
  local host other
  for host in "${all_hosts[@]}"; do
    {
      cat <<TOML
[identity]
certificate = "host.pem"
key = "host.key"
anchor = "anchor.pem"
crl = "crl.pem"
[control]
address = $(both_addresses "$host")
port = 8480
interface = "eth0"
socket = "control.sock"
[store]
path = "state.db"
[log]
level = "debug"
[hosts]
TOML
      for other in "${all_hosts[@]}"; do echo "$other = $(both_addresses "$other")"; done
    } >"$dir/$host/gkmpd.toml"
  done
}

ctl() {
  inside "$1" "$bin/gkmpctl" --socket "$dir/$1/control.sock" "${@:2}"
}

# A process is known by number and start: the number alone may have passed to somebody else. Fails
# if it has ended, even if nobody has asked yet how.
started_at() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} != Z ]] || return 1
  echo "${stat[19]}"
}

agent_start() {
  local host=$1 pid
  ! agent_lives "$host" || fail "the agent of $host runs already"
  rm -f -- "$dir/$host/pid" "$dir/$host/exit"
  # The number kept is the agent's own, since exec keeps it; who waits for the agent's exit code
  # stays behind, and holds nothing of ours open.
  {
    local code=0
    (
      pid=$BASHPID
      echo "$pid $(started_at "$pid")" >"$dir/$host/pid.new"
      mv "$dir/$host/pid.new" "$dir/$host/pid"
      exec nsenter --net="/run/netns/$prefix-$host" "$bin/gkmpd" --config "$dir/$host/gkmpd.toml"
    ) || code=$?
    echo "$code" >"$dir/$host/exit"
  } </dev/null >>"$dir/$host/log" 2>&1 &
  disown $!
  until [[ -e $dir/$host/pid ]]; do sleep 0.05; done
}

agent_lives() {
  local pid start
  { read -r pid start <"$dir/$1/pid"; } 2>/dev/null && [[ $(started_at "$pid") == "$start" ]]
}

agent_wait() {
  local host=$1 deadline=$((SECONDS + agent_patience_s))
  until [[ -S $dir/$host/control.sock ]] && ctl "$host" status >/dev/null 2>&1; do
    if ! agent_lives "$host" || ((SECONDS >= deadline)); then
      tail -n 20 "$dir/$host/log" >&2
      fail "the agent of $host does not answer; above the end of its log, $dir/$host/log"
    fi
    sleep 0.1
  done
}

agents_up() {
  local host
  for host in "${all_hosts[@]}"; do agent_start "$host"; done
  for host in "${all_hosts[@]}"; do agent_wait "$host"; done
}

# agent_stop HOST SIGNAL: fine if it does not run. False if its exit code after SIGTERM is not 0.
agent_stop() {
  local host=$1 pid code=0 deadline=$((SECONDS + agent_patience_s))
  if agent_lives "$host"; then
    read -r pid _ <"$dir/$host/pid"
    kill "-$2" "$pid" 2>/dev/null || true
    while agent_lives "$host" || [[ ! -s $dir/$host/exit ]]; do
      if ((SECONDS >= deadline)); then
        say "the agent of $host does not end: killed"
        kill -KILL "$pid" 2>/dev/null || true
        deadline=$((SECONDS + agent_patience_s))
      fi
      sleep 0.1
    done
    code=$(<"$dir/$host/exit")
  fi
  rm -f -- "$dir/$host/pid" "$dir/$host/exit"
  if [[ $2 == TERM && $code != 0 ]]; then
    say "the agent of $host ended with exit code $code"
    return 1
  fi
}

status() {
  local host state
  for host in "${all_hosts[@]}"; do
    if [[ $bare ]]; then
      state="no agent"
    elif agent_lives "$host"; then
      state="agent runs, log $dir/$host/log"
    else
      state="agent does not run"
    fi
    printf '%-12s %-12s %-12s %s\n' "$host" "$(address_of "$host" 4)" "$(address_of "$host" 6)" \
      "$state"
  done
}
