// A kernel that does not leave pages out of core dumps, for programs linked with
// gkmpd_refusing_madvise.
#pragma once

namespace gkmpd::test {

/// From now on madvise(MADV_DONTDUMP) of this program's own objects fails, or works again.
void refuse_to_leave_out_of_dumps(bool refuse);

}  // namespace gkmpd::test
