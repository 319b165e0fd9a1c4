// One host's end of one exchange on the wire: numbering, sealing, fragments, retransmissions. Knows
// nothing of what the messages mean.
#pragma once

#include <optional>
#include <vector>

#include "agent/crypto/suite.h"
#include "agent/protocol/context.h"
#include "agent/protocol/errors.h"
#include "agent/wire/fragment.h"
#include "agent/wire/messages.h"

namespace gkmpd::protocol {

/// A message as it came, opened and put together.
struct Incoming {
  wire::MessageType type{};
  Bytes octets;  // transcript form: header as of a single fragment | items
  Bytes body;    // the items
  wire::Message message;
};

class Channel {
 public:
  /// `held` counts the octets of unfinished messages of all channels that share a maximum.
  Channel(Context& context, wire::SenderRole own_role, Suite suite, const GroupId& group,
          const ExchangeId& exchange, const SocketAddress& peer, std::size_t& held);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  [[nodiscard]] const SocketAddress& peer() const { return peer_; }
  [[nodiscard]] const ExchangeId& exchange() const { return exchange_; }
  [[nodiscard]] const GroupId& group() const { return group_; }
  /// Of every message of the exchange (profile P4).
  [[nodiscard]] Suite suite() const { return suite_; }
  [[nodiscard]] crypto::Hash hash() const { return crypto::hash_of(suite_); }

  /// The exchange answers this request to join, or follows it: the member's first message.
  void begin_with(Bytes join_request);
  /// Empty if it did not begin with one.
  [[nodiscard]] const Bytes& join_request() const { return join_request_; }

  /// The header of our next message. Each call takes a number.
  [[nodiscard]] wire::Header next_header(wire::MessageType type);

  /// A sealed message in transcript form and as the datagrams that carry it.
  struct Sealed {
    Bytes transcript;
    std::vector<Bytes> datagrams;
  };
  [[nodiscard]] static Sealed seal(const wire::Header& header, ByteView body, const Secret& key);

  /// Reads the peer's next message; nothing yet while fragments are missing. `key` is null for a
  /// message in clear. The message counts as received only after `received`.
  [[nodiscard]] Result<std::optional<Incoming>> open(const wire::Datagram& datagram,
                                                     ByteView octets, const Secret* key);
  /// The peer's message was accepted: the next one has the next number.
  void received();

  /// Sends `datagrams` and keeps them for retransmission.
  void send(std::vector<Bytes> datagrams);
  void resend();
  /// True if `octets` repeat the first datagram of the message received last, to the octet and
  /// from the same address (profile S25: only such a request is answered from the cache).
  [[nodiscard]] bool repeats_last(const SocketAddress& from, ByteView octets) const;

 private:
  struct Assembly {
    explicit Assembly(wire::MessageType of) : type(of) {}

    wire::MessageType type;
    Digest first_datagram{};
    wire::Reassembler parts;
  };

  [[nodiscard]] Result<std::optional<Bytes>> assemble(const wire::Datagram& datagram,
                                                      ByteView octets, ByteView opened);
  void drop_assembly();

  Context& context_;
  wire::SenderRole own_role_;
  Suite suite_;
  GroupId group_;
  ExchangeId exchange_;
  SocketAddress peer_;
  std::size_t& held_;  // octets of unfinished messages, ours and our like's
  Bytes join_request_;
  std::uint32_t sent_number_ = 0;
  std::uint32_t received_number_ = 0;
  std::optional<Assembly> assembly_;
  std::size_t assembly_octets_ = 0;
  std::vector<Bytes> last_sent_;
  Digest pending_first_{};  // of the message that open() returned
  std::optional<Digest> last_received_first_;
};

/// The row of an exchange's table for a message of `type` in state `from`:
/// `protocol.unexpected-message`, which names the message, if there is none.
template <typename Table>
[[nodiscard]] Result<const typename Table::value_type*> find_row(const Table& table,
                                                                 std::size_t from,
                                                                 wire::MessageType type) {
  for (const auto& row : table) {
    if (row.from == from && row.message == type) return &row;
  }
  return fail(kUnexpectedMessage, std::string(wire::to_text(type)));
}

/// Waits for an answer: when to send again, and when to give up.
class RetransmitTimer {
 public:
  void start(MonoTime now, Random& random, int max_transmissions);
  void stop() { due_.reset(); }
  [[nodiscard]] std::optional<MonoTime> due() const { return due_; }
  /// Called at or after due(): true if another transmission is to be made, false to give up.
  [[nodiscard]] bool again(MonoTime now, Random& random);

 private:
  void schedule(MonoTime now, Random& random);

  std::optional<MonoTime> due_;
  milliseconds wait_{};
  int left_ = 0;
};

/// Header octets and body of a message in clear, as one datagram.
[[nodiscard]] Bytes plain_datagram(const wire::Header& header, const wire::Message& message);
/// What a signature over such a message covers: header and items before the signature.
[[nodiscard]] Bytes signed_part(const wire::Header& header, const wire::Message& message);

/// What the signature of a Negotiate_1 covers (profile P9): TH1 | Create_2's signature, framed |
/// the message's own header and items before the signature.
[[nodiscard]] Bytes negotiate_1_content(ByteView th1, ByteView create_2_signature,
                                        ByteView own_part);

}  // namespace gkmpd::protocol
