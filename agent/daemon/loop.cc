#include "agent/daemon/loop.h"

#include <fmt/format.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <cstring>
#include <ctime>

#include "agent/daemon/errors.h"

namespace gkmpd::daemon {
namespace {

using IoCall = std::function<void(std::uint32_t)>;
using Call = std::function<void()>;

tl::unexpected<Error> failed(std::string_view what, int result) {
  return fail(kEventLoop, fmt::format("{}: {}", what, std::strerror(-result)));
}

int on_io(sd_event_source* /*source*/, int /*fd*/, std::uint32_t events, void* call) {
  (*static_cast<IoCall*>(call))(events);
  return 0;
}
int on_time(sd_event_source* /*source*/, std::uint64_t /*usec*/, void* call) {
  (*static_cast<Call*>(call))();
  return 0;
}
int on_signal(sd_event_source* /*source*/, const signalfd_siginfo* /*info*/, void* call) {
  (*static_cast<Call*>(call))();
  return 0;
}

/// Gives the call to its source, which frees it after the last dispatch: a call may drop its own
/// source.
template <typename T>
void own_call(sd_event_source* source, std::unique_ptr<T> call) {
  sd_event_source_set_userdata(source, call.release());
  sd_event_source_set_destroy_callback(source, [](void* held) { delete static_cast<T*>(held); });
}

}  // namespace

MonoTime mono_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return MonoTime(std::chrono::duration_cast<milliseconds>(seconds(now.tv_sec) +
                                                           std::chrono::nanoseconds(now.tv_nsec)));
}

WallTime wall_now() { return std::chrono::floor<seconds>(std::chrono::system_clock::now()); }

void Loop::Source::Release::operator()(sd_event_source* source) const {
  sd_event_source_disable_unref(source);
}
void Loop::Release::operator()(sd_event* event) const { sd_event_unref(event); }

void Loop::Source::set_events(std::uint32_t events) {
  sd_event_source_set_io_events(source_.get(), events);
}

void Loop::Source::arm(MonoTime at) {
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch());
  // 0 would mean "never" to some and "now" to others; nothing of ours is due at the very boot.
  sd_event_source_set_time(source_.get(),
                           static_cast<std::uint64_t>(std::max<std::int64_t>(usec.count(), 1)));
  sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT);
}

void Loop::Source::disarm() { sd_event_source_set_enabled(source_.get(), SD_EVENT_OFF); }

Result<Loop> Loop::make() {
  sd_event* event = nullptr;
  if (const int r = sd_event_new(&event); r < 0) return failed("event loop", r);
  return Loop(event);
}

Result<Loop::Source> Loop::io(int fd, std::uint32_t events, IoCall call) {
  auto held = std::make_unique<IoCall>(std::move(call));
  sd_event_source* source = nullptr;
  const int r = sd_event_add_io(event_.get(), &source, fd, events, on_io, nullptr);
  if (r < 0) return failed("watching a descriptor", r);
  own_call(source, std::move(held));
  return Source(source);
}

Result<Loop::Source> Loop::timer(Call call) {
  auto held = std::make_unique<Call>(std::move(call));
  sd_event_source* source = nullptr;
  // Accuracy of 1 ms: the core's times are in milliseconds.
  const int r =
      sd_event_add_time(event_.get(), &source, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_time, nullptr);
  if (r < 0) return failed("timer", r);
  own_call(source, std::move(held));
  sd_event_source_set_enabled(source, SD_EVENT_OFF);
  return Source(source);
}

Result<Loop::Source> Loop::signal(int number, Call call) {
  auto held = std::make_unique<Call>(std::move(call));
  sd_event_source* source = nullptr;
  const int r = sd_event_add_signal(event_.get(), &source, number | SD_EVENT_SIGNAL_PROCMASK,
                                    on_signal, nullptr);
  if (r < 0) return failed("signal", r);
  own_call(source, std::move(held));
  return Source(source);
}

void Loop::enable_watchdog() { (void)sd_event_set_watchdog(event_.get(), 1); }

Result<int> Loop::run() {
  const int r = sd_event_loop(event_.get());
  if (r < 0) return failed("event loop", r);
  return r;
}

void Loop::stop(int code) { sd_event_exit(event_.get(), code); }

}  // namespace gkmpd::daemon
