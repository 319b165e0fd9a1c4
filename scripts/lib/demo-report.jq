# Judges the notes of scripts/lib/demo-inside: `jq -f demo-report.jq NOTES`, where NOTES is one object
# made of all: the note received.b is .received.b. What is missing is null, and is not as wanted.

def fact($fact; $wanted; $seen): {$fact, $wanted, $seen, ok: ($wanted == $seen)};

# Whether all of $wanted come in this order among the names of the input.
def in_order($wanted):
  . as $seen
  | reduce $wanted[] as $name (0;
      if . == null then null
      else [range(.; $seen | length) | select($seen[.] == $name)][0] as $at
        | if $at == null then null else $at + 1 end
      end)
  | . != null;

# RFC 2093 figure 1 with the first member, figure 2 with the other.
def first_member: ["Create_Grp_Keys_1", "Create_Grp_Keys_2", "Negotiate_Grp_Keys_1",
  "Negotiate_Grp_Keys_2", "Download_Grp_Keys", "Key_Download_Ack"];
def other_member: ["Create_Session_KEK_1", "Create_Session_KEK_2", "Negotiate_Session_Keys_1",
  "Negotiate_Session_Keys_2", "Download_Grp_Keys", "Key_Download_Ack"];

def members: ["a", "b", "c"];
def pick($names; f): reduce $names[] as $name ({}; .[$name] = ($name | f));

# The halves. Reports of IPv6 membership come from link-local addresses. Suites: the number of GKMP's,
# the name and the bits of key and salt of ESP's.
def ipv4: {
  addresses: {"a": "10.9.0.1", "b": "10.9.0.2", "c": "10.9.0.3", "d": "10.9.0.4"},
  reporter: "10.9.0.4", control_suite: 1, esp: ["rfc4106(gcm(aes))", 160]};
def ipv6: {
  addresses: {"a": "fd09::1", "b": "fd09::2", "c": "fd09::3", "d": "fd09::4"},
  reporter: "fe80::4", control_suite: 3, esp: ["rfc4106(gcm(aes))", 288]};

# What was observed of the half whose notes are the input.
def half($its; $capture_drops):
  . as $n
  | ($n.segment.messages // []) as $messages
  | ($n.segment.cleartext // {}) as $cleartext
  | pick(["a", "b"]; $n.sent[.].sent) as $sent
  | ([$sent[]] | add // 0) as $sent_in_all
  | pick(members; $n.received[.].received) as $received
  | ([members[] | $n.received[.].senders["4"].received // 0, $n.received[.].alien // 0] | add)
    as $forged_delivered
  | ([members[] | $cleartext[$its.addresses[.]] // 0] | add) as $cleartext_of_members
  | [members[] | $n.show[.].epoch_id] as $epochs
  # A member counts as keyed if it says so itself and the controller agrees; the controller's list
  # names the others only.
  | ([$n.show.a.controller] + [$n.show.a.members[]? | select(.state == "keyed") | .name]) as $agreed
  | [members[] | select($n.show[.].installed and $n.show[.].epoch_id and IN($agreed[]))]
    as $keyed
  | ($n.sas.d | if . == null then null else length end) as $outsider_sas
  | [members[] | [$n.sas[.][]? | select([.algorithm, .key_bits] == $its.esp)] | length] as $sas
  | {
      members: $keyed,
      epoch: $epochs[0],
      exchange_messages: $messages,
      sent: $sent,
      received: $received,
      esp_frames: ($n.segment.esp_frames // 0),
      cleartext_frames: (if $n.segment then $cleartext_of_members else null end),
      forged_sent: ($n.sent.d.sent // 0),
      forged_delivered: (if all(members[]; $n.received[.]) then $forged_delivered else null end),
      outsider_received: (if $n.received.d then $n.received.d.received + $n.received.d.alien
                          else null end),
      outsider_sas: $outsider_sas,
      independent_decrypt: ($n.segment.opened // 0),
      capture_drops: $capture_drops
    }
  | .facts = [
      fact("the group was created"; 0; $n.create.exit_code),
      fact("a, b and c are keyed"; members; .members),
      fact("they hold the same epoch"; true;
        ($epochs[0] != null and ($epochs | unique | length) == 1)),
      fact("RFC 2093 figures 1 and 2 went over the wire, in order"; true;
        ($messages | in_order(first_member) and in_order(other_member))),
      fact("no other message but heartbeats did"; true;
        (first_member + other_member | sort) == ($messages - ["Heartbeat"] | sort)),
      fact("all under the control suite of the token"; [$its.control_suite];
        $n.segment.control_suites),
      fact("no key exchange after the first ESP frame"; false; $n.segment.control_after_esp),
      fact("SAs at a, b and c of the ESP suite of the token"; [3, 3, 4]; $sas),
      (["a", "b"][] as $name | fact("\($name) sent without an error"; [$n.plan.datagrams, 0];
        [$n.sent[$name] | .sent, .errors])),
      (members[] as $name | fact("\($name) received all, once, nothing else";
        {received: $sent_in_all, lost: 0, duplicates: 0, alien: 0};
        ($n.received[$name] | {received, lost: ([.senders[]?.lost] | add),
          duplicates: ([.senders[]?.duplicates] | add), alien}))),
      fact("ESP frames on the segment are as many as were sent"; $sent_in_all; .esp_frames),
      fact("each was opened independently"; .esp_frames; .independent_decrypt),
      fact("no frame of the group in clear from a, b or c"; 0; .cleartext_frames),
      fact("d's forged datagrams were on the segment"; [$n.plan.forged, $n.plan.forged];
        [.forged_sent, $cleartext[$its.addresses.d]]),
      fact("none of them was delivered at a, b or c"; 0; .forged_delivered),
      fact("d had joined the group"; true; any($n.segment.reporters[]?; . == $its.reporter)),
      fact("ESP came to d's kernel, which had no SA for it"; true;
        ($n.outsider.esp_dropped // 0) > 0),
      fact("d received nothing of it"; 0; .outsider_received),
      fact("d's kernel has none of the group's SAs"; 0; .outsider_sas)
    ]
  | .ok = all(.facts[]; .ok);

. as $n
| half(ipv4; $n.capture.drops) as $ipv4
| (.ipv6 // {} | half(ipv6; $n.capture.drops)) as $ipv6
| {ok: false, kernel: $n.kernel.kernel}
  + ($ipv4 | del(.ok, .facts))
  + {ipv6: ($ipv6 | del(.facts)), refused: [$n.refused[]? | {"try": .["try"], side, error}]}
| .facts = [
    ($ipv4.facts[] | .fact = "IPv4: \(.fact)"),
    ($ipv6.facts[] | .fact = "IPv6: \(.fact)"),
    fact("the capture lost nothing"; 0; $n.capture.drops),
    fact("all that was tried in vain was refused as docs/REFUSALS.md says"; $n.tries.count // -1;
      [$n.refused[]? | select(.ok)] | length)
  ]
| .ok = all(.facts[]; .ok)
