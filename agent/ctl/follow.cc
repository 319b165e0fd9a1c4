#include "agent/ctl/follow.h"

#include <nlohmann/json.hpp>

#include "agent/ctl/output.h"

namespace gkmpd::ctl {

using daemon::Json;

Result<Json> follow_group(Client& client, Json group, unsigned wait_s, bool json,
                          const std::function<Verdict(const Json&)>& verdict) {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(wait_s);
  auto sent = client.send(daemon::WatchRequest{text_at(group, "name")});
  if (!sent) return pass_on(sent);
  while (verdict(group) == Verdict::kGoing) {
    auto line = client.read(deadline);
    if (!line) return pass_on(line);
    if (!*line) break;
    const auto news = (*line)->find("group");
    if (news == (*line)->end()) continue;
    if (!json) {
      for (const auto& text : progress_lines(group, *news)) print(text + "\n");
    }
    group = *news;
  }
  return group;
}

}  // namespace gkmpd::ctl
