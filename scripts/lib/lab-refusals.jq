# What scripts/lib/lab-refusals saw, beside what was wanted: the list that it prints.

def wanted($kind; $side; $record; $expected):
  {try: "\($kind)/\(.name)", $side, error: $expected.error,
    told: (if $expected.told then $expected.error else null end), $record};

# Lines of a file as arrays of what stands between tabs.
def lines: split("\n") | map(select(. != "") | split("\t"));
def name: if . == "" then null else . end;

$tries[0] as $t
| [ ($t.faces[] | select(.as_member)
      | wanted("member"; "controller"; if .as_member.told then "member-failed" else "dropped" end;
          .as_member)),
    ($t.faces[] | select(.as_controller)
      | wanted("controller"; "member";
          if .as_controller.told then "refused"
          elif .claims_key then "dropped"
          else "controller-not-trusted" end;
          .as_controller)),
    ($t.agents[]
      | if .at_controller then wanted("host"; "controller"; "member-failed"; .expected)
        else wanted("host"; "member";
            if .expected.told then "refused" else "controller-not-trusted" end; .expected)
        end),
    ($t.tokens[] | {error, told: true} as $expected
      | (select(.as_command) | wanted("command"; "controller"; "command-refused"; $expected)),
        wanted("token"; "member"; "refused"; $expected))
  ] as $wanted

# Later fragments of a message that is repeated are unexpected, which says nothing.
| ($records | lines | map({host: .[0], what: .[1], peer: .[2], error: .[3], told: .[4]})
    | map(select(.error != "protocol.unexpected-message"))) as $records
| ($struck | lines | map({key: .[0], value: .[1]}) | from_entries) as $sources
| ($listed | lines | map({key: .[1], value: .[2]}) | from_entries) as $addresses
| ([$records[] | select(.host == $controller and .what == "command-refused")]) as $commands
| ($commanded | lines | map(.[0])) as $commanded
# The first record of $host about $peer that is one of $what.
| def record($host; $peer; $what):
    first(($records[] | select(.host == $host and .peer == $peer and IN(.what; $what[]))),
      {what: "", error: "", told: ""});
  # What a rogue heard; an error of its own is no silence.
  def heard: $heard[0][sub("/"; ".")]
    | if . == null then "rogue: nothing"
      elif .own_error then "rogue: \(.own_error)"
      elif .outcome == "keyed" then "keyed"
      else .error end;
  def seen($side; $host; $record; $told):
    {$side, $host, error: ($record.error | name), told: $told, record: ($record.what | name)};

# What was seen of a try.
  def seen:
    . as $w | (.try | split("/")) as [$kind, $name]
    | if $kind == "command" then
        seen("controller"; $controller;
          $commands[$commanded | index($name)] // {what: "", error: ""}; $replies[0][$name].error)
      elif $kind == "member" then
        seen("controller"; $controller;
          record($controller; $name; ["member-failed"]) as $failed
          | if $w.record == "dropped"
            then record($controller; "\($addresses[$name]):\($port)"; ["dropped"]) else $failed end;
          $w.try | heard)
      elif $kind == "host" and $w.side == "controller" then
        seen("controller"; $controller; record($controller; $name; ["member-failed"]);
          [$records[] | select(.host == $name and .what == "refused-by-controller") | .error][0])
      elif $kind == "host" then
        seen("member"; $name;
          record($name; $controller_address; ["refused", "controller-not-trusted"]);
          record($controller; $name; ["member-failed"]) | .told | name)
      else
        seen("member"; $victim;
          record($victim; $sources[$w.try]; ["refused", "controller-not-trusted", "dropped"]);
          $w.try | heard)
      end;

  ($to | with_entries(.key as $host | .value |= with_entries(.value -= ($from[$host][.key] // 0))))
    as $risen
| ($risen + ($statuses[0] | map_values(.counters))) as $risen
| ($wanted | map(. + {seen: seen})) as $all
# How often a host ought to have counted an error. A dropped datagram may have been repeated, and a member
# that is silent about its reason is asked again at once.
| ($all | group_by([.seen.host, .error])
    | map({key: "\(.[0].seen.host) \(.[0].error)",
        value: {times: length, more: any(.[]; .record == "dropped" or .record == "controller-not-trusted")}})
    | from_entries) as $counts
| $all
| map(. as $w
    | $counts["\(.seen.host) \(.error)"] as $count
    | ($risen[.seen.host][.error] // 0) as $rise
    | ($rise == $count.times or ($count.more and $rise > $count.times)) as $counted
    | {side, error, told, record} as $asked
    | (.seen | {side, error, told, record}) as $got
    | {try: .try} + .seen + {counted: $counted, wanted: $asked, ok: ($counted and $got == $asked)})
