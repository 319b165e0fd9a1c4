#include "agent/daemon/control_protocol.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/daemon/base64.h"
#include "agent/daemon/errors.h"
#include "agent/identity/command.h"

namespace gkmpd::daemon {
namespace {

constexpr std::string_view kCreate = "group-create";
constexpr std::string_view kOrder = "group-order";
constexpr std::string_view kJoin = "group-join";
constexpr std::string_view kList = "group-list";
constexpr std::string_view kShow = "group-show";
constexpr std::string_view kStatus = "status";
constexpr std::string_view kSas = "sa-list";
constexpr std::string_view kWatch = "watch";

/// A flat object of texts: all that a request is. Nesting and repeated keys are seen while parsing,
/// since the parsed object would not show the latter.
Result<std::map<std::string, std::string>> flat_object(std::string_view line) {
  std::set<std::string> keys;
  bool repeated = false;
  bool nested = false;
  const auto look = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key)
      repeated |= !keys.insert(value.get<std::string>()).second;
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth > 0) nested = true;
    return !(opens && depth > 0);
  };
  const Json parsed = Json::parse(line, look, /*allow_exceptions=*/false);
  if (parsed.is_discarded() || !parsed.is_object()) {
    return fail(kBadRequest, "a request is one JSON object on one line");
  }
  if (nested) return fail(kBadRequest, "a request holds texts only");
  if (repeated) return fail(kBadRequest, "a key stands twice");
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : parsed.items()) {
    if (!value.is_string()) return fail(kBadRequest, fmt::format("{} must be a text", key));
    out.emplace(key, value.get<std::string>());
  }
  return out;
}

/// Takes keys out of a request; what is left over is unknown.
class Fields {
 public:
  explicit Fields(std::map<std::string, std::string> fields) : fields_(std::move(fields)) {}

  std::optional<std::string> take(const std::string& key) {
    auto node = fields_.extract(key);
    return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
  }

  Result<void> nothing_left() const {
    if (fields_.empty()) return {};
    return fail(kBadRequest, fmt::format("key {} is not known", fields_.begin()->first));
  }

 private:
  std::map<std::string, std::string> fields_;
};

/// Octets in base64 under `key`, `most` of them at most.
Result<Bytes> take_octets(Fields& fields, const std::string& key, std::size_t most) {
  const auto text = fields.take(key);
  if (!text) return fail(kBadRequest, fmt::format("{} is missing", key));
  auto octets = from_base64(*text);
  if (!octets) return fail(kBadRequest, fmt::format("{} is not base64", key));
  if (octets->size() > most) {
    return fail(kBadRequest, fmt::format("{} has more than {} octets", key, most));
  }
  return *std::move(octets);
}

Result<Request> decode_create(Fields& fields) {
  auto token = take_octets(fields, "token", identity::kMaxTokenSize);
  if (!token) return pass_on(token);
  auto members = fields.take("members");
  if (!members) return fail(kBadRequest, "members is missing");
  if (members->size() > kMaxMemberListSize) {
    return fail(kBadRequest, fmt::format("members has more than {} octets", kMaxMemberListSize));
  }
  return CreateGroupRequest{*std::move(token), *std::move(members)};
}

Result<Request> decode_order(Fields& fields) {
  auto token = take_octets(fields, "token", identity::kMaxTokenSize);
  if (!token) return pass_on(token);
  auto command = take_octets(fields, "command", identity::kMaxCommandSize);
  if (!command) return pass_on(command);
  return OrderRequest{*std::move(token), *std::move(command)};
}

Result<std::string> group_name(std::optional<std::string> name) {
  if (!name) return fail(kBadRequest, "group is missing");
  if (!identity::is_valid_name(*name)) return fail(kBadRequest, "group is no valid name");
  return *std::move(name);
}

Result<std::uint16_t> port_of(const std::optional<std::string>& text) {
  if (!text) return std::uint16_t{0};
  std::uint16_t port = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), port);
  if (read.ec != std::errc() || read.ptr != text->data() + text->size() || port == 0) {
    return fail(kBadRequest, "port is no port");
  }
  return port;
}

Result<Request> decode_join(Fields& fields) {
  auto name = group_name(fields.take("group"));
  if (!name) return pass_on(name);
  const auto text = fields.take("controller");
  const auto address = text ? IpAddress::parse(*text) : std::nullopt;
  if (!address) return fail(kBadRequest, "controller must be an address");
  auto port = port_of(fields.take("port"));
  if (!port) return pass_on(port);
  return JoinGroupRequest{*std::move(name), {*address, *port}};
}

Result<Request> decode_show(Fields& fields) {
  auto name = group_name(fields.take("group"));
  if (!name) return pass_on(name);
  return ShowGroupRequest{*std::move(name)};
}

/// A request that is about one group if it names one.
template <typename Wanted>
Result<Request> decode_of_group(Fields& fields) {
  auto wanted = fields.take("group");
  if (!wanted) return Wanted{};
  auto name = group_name(std::move(wanted));
  if (!name) return pass_on(name);
  return Wanted{*std::move(name)};
}

Json encode_of_group(std::string_view kind, const std::string& group) {
  Json json{{"request", kind}};
  if (!group.empty()) json["group"] = group;
  return json;
}

Result<Request> decode_kind(std::string_view kind, Fields& fields) {
  if (kind == kCreate) return decode_create(fields);
  if (kind == kOrder) return decode_order(fields);
  if (kind == kJoin) return decode_join(fields);
  if (kind == kList) return ListGroupsRequest{};
  if (kind == kShow) return decode_show(fields);
  if (kind == kStatus) return StatusRequest{};
  if (kind == kSas) return decode_of_group<ListSasRequest>(fields);
  if (kind == kWatch) return decode_of_group<WatchRequest>(fields);
  return fail(kUnknownRequest, fmt::format("known are {}, {}, {}, {}, {}, {}, {}, {}", kCreate,
                                           kOrder, kJoin, kList, kShow, kStatus, kSas, kWatch));
}

/// Octets that are no UTF-8 become replacement characters: a log text must not cost the reply.
std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

struct Encode {
  Json operator()(const CreateGroupRequest& r) const {
    return {{"request", kCreate}, {"token", to_base64(r.token)}, {"members", r.members}};
  }
  Json operator()(const OrderRequest& r) const {
    return {{"request", kOrder}, {"token", to_base64(r.token)}, {"command", to_base64(r.command)}};
  }
  Json operator()(const JoinGroupRequest& r) const {
    Json json{{"request", kJoin}, {"group", r.name}, {"controller", r.controller.ip.text()}};
    if (r.controller.port != 0) json["port"] = std::to_string(r.controller.port);
    return json;
  }
  Json operator()(const ListGroupsRequest&) const { return {{"request", kList}}; }
  Json operator()(const ShowGroupRequest& r) const {
    return {{"request", kShow}, {"group", r.name}};
  }
  Json operator()(const StatusRequest&) const { return {{"request", kStatus}}; }
  Json operator()(const ListSasRequest& r) const { return encode_of_group(kSas, r.group); }
  Json operator()(const WatchRequest& r) const { return encode_of_group(kWatch, r.group); }
};

}  // namespace

Result<Request> decode_request(std::string_view line) {
  auto object = flat_object(line);
  if (!object) return pass_on(object);
  Fields fields(*std::move(object));
  const auto kind = fields.take("request");
  if (!kind) return fail(kBadRequest, "request is missing");
  auto request = decode_kind(*kind, fields);
  if (!request) return request;
  auto rest = fields.nothing_left();
  if (!rest) return pass_on(rest);
  return request;
}

std::string encode_request(const Request& request) {
  return line_of(std::visit(Encode{}, request));
}

std::string encode_reply(std::string_view key, const Json& value) {
  return line_of(Json{{"ok", true}, {std::string(key), value}});
}

std::string encode_refusal(const Error& error) {
  return line_of(Json{{"ok", false}, {"error", error.name()}, {"detail", error.detail}});
}

std::string encode_notice(std::string_view key, const Json& value) {
  return line_of(Json{{std::string(key), value}});
}

std::optional<std::string> LineBuffer::next() {
  const auto end = buffer_.find('\n');
  if (end > most_) return std::nullopt;  // npos, where there is no end, is greater too
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

bool LineBuffer::overlong() const {
  const auto end = buffer_.find('\n');
  return (end == std::string::npos ? buffer_.size() : end) > most_;
}

}  // namespace gkmpd::daemon
