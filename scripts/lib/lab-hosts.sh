# Part of scripts/lab: credentials, configurations and agents of the hosts.

readonly agent_patience_s=$((30 * ${GKMPD_LAB_PATIENCE:-1}))

# issue NAME DIRECTORY FILE OPTION...: key and request in DIRECTORY/FILE.{key,csr}, certificate in
# FILE.pem. The fingerprint that the host sees is what the security manager confirms.
issue() {
  local name=$1 stem=$2/$3 printed fingerprint
  printed=$("$bin/gkmpctl" pki csr --name "$name" --key-type p256 \
    --key "$stem.key" --out "$stem.csr")
  [[ $printed =~ fingerprint:\ ([0-9a-f]+) ]] || fail "gkmpctl pki csr printed no fingerprint"
  fingerprint=${BASH_REMATCH[1]}
  "$bin/gkmpctl" pki issue --dir "$dir/pki" --csr "$stem.csr" --fingerprint "$fingerprint" \
    --out "$stem.pem" "${@:4}" >/dev/null
}

credentials() {
  local host options
  "$bin/gkmpctl" pki init --dir "$dir/pki" --name "lab security manager" >/dev/null
  for host in "${all_hosts[@]}"; do
    mkdir -m 700 "$dir/$host"
    case " $outsiders " in
      *" $host "*) options=(--level 0 --role member) ;;
      *) options=(--level 2 --category blue --role member --role sender) ;;
    esac
    [[ $host != "${host_list[0]}" ]] || options+=(--role controller --group "$group")
    issue "$host" "$dir/$host" host --address "$(address_of "$host")" "${options[@]}"
    cp "$dir/pki/anchor.pem" "$dir/pki/crl.pem" "$dir/$host/"
  done
  issue commander "$dir/${host_list[0]}" commander \
    --level 2 --category blue --role commander --group "$group"
}

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
address = "$(address_of "$host")"
port = 8480
interface = "eth0"
socket = "control.sock"
[store]
path = "state.db"
[log]
level = "debug"
[hosts]
TOML
      for other in "${all_hosts[@]}"; do printf '%s = "%s"\n' "$other" "$(address_of "$other")"; done
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
    printf '%-12s %-12s %s\n' "$host" "$(address_of "$host")" "$state"
  done
}

quoted_list() {
  local out="" word
  for word in $1; do out+=", \"$word\""; done
  echo "[${out#, }]"
}

# The policy of one group, its member list, and the token that the commander signs over both.
token() {
  local stem=$dir/$group home=$dir/${host_list[0]} host today
  [[ ! $bare ]] || fail "a bare lab has no commander"
  today=$(date -u +%Y-%m-%d)
  cat >"$stem.policy.toml" <<TOML
kind = "gkmp-group-token-1"
version = 1
group = "$group"
not_before = ${today}T00:00:00Z
not_after = $(date -u -d "$today + 30 days" +%Y-%m-%d)T00:00:00Z
controllers = ["${host_list[0]}"]
actions = ["create"]
level = 2
categories = ["blue"]
rekey_interval_s = 3600
token_grace_s = 300
senders = $(quoted_list "${senders:-${host_list[*]:0:2}}")
[ipsec]
address = "239.1.1.1"
port = 5000
suite = "aes-gcm-128"
mode = "transport"
sender_mode = "per-sender"
replay_window = 1024
spi_prefix = 10
activation_delay_ms = 1000
deactivation_delay_ms = 5000
[control]
address = "239.1.1.2"
port = 8480
heartbeat_interval_ms = 1000
TOML
  {
    printf 'kind = "gkmp-member-list-1"\ngroup = "%s"\n' "$group"
    for host in ${members:-$hosts}; do
      printf '[[member]]\nname = "%s"\naddress = "%s"\n' "$host" "$(address_of "$host")"
    done
  } >"$stem.members.toml"
  "$bin/gkmpctl" token sign --policy "$stem.policy.toml" --members "$stem.members.toml" \
    --cert "$home/commander.pem" --key "$home/commander.key" --out "$stem.token"
}
