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

def addresses: {"a": "10.9.0.1", "b": "10.9.0.2", "c": "10.9.0.3", "d": "10.9.0.4"};
def members: ["a", "b", "c"];
def pick($names; f): reduce $names[] as $name ({}; .[$name] = ($name | f));

. as $n
| ($n.segment.messages // []) as $messages
| ($n.segment.cleartext // {}) as $cleartext
| pick(["a", "b"]; $n.sent[.].sent) as $sent
| ([$sent[]] | add // 0) as $sent_in_all
| pick(members; $n.received[.].received) as $received
| ([members[] | $n.received[.].senders["4"].received // 0, $n.received[.].alien // 0] | add)
  as $forged_delivered
| ([members[] | $cleartext[addresses[.]] // 0] | add) as $cleartext_of_members
| [members[] | $n.show[.].epoch_id] as $epochs
# A member counts as keyed if it says so itself and the controller agrees; the controller's list names
# the others only.
| ([$n.show.a.controller] + [$n.show.a.members[]? | select(.state == "keyed") | .name]) as $agreed
| [members[] | select($n.show[.].installed and $n.show[.].epoch_id and IN($agreed[]))]
  as $keyed
| ($n.sas.d | if . == null then null else length end) as $outsider_sas
| {
    ok: false,
    kernel: $n.kernel.kernel,
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
    capture_drops: $n.capture.drops
  }
| . as $report
| .facts = [
    fact("the group was created"; 0; $n.create.exit_code),
    fact("a, b and c are keyed"; members; .members),
    fact("they hold the same epoch"; true; ($epochs[0] != null and ($epochs | unique | length) == 1)),
    fact("RFC 2093 figures 1 and 2 went over the wire, in order"; true;
      ($messages | in_order(first_member) and in_order(other_member))),
    fact("no other message but heartbeats did"; true;
      (first_member + other_member | sort) == ($messages - ["Heartbeat"] | sort)),
    fact("no key exchange after the first ESP frame"; false; $n.segment.control_after_esp),
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
      [.forged_sent, $cleartext[addresses.d]]),
    fact("none of them was delivered at a, b or c"; 0; .forged_delivered),
    fact("d had joined the group"; true; any($n.segment.reporters[]?; . == addresses.d)),
    fact("ESP came to d's kernel, which had no SA for it"; true;
      ($n.outsider.esp_dropped // 0) > 0),
    fact("d received nothing of it"; 0; .outsider_received),
    fact("d's kernel has none of the group's SAs"; 0; .outsider_sas),
    fact("the capture lost nothing"; 0; .capture_drops)
  ]
| .ok = all(.facts[]; .ok)
