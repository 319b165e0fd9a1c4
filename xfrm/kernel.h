// The kernel's SAs and policies of ours: read, brought to what is wanted, removed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "netlink/kernel_socket.h"
#include "xfrm/plan.h"
#include "xfrm/state.h"
#include "xfrm/usage.h"

namespace gkmpd::xfrm {

/// An operation that the kernel refused.
struct Refusal {
  ObjectId object;
  Error error;
};

/// What came of a plan. With refusals, later stages were not begun; what was done stands, and the
/// next plan goes on from there.
struct Applied {
  /// New in the kernel, and standing at the end.
  std::vector<ObjectId> added;
  /// Taken out, or found to be gone, and not standing at the end: what was taken out to be put in
  /// again is not here.
  std::vector<ObjectId> removed;
  std::vector<Refusal> refusals;

  [[nodiscard]] bool complete() const { return refusals.empty(); }
};

/// How the daemon uses it, for one group:
///   1. `check(spec)`; `read` of the record and of `objects_of(spec)`; `plan` of the two;
///   2. the SPIs of `new_outbound_spis` are burnt in the store, and where one was burnt before, the
///      spec takes another sender's id or none and is planned again;
///   3. `objects_of(spec)` go into the record on disk; `execute(stages)`; what is gone goes out of
///      the record.
/// `record` is everything in the record of that group in this network namespace and boot.
/// Nothing that is not in the record and in our ranges is ever changed or deleted.
class Kernel {
 public:
  /// `netlink.open-failed`: no CAP_NET_ADMIN, or a kernel without XFRM.
  [[nodiscard]] static Result<Kernel> open();
  Kernel(Kernel&&) noexcept;
  Kernel& operator=(Kernel&&) noexcept;
  ~Kernel();

  /// Those objects of `record` that stand in the kernel.
  [[nodiscard]] Result<KernelState> read(std::span<const ObjectId> record);

  /// What the kernel counts of the SAs of `record`.
  [[nodiscard]] Result<std::vector<SaUsage>> usage(std::span<const ObjectId> record);

  /// Deletes only what is still there as it was read. An error (not a refusal) leaves it unknown
  /// what was done: read and plan again.
  [[nodiscard]] Result<Applied> execute(const std::vector<Stage>& stages);

  /// Takes everything in `record` out of the kernel, in safe order: a group that ended, or what a
  /// former run left. `removed` also names what was gone already.
  [[nodiscard]] Result<Applied> remove(std::span<const ObjectId> record);

  /// True once an SA of ours was read without its key: the kernel is locked down for
  /// confidentiality. Whether such an SA is still under our key cannot be told.
  [[nodiscard]] bool hides_keys() const;

  /// Of our request socket: events that carry it are the echo of our own doing.
  [[nodiscard]] std::uint32_t port_id() const;

 private:
  class Impl;
  explicit Kernel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gkmpd::xfrm
