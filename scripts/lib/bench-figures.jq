# Part of scripts/bench: from the JSON outputs of all runs, in an array, to one object for each thing
# measured. Counters come from tests/bench/comparison.h.

# middle: of an array of numbers; the higher of two.
def middle: sort | .[length / 2 | floor];

[ .[].benchmarks[] | . as $bench
  | to_entries[] | select(.key | endswith(".ratio")) | (.key | rtrimstr(".ratio")) as $side
  | { bench: ($bench.name | rtrimstr("/manual_time")), side: $side, ratio: .value,
      us: $bench[$side + ".us"], floor_us: $bench[$side + ".floor_us"] } ]
| group_by([.bench, .side])
| map({ bench: .[0].bench, side: .[0].side, runs: length,
        us: (map(.us) | middle), floor_us: (map(.floor_us) | middle),
        ratio: { min: (map(.ratio) | min), median: (map(.ratio) | middle), max: (map(.ratio) | max) } })
