#include "xfrm/tally.h"

namespace gkmpd::xfrm {
namespace {

void list(std::string& out, const std::string& what) {
  if (!out.empty()) out += ", ";
  out += what;
}

std::string some(std::size_t count, const char* one, const char* several) {
  return std::to_string(count) + " " + (count == 1 ? one : several);
}

struct Count {
  Tally& tally;

  void operator()(const AddSa& add) const {
    ++(add.sa.outbound() ? tally.outbound : tally.inbound);
  }
  void operator()(const DeleteSa& /*remove*/) const { ++tally.sas_removed; }
  void operator()(const PutPolicy& put) const {
    switch (put.policy.kind) {
      case PolicyKind::kGuard:
      case PolicyKind::kInGuard:
      case PolicyKind::kMembershipOut:
      case PolicyKind::kMembershipIn:
        ++tally.address_policies;
        break;
      case PolicyKind::kPassage:
        tally.passage = true;
        break;
      case PolicyKind::kIn:
        tally.in = true;
        break;
      case PolicyKind::kProtect:
        tally.protect = true;
        break;
    }
  }
  void operator()(const DeletePolicy& /*remove*/) const { ++tally.policies_removed; }
};

}  // namespace

Tally tally(const std::vector<Stage>& stages) {
  Tally all;
  for (const Stage& stage : stages) {
    for (const Operation& operation : stage.operations) std::visit(Count{all}, operation);
  }
  return all;
}

std::string Tally::text() const {
  std::string put;
  if (address_policies > 0)
    list(put, some(address_policies, "policy of the address", "policies of the address"));
  if (in) list(put, "the inbound policy");
  if (passage) list(put, "the passage policy");
  if (inbound > 0) list(put, some(inbound, "inbound SA", "inbound SAs"));
  if (outbound > 0) list(put, some(outbound, "outbound SA", "outbound SAs"));
  if (protect) list(put, "the protect policy");
  std::string removed;
  if (sas_removed > 0) list(removed, some(sas_removed, "SA", "SAs"));
  if (policies_removed > 0) list(removed, some(policies_removed, "policy", "policies"));
  std::string out;
  if (!put.empty()) out = "put back: " + put;
  if (!removed.empty()) out += (out.empty() ? "taken out: " : "; taken out: ") + removed;
  return out;
}

}  // namespace gkmpd::xfrm
