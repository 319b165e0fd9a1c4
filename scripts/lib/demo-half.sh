# Part of scripts/lib/demo-inside: the main job of one group. It is done twice by the same agents, over
# IPv4 and over IPv6 with other suites; the second half's notes begin with `ipv6.`.

half=  # `ipv6.` in the second half: what the names of notes begin with

# in_both_halves FUNCTION: with the group of each half as $group, $data and so on.
in_both_halves() {
  half= family=4 group=demo data=239.1.1.1
  token_options=()
  "$1"
  half=ipv6. family=6 group=demo6 data=ff15::1:1
  token_options=(--suite aes-gcm-256 --control-suite p384-sha384)
  "$1"
}

main_job() {
  sign_token
  create_group
  traffic
}

sign_token() {
  step "The group commander signs a token: group $group over IPv$family, $data, senders a and b."
  lab --group "$group" --family "$family" --members "${members[*]}" \
    --senders "${senders[*]}" "${token_options[@]}" token || give_up "no token"
  "$bin/gkmpctl" token show "$lab/$group.token" --anchor "$lab/pki/anchor.pem" \
    --crl "$lab/pki/crl.pem" | quote
}

# All members name the same epoch, and the senders send under it.
group_stands() {
  local host
  for host in "${members[@]}"; do
    lab ctl "$host" group show "$group" --json 2>/dev/null | note "${half}show.$host" || return
  done
  jq -en --argjson senders "$(printf '%s\n' "${senders[@]}" | jq -R . | jq -sc .)" '
    reduce inputs as $view ({}; .[input_filename | sub(".*show[.]"; "") | sub("[.]json"; "")] = $view)
    | all(.[]; .installed) and all(.[$senders[]]; .sending)
      and ([.[].epoch_id] | unique | length == 1)' "$notes/${half}show".*.json >/dev/null
}

create_group() {
  step "a creates the group: it makes the keys together with the first member, and downloads them" \
    "to the others."
  local code=0
  lab ctl a group create "$lab/$group.token" --members "$lab/$group.members.toml" \
    --wait $((60 * ${GKMPD_LAB_PATIENCE:-1})) 2>&1 | quote || code=$?
  printf '{"exit_code": %d}\n' "$code" | note "${half}create"
  ((code == 0)) || give_up "the group was not created"
  tell "Waiting until the activation delay is over and a and b send."
  until_true 30 group_stands || give_up "the members do not agree, or a or b does not send"
  lab ctl a group show "$group" | quote
}

# listen HOST: the report of what arrives there comes into its note in the end.
listen() {
  rm -f "/run/gkmpd-demo-ready-$1"
  become_on "$1" "$bin/mcast-receive" --group "$data" --port "$port" --interface eth0 --idle 3 \
    --most $((90 * ${GKMPD_LAB_PATIENCE:-1})) --ready-file "/run/gkmpd-demo-ready-$1" \
    >"$notes/${half}received.$1.json" &
  listeners[$1]=$!
}

all_listen() {
  local host
  for host in "${members[@]}" "$outsider"; do
    [[ -e /run/gkmpd-demo-ready-$host ]] || return
  done
}

traffic() {
  step "Plain applications: a and b send $datagrams datagrams each; a, b and c listen. d joins the" \
    "group too, listens, and forges $forged datagrams in clear."
  declare -gA listeners=()
  printf '{"datagrams": %d, "forged": %d}\n' "$datagrams" "$forged" | note "${half}plan"
  local host sending=() dropped_before
  dropped_before=$(dropped_in "$outsider")
  for host in "${members[@]}" "$outsider"; do listen "$host"; done
  until_true 20 all_listen || give_up "listeners do not start"
  for host in "${senders[@]}"; do
    become_on "$host" "$bin/mcast-send" --group "$data" --port "$port" --interface eth0 \
      --sender "$(number_of "$host")" --count "$datagrams" --rate "$rate_pps" \
      >"$notes/${half}sent.$host.json" &
    sending+=($!)
  done
  become_on "$outsider" "$bin/mcast-send" --group "$data" --port "$port" --interface eth0 --no-loop \
    --sender "$(number_of "$outsider")" --count "$forged" --rate "$rate_pps" \
    >"$notes/${half}sent.$outsider.json" &
  wait "${sending[@]}" $!
  tell "All is sent; the listeners wait for what is still under way."
  for host in "${members[@]}"; do wait "${listeners[$host]}"; done
  # Nothing ends the outsider's waiting by itself: nothing arrives there.
  kill -TERM "${listeners[$outsider]}"
  wait "${listeners[$outsider]}"
  printf '{"esp_dropped": %d}\n' $(($(dropped_in "$outsider") - dropped_before)) |
    note "${half}outsider"
  jq -r '"\(input_filename | sub(".*received[.]"; "") | sub("[.]json"; "")) received \(.received)."' \
    "$notes/${half}received".*.json | quote
}

number_of() { local hosts=abcdefgh before=; before=${hosts%%"$1"*}; echo $((${#before} + 1)); }

# dropped_in HOST: ESP packets that reached the host's kernel, which had no SA for them.
dropped_in() { on "$1" awk '$1 == "XfrmInNoStates" { print $2 }' /proc/net/xfrm_stat; }

# The SAs and the capture, as far as they are this group's.
open_capture() {
  local host id
  for host in "${members[@]}" "$outsider"; do
    on "$host" "$bin/esp-open" list | jq --arg to "$data" 'map(select(.destination == $to))' |
      note "${half}sas.$host"
  done
  id=$(jq -r .id "$notes/${half}show.a.json")
  "$bin/esp-open" open --keys "$lab/keys" --group "$data" --port "$port" --gkmp-id "$id" \
    --control-port "$control_port" "$capture" | note "${half}segment"
  tell "$group:"
  jq -r '"\(.frames) frames; GKMP: \(.messages | join(", ")).",
    "\(.esp_frames) ESP frames to the group, \(.opened) opened.",
    "In clear to the group: \(.cleartext | to_entries | map("\(.value) from \(.key)") | join(", "))."' \
    "$notes/${half}segment.json" | fold -s -w 92 | quote
}
