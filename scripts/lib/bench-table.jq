# Part of scripts/bench: the figures as a table for people.

# right(n): a text, or a number with `digits` behind the point, in n columns.
def right(n): tostring | (" " * ([n - length, 0] | max)) + .;
def left(n): . + (" " * ([n - length, 0] | max));
def fixed(digits): (. * pow(10; digits) | round | tostring) as $all
  | if digits == 0 then $all
    else ("0" * ([digits + 1 - ($all | length), 0] | max) + $all)
      | .[:length - digits] + "." + .[length - digits:] end;

("bench" | left(32)) + ("what" | left(20)) + ("us" | right(10)) + ("floor us" | right(10))
  + "   ratio:" + ("min" | right(6)) + ("median" | right(8)) + ("max" | right(7)),
(.[] | (.bench | left(32)) + (.side | left(20)) + (.us | fixed(0) | right(10))
  + (.floor_us | fixed(0) | right(10)) + (" " * 9)
  + (.ratio.min | fixed(2) | right(6)) + (.ratio.median | fixed(2) | right(8))
  + (.ratio.max | fixed(2) | right(7)))
