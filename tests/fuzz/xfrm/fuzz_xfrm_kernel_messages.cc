// Datagrams of a hostile or broken kernel through every decoder of netlink/ and xfrm/.
#include <linux/netlink.h>

#include <cstdlib>

#include "netlink/parse.h"
#include "xfrm/encode.h"
#include "xfrm/events.h"

namespace {

using namespace gkmpd;

void require(bool held) {
  if (!held) std::abort();
}

/// The one request of a batch as the kernel would show it.
netlink::Message shown(const netlink::Batch& batch, std::uint16_t type) {
  return {.type = type,
          .flags = 0,
          .sequence = 0,
          .port_id = 0,
          .payload = batch.bytes().subspan(sizeof(nlmsghdr))};
}

/// Whatever is taken for one of ours must be in our ranges, and survive encoding.
void decode_all(const netlink::Message& message) {
  (void)xfrm::decode_event(message);
  (void)netlink::read_answer(message);
  (void)xfrm::decode_policy_index(message);

  const auto sa = xfrm::decode_sa(message);
  if (sa && *sa) {
    require(xfrm::is_our_reqid((*sa)->reqid) && (*sa)->spi != 0);
    netlink::Batch batch;
    require(xfrm::encode(batch, xfrm::AddSa{(*sa)->clone()}).has_value());
    // A regular SA is just what its encoding says.
    const auto read = xfrm::decode_sa(shown(batch, message.type));
    require(!(*sa)->regular || (read && *read && (*read)->same_as(**sa)));
  }
  const auto policy = xfrm::decode_policy(message);
  if (policy && *policy) {
    require(xfrm::is_our_policy_index((*policy)->index));
    netlink::Batch batch;
    require(xfrm::encode(batch, xfrm::PutPolicy{**policy, true}).has_value());
    // A regular policy is just what its encoding says.
    const auto read = xfrm::decode_policy(shown(batch, message.type));
    require(!(*policy)->regular || (read && *read && **read == **policy));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)netlink::for_each_message({data, size}, [](const netlink::Message& message) {
    decode_all(message);
    return Result<void>{};
  });
  return 0;
}
