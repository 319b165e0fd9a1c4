// The local control protocol: one JSON object a line each way over a unix stream socket
// (docs/OPERATING.md, "Control socket"). Pure: octets in, values out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/daemon/views.h"

namespace gkmpd::daemon {

/// Octets of one line, its end left out. Holds the largest token in base64 and the largest member
/// list.
inline constexpr std::size_t kMaxLine = 2 * 1024 * 1024;
/// The same of an answer: some 25,000 SAs in one list.
inline constexpr std::size_t kMaxAnswer = 8 * 1024 * 1024;
/// Octets of a member list's text.
inline constexpr std::size_t kMaxMemberListSize = 768 * 1024;

struct CreateGroupRequest {
  Bytes token;          // CMS, DER
  std::string members;  // text of the member list
  friend bool operator==(const CreateGroupRequest&, const CreateGroupRequest&) = default;
};
/// An order that a commander signed, other than to create a group.
struct OrderRequest {
  Bytes token;    // CMS, DER
  Bytes command;  // likewise
  friend bool operator==(const OrderRequest&, const OrderRequest&) = default;
};
/// This host is to ask a controller to be keyed.
struct JoinGroupRequest {
  std::string name;
  SocketAddress controller;  // port 0: this agent's own
  friend bool operator==(const JoinGroupRequest&, const JoinGroupRequest&) = default;
};
struct ListGroupsRequest {
  friend bool operator==(const ListGroupsRequest&, const ListGroupsRequest&) = default;
};
struct ShowGroupRequest {
  std::string name;
  friend bool operator==(const ShowGroupRequest&, const ShowGroupRequest&) = default;
};
struct StatusRequest {
  friend bool operator==(const StatusRequest&, const StatusRequest&) = default;
};
/// The SAs in the kernel; with a name, those of that group.
struct ListSasRequest {
  std::string group;  // empty: all
  friend bool operator==(const ListSasRequest&, const ListSasRequest&) = default;
};
/// Everything that happens from now on; with a name, only what concerns that group.
struct WatchRequest {
  std::string group;  // empty: all
  friend bool operator==(const WatchRequest&, const WatchRequest&) = default;
};

using Request = std::variant<CreateGroupRequest, ListGroupsRequest, ShowGroupRequest, StatusRequest,
                             ListSasRequest, WatchRequest, OrderRequest, JoinGroupRequest>;

/// One line, its end left out. Refused, as `control.bad-request`: anything but one object, unknown,
/// repeated, missing or mistyped keys, nesting, a bad name, bad base64; `control.unknown-request`.
[[nodiscard]] Result<Request> decode_request(std::string_view line);
/// With its line end.
[[nodiscard]] std::string encode_request(const Request& request);

/// {"ok":true, KEY: value}
[[nodiscard]] std::string encode_reply(std::string_view key, const Json& value);
/// {"ok":false,"error":name,"detail":text}
[[nodiscard]] std::string encode_refusal(const Error& error);
/// A line of a watch: {"report": value} or {"group": value}.
[[nodiscard]] std::string encode_notice(std::string_view key, const Json& value);

/// Collects octets and gives whole lines.
class LineBuffer {
 public:
  /// Lines of at most `most` octets.
  explicit LineBuffer(std::size_t most = kMaxLine) : most_(most) {}

  void add(std::string_view octets) { buffer_ += octets; }
  /// The next line without its end, if a whole one is there.
  [[nodiscard]] std::optional<std::string> next();
  /// True once more than that many octets wait without a line end: the peer is to be dropped.
  [[nodiscard]] bool overlong() const;
  [[nodiscard]] bool empty() const { return buffer_.empty(); }

 private:
  std::size_t most_;
  std::string buffer_;
};

}  // namespace gkmpd::daemon
