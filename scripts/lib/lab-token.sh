# Part of scripts/lab: a group's policy, its member list, and the token that the commander signs over
# both.

quoted_list() {
  local out="" word
  for word in $1; do out+=", \"$word\""; done
  echo "[${out#, }]"
}

# default_address N: the group's multicast address number N of the family asked for.
default_address() {
  case $family in
    4) echo "239.1.1.$1" ;;
    6) echo "ff15::1:$1" ;;
  esac
}

# What senders without an order of their own share has no replay window.
replay_window() {
  [[ $sender_mode == shared ]] || echo "replay_window = 1024"
}

policy() {
  local today
  today=$(date -u +%Y-%m-%d)
  cat <<TOML
kind = "gkmp-group-token-1"
version = $version
group = "$group"
not_before = ${today}T00:00:00Z
not_after = $(date -u -d "$today + 30 days" +%Y-%m-%d)T00:00:00Z
controllers = ["${host_list[0]}"]
actions = $(quoted_list "$actions")
level = 2
categories = ["blue"]
rekey_interval_s = $rekey_s
token_grace_s = 300
senders = $(quoted_list "${senders:-${host_list[*]:0:2}}")
joins = "$joins"
[ipsec]
address = "${data:-$(default_address 1)}"
port = $port
suite = "$suite"
mode = "$mode"
sender_mode = "$sender_mode"
$(replay_window)
spi_prefix = $spi_prefix
activation_delay_ms = $activation_ms
deactivation_delay_ms = $deactivation_ms
${on_stop:+on_stop = \"$on_stop\"}
[control]
address = "${control:-$(default_address 2)}"
port = 8480
heartbeat_interval_ms = $heartbeat_ms
${control_suite:+suite = \"$control_suite\"}
TOML
}

member_list() {
  local host
  printf 'kind = "gkmp-member-list-1"\ngroup = "%s"\n' "$group"
  for host in ${members:-$hosts}; do
    printf '[[member]]\nname = "%s"\naddress = "%s"\n' "$host" "$(address_of "$host" "$family")"
  done
}

token() {
  local stem=$dir/$group home=$dir/${host_list[0]}
  [[ ! $bare ]] || fail "a bare lab has no commander"
  policy | grep . >"$stem.policy.toml"
  member_list >"$stem.members.toml"
  "$bin/gkmpctl" token sign --policy "$stem.policy.toml" --members "$stem.members.toml" \
    --cert "$home/commander.pem" --key "$home/commander.key" --out "$stem.token"
}
