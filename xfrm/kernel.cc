#include "xfrm/kernel.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "xfrm/encode.h"

namespace gkmpd::xfrm {
namespace {

using netlink::Batch;
using netlink::BatchFailure;
using netlink::Message;
using IdSet = std::set<ObjectId>;

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

ObjectId id_of(const Operation& operation) {
  return std::visit(Overloaded{[](const AddSa& add) { return add.sa.id(); },
                               [](const DeleteSa& remove) { return remove.id; },
                               [](const PutPolicy& put) { return put.policy.id(); },
                               [](const DeletePolicy& remove) { return remove.policy.id(); }},
                    operation);
}

bool is_removal(const Operation& operation) {
  return std::holds_alternative<DeleteSa>(operation) ||
         std::holds_alternative<DeletePolicy>(operation);
}

/// The name of a refusal: what errno means for that operation.
Error explain(const Operation& operation, const BatchFailure& failure) {
  const bool adds_sa = std::holds_alternative<AddSa>(operation);
  const bool puts_policy = std::holds_alternative<PutPolicy>(operation);
  ErrorKind kind = kRefused;
  if (adds_sa && failure.error == EEXIST) kind = kForeignSa;
  if (puts_policy && failure.error == EEXIST) kind = kForeignPolicy;
  if (adds_sa && (failure.error == ENOSYS || failure.error == EPROTONOSUPPORT)) kind = kUnsupported;
  return {kind, id_of(operation).text() + ": " + failure.text()};
}

/// An object may go and come again within one plan; only what it is at the end counts.
void note_added(Applied& applied, const ObjectId& id) {
  std::erase(applied.removed, id);
  applied.added.push_back(id);
}
void note_removed(Applied& applied, const ObjectId& id) {
  std::erase(applied.added, id);
  applied.removed.push_back(id);
}

/// Gone is what a removal wanted.
bool already_gone(const Operation& operation, int error) {
  return is_removal(operation) && (error == ESRCH || error == ENOENT);
}

}  // namespace

class Kernel::Impl {
 public:
  explicit Impl(netlink::Socket socket) : socket_(std::move(socket)) {}

  Result<std::vector<SaState>> read_sas(const IdSet& ids);
  Result<std::vector<SaUsage>> read_usage(const IdSet& ids);
  Result<std::vector<PolicyState>> read_policies(const IdSet& ids);
  Result<KernelState> read(std::span<const ObjectId> record);

  /// True if the whole stage went through.
  Result<bool> run_stage(const Stage& stage, Applied& applied);

  [[nodiscard]] std::uint32_t port_id() const { return socket_.port_id(); }
  [[nodiscard]] bool hides_keys() const { return hides_keys_; }

 private:
  using Operations = std::vector<const Operation*>;

  Result<Operations> still_due(const Stage& stage, std::vector<Operation>& changed,
                               Applied& applied);
  Result<void> run_batch(const Operations& operations, Applied& applied);
  Result<void> settle(const Operation& operation, Applied& applied);
  Result<bool> has_our_index(const PolicyState& policy);
  Result<void> withdraw_misplaced(const PolicyState& policy);
  /// Runs a batch of one request that reads. The refusals, as of any batch.
  Result<std::vector<BatchFailure>> ask(Batch& batch, const netlink::OnMessage& on_reply) {
    return socket_.run(batch, on_reply);
  }

  netlink::Socket socket_;
  bool hides_keys_ = false;
};

Result<std::vector<SaState>> Kernel::Impl::read_sas(const IdSet& ids) {
  std::vector<SaState> sas;
  bool tells_keys = false;
  const auto on_object = [&](const Message& message) -> Result<void> {
    auto sa = decode_sa(message);
    if (!sa) return pass_on(sa);
    tells_keys = tells_keys || (*sa && !(*sa)->key.empty());
    if (*sa && ids.contains((*sa)->id())) sas.push_back(std::move(**sa));
    return {};
  };
  const auto read = socket_.dump(dump_sas_request(), {}, on_object, [&sas] { sas.clear(); });
  if (!read) return tl::unexpected<Error>(read.error());
  // Where one key is shown all are: no key is a key of zeros then, which is nobody's.
  if (tells_keys) {
    for (SaState& sa : sas) sa.regular = sa.regular && !sa.key.empty();
  }
  hides_keys_ = hides_keys_ || std::ranges::any_of(sas, [](const SaState& sa) {
                  return sa.regular && sa.key.empty();
                });
  return sas;
}

Result<std::vector<SaUsage>> Kernel::Impl::read_usage(const IdSet& ids) {
  std::vector<SaUsage> sas;
  const auto on_object = [&](const Message& message) -> Result<void> {
    const auto sa = decode_usage(message);
    if (!sa) return tl::unexpected<Error>(sa.error());
    if (*sa && ids.contains((*sa)->id)) sas.push_back(**sa);
    return {};
  };
  const auto read = socket_.dump(dump_sas_request(), {}, on_object, [&sas] { sas.clear(); });
  if (!read) return tl::unexpected<Error>(read.error());
  return sas;
}

Result<std::vector<PolicyState>> Kernel::Impl::read_policies(const IdSet& ids) {
  std::vector<PolicyState> policies;
  const auto on_object = [&](const Message& message) -> Result<void> {
    auto policy = decode_policy(message);
    if (!policy) return pass_on(policy);
    if (*policy && ids.contains((*policy)->id())) policies.push_back(**policy);
    return {};
  };
  const auto read =
      socket_.dump(dump_policies_request(), {}, on_object, [&policies] { policies.clear(); });
  if (!read) return tl::unexpected<Error>(read.error());
  return policies;
}

Result<KernelState> Kernel::Impl::read(std::span<const ObjectId> record) {
  const IdSet ids(record.begin(), record.end());
  auto sas = read_sas(ids);
  if (!sas) return pass_on(sas);
  auto policies = read_policies(ids);
  if (!policies) return pass_on(policies);
  return KernelState{std::move(*sas), std::move(*policies)};
}

/// The operations of a stage that are to be sent, judged by a fresh look where something standing
/// is touched: DELSA ignores source and reqid, and UPDPOLICY takes over anybody's policy with the
/// same selector, so that only what still is as it was read may be named. `changed` keeps
/// operations that had to be rewritten.
Result<Kernel::Impl::Operations> Kernel::Impl::still_due(const Stage& stage,
                                                         std::vector<Operation>& changed,
                                                         Applied& applied) {
  IdSet touched_sas;
  IdSet touched_policies;
  for (const Operation& operation : stage.operations) {
    if (std::holds_alternative<DeleteSa>(operation)) touched_sas.insert(id_of(operation));
    const auto* put = std::get_if<PutPolicy>(&operation);
    if (std::holds_alternative<DeletePolicy>(operation) || (put != nullptr && put->replace))
      touched_policies.insert(id_of(operation));
  }
  std::map<ObjectId, IpAddress> sources;
  if (!touched_sas.empty()) {
    const auto sas = read_sas(touched_sas);
    if (!sas) return tl::unexpected<Error>(sas.error());
    for (const SaState& sa : *sas) sources.emplace(sa.id(), sa.source);
  }
  IdSet standing;
  if (!touched_policies.empty()) {
    const auto policies = read_policies(touched_policies);
    if (!policies) return tl::unexpected<Error>(policies.error());
    for (const PolicyState& policy : *policies) standing.insert(policy.id());
  }

  Operations due;
  changed.reserve(stage.operations.size());
  for (const Operation& operation : stage.operations) {
    const ObjectId id = id_of(operation);
    if (const auto* remove = std::get_if<DeleteSa>(&operation)) {
      const auto found = sources.find(id);
      if (found == sources.end() || found->second != remove->source) {
        note_removed(applied, id);
        continue;
      }
    }
    if (std::holds_alternative<DeletePolicy>(operation) && !standing.contains(id)) {
      note_removed(applied, id);
      continue;
    }
    const auto* put = std::get_if<PutPolicy>(&operation);
    if (put != nullptr && put->replace && !standing.contains(id)) {
      changed.emplace_back(PutPolicy{put->policy, false});
      due.push_back(&changed.back());
      continue;
    }
    due.push_back(&operation);
  }
  return due;
}

Result<bool> Kernel::Impl::run_stage(const Stage& stage, Applied& applied) {
  std::vector<Operation> changed;
  const auto due = still_due(stage, changed, applied);
  if (!due) return tl::unexpected<Error>(due.error());
  const std::size_t refusals_before = applied.refusals.size();
  for (std::size_t begin = 0; begin < due->size(); begin += netlink::kMaxBatch) {
    const std::size_t end = std::min(due->size(), begin + netlink::kMaxBatch);
    const Operations part(due->begin() + static_cast<std::ptrdiff_t>(begin),
                          due->begin() + static_cast<std::ptrdiff_t>(end));
    if (auto run = run_batch(part, applied); !run) return pass_on(run);
  }
  return applied.refusals.size() == refusals_before;
}

Result<void> Kernel::Impl::run_batch(const Operations& operations, Applied& applied) {
  Batch batch;
  for (const Operation* operation : operations) {
    if (auto encoded = encode(batch, *operation); !encoded) return pass_on(encoded);
  }
  auto failures = socket_.run(batch);
  if (!failures) return pass_on(failures);
  std::map<std::size_t, BatchFailure> failed;
  for (BatchFailure& failure : *failures) failed.emplace(failure.index, std::move(failure));

  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = *operations[i];
    const auto found = failed.find(i);
    if (found != failed.end() && !already_gone(operation, found->second.error)) {
      applied.refusals.push_back({id_of(operation), explain(operation, found->second)});
      continue;
    }
    if (auto settled = settle(operation, applied); !settled) return settled;
  }
  return {};
}

/// Notes an operation that went through. A new policy counts only with the index that we chose: the
/// kernel silently gives another if that one is in use.
Result<void> Kernel::Impl::settle(const Operation& operation, Applied& applied) {
  const ObjectId id = id_of(operation);
  if (is_removal(operation)) {
    note_removed(applied, id);
    return {};
  }
  const auto* put = std::get_if<PutPolicy>(&operation);
  if (put != nullptr) {
    if (put->replace) return {};
    const auto ours = has_our_index(put->policy);
    if (!ours) return tl::unexpected<Error>(ours.error());
    if (!*ours) {
      if (auto withdrawn = withdraw_misplaced(put->policy); !withdrawn) return withdrawn;
      applied.refusals.push_back(
          {id, Error{kIndexTaken, id.text() + ": another policy has this index"}});
      return {};
    }
  }
  note_added(applied, id);
  return {};
}

Result<bool> Kernel::Impl::has_our_index(const PolicyState& policy) {
  Batch batch;
  if (auto encoded = encode_get_by_index(batch, policy); !encoded) return pass_on(encoded);
  bool ours = false;
  const auto on_reply = [&](const Message& message) -> Result<void> {
    const auto found = decode_policy(message);
    if (!found) return tl::unexpected<Error>(found.error());
    ours = *found && **found == policy;
    return {};
  };
  const auto failures = ask(batch, on_reply);
  if (!failures) return tl::unexpected<Error>(failures.error());
  return ours;
}

/// Takes back the policy that we have just made and that got another index than ours: nothing of
/// ours may stand that the record cannot name.
Result<void> Kernel::Impl::withdraw_misplaced(const PolicyState& policy) {
  Batch question;
  if (auto encoded = encode_get_by_selector(question, policy); !encoded) return pass_on(encoded);
  std::optional<std::uint32_t> index;
  const auto on_reply = [&](const Message& message) -> Result<void> {
    const auto found = decode_policy_index(message);
    if (!found) return tl::unexpected<Error>(found.error());
    index = *found;
    return {};
  };
  const auto asked = ask(question, on_reply);
  if (!asked) return tl::unexpected<Error>(asked.error());
  if (!index || *index == policy.index) return {};

  PolicyState misplaced = policy;
  misplaced.index = *index;
  Batch removal;
  if (auto encoded = encode(removal, DeletePolicy{misplaced}); !encoded) return pass_on(encoded);
  const auto removed = socket_.run(removal);
  if (!removed) return tl::unexpected<Error>(removed.error());
  return {};
}

Kernel::Kernel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Kernel::Kernel(Kernel&&) noexcept = default;
Kernel& Kernel::operator=(Kernel&&) noexcept = default;
Kernel::~Kernel() = default;

Result<Kernel> Kernel::open() {
  auto socket = netlink::Socket::open(NETLINK_XFRM);
  if (!socket) return pass_on(socket);
  return Kernel(std::make_unique<Impl>(std::move(*socket)));
}

Result<KernelState> Kernel::read(std::span<const ObjectId> record) { return impl_->read(record); }

Result<std::vector<SaUsage>> Kernel::usage(std::span<const ObjectId> record) {
  return impl_->read_usage(IdSet(record.begin(), record.end()));
}

Result<Applied> Kernel::execute(const std::vector<Stage>& stages) {
  Applied applied;
  for (const Stage& stage : stages) {
    const auto complete = impl_->run_stage(stage, applied);
    if (!complete) return tl::unexpected<Error>(complete.error());
    if (!*complete) break;
  }
  return applied;
}

Result<Applied> Kernel::remove(std::span<const ObjectId> record) {
  auto installed = read(record);
  if (!installed) return pass_on(installed);
  IdSet gone(record.begin(), record.end());
  for (const SaState& sa : installed->sas) gone.erase(sa.id());
  for (const PolicyState& policy : installed->policies) gone.erase(policy.id());
  std::map<IpAddress, KernelState> places;
  for (SaState& sa : installed->sas) places[sa.destination].sas.push_back(std::move(sa));
  for (const PolicyState& policy : installed->policies)
    places[policy.destination].policies.push_back(policy);

  Applied all;
  all.removed.assign(gone.begin(), gone.end());
  for (const auto& [address, state] : places) {
    // A refusal at one address does not keep the others in the kernel.
    auto applied = execute(plan(state, {}));
    if (!applied) return applied;
    std::ranges::move(applied->removed, std::back_inserter(all.removed));
    std::ranges::move(applied->refusals, std::back_inserter(all.refusals));
  }
  return all;
}

std::uint32_t Kernel::port_id() const { return impl_->port_id(); }
bool Kernel::hides_keys() const { return impl_->hides_keys(); }

}  // namespace gkmpd::xfrm
