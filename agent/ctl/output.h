// What gkmpctl prints and returns where several commands do it alike.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/daemon/views.h"
#include "agent/identity/command.h"

namespace gkmpd::ctl {

// Exit codes (docs/OPERATING.md).
inline constexpr int kExitDone = 0;
inline constexpr int kExitRefused = 1;
inline constexpr int kExitNotReachable = 3;

/// To standard output, at once: whoever follows through a pipe sees each line when it comes.
void print(const std::string& text);
void print_json(const daemon::Json& json);

/// An error of this side, on standard error, and with `json` as an object too; returns the exit
/// code.
int fail_with(bool json, const Error& error);
/// A refusal by the other side, under the name that it gave.
int print_refusal(bool json, const std::string& name, const std::string& detail);

/// A peer's refusal tells a name only: `detail`, and behind it what would help, where that is
/// known.
[[nodiscard]] std::string with_remedy(std::string_view name, std::string detail);

/// The order for `group` was taken.
void show_accepted(identity::CommandAction action, const daemon::Json& group);
/// Nothing more will be followed: says what came of it and returns the exit code. `waited`: the
/// operator wanted to see it complete.
int finish_order(bool json, identity::CommandAction action, const daemon::Json& group, bool waited);

}  // namespace gkmpd::ctl
