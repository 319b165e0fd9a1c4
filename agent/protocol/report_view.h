// A controller's view of its group as the report that goes to a commander, and back.
#pragma once

#include "agent/protocol/endpoint.h"
#include "agent/wire/report.h"

namespace gkmpd::protocol {

/// With the members from place `first` on; none if there are no more.
[[nodiscard]] wire::GroupReport report_of(const GroupView& view, std::size_t first);

/// Takes a report into `view`: its members are appended, and all else replaced. `view` must have
/// the members before `report.first`, and no others; `protocol.report-differs` otherwise.
[[nodiscard]] Result<void> take_report(const wire::GroupReport& report, GroupView& view);

}  // namespace gkmpd::protocol
