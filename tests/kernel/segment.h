// A network segment of hosts, each in a network namespace of its own, and their datagrams.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/fd.h"

namespace gkmpd::test {

/// While it lives, the calling thread is in that namespace.
class Inside {
 public:
  explicit Inside(const Fd& network_namespace);
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside();

 private:
  Fd former_;
};

/// Hosts 10.9.0.1 and fd09::1, 10.9.0.2 and fd09::2, ... in the order given, each with an interface
/// eth0 on one bridge that floods multicast. Names are unique to the process; everything goes with
/// the object.
class Segment {
 public:
  explicit Segment(const std::vector<std::string>& hosts);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment();

  [[nodiscard]] const Fd& host(const std::string& name) const { return namespaces_.at(name); }
  /// Runs `ip ARGUMENTS` in a host; ends the test program if it fails.
  void ip(const std::string& host, const std::string& arguments) const;
  /// Sets a host's /proc/sys/PATH.
  void set(const std::string& host, const std::string& path, const std::string& value) const;
  /// A counter of the host's /proc/net/xfrm_stat.
  [[nodiscard]] unsigned long xfrm_counter(const std::string& host, const std::string& name) const;
  /// The same, when it has come to `least`, or a long time has passed: what another processor has
  /// at hand may be counted later than what was sent behind it.
  [[nodiscard]] unsigned long xfrm_counter_at(const std::string& host, const std::string& name,
                                              unsigned long least) const;

 private:
  [[nodiscard]] std::string name_of(const std::string& host) const;
  std::string prefix_;
  std::vector<std::string> names_;
  std::map<std::string, Fd> namespaces_;
};

/// A UDP socket of a host that sends multicast from one of its addresses, of either family.
class Sender {
 public:
  Sender(const Segment& segment, const std::string& host, const std::string& source,
         const std::string& interface = "eth0");
  /// 0, or the errno of the send.
  [[nodiscard]] int send(const std::string& group, unsigned short port,
                         const std::string& payload) const;
  /// From now on packets have this mark (SO_MARK).
  void mark(std::uint32_t value) const;

 private:
  Fd socket_;
};

/// A UDP socket of a host that has joined a group on an interface, of either family: from any
/// source, or from one only (RFC 4607).
class Listener {
 public:
  Listener(const Segment& segment, const std::string& host, const std::string& group,
           unsigned short port, const std::optional<std::string>& source = std::nullopt,
           const std::string& interface = "eth0");
  /// The next datagram; nothing if none comes for a long time.
  [[nodiscard]] std::optional<std::string> next() const;

 private:
  Fd socket_;
};

/// Sees every frame that comes to a host's eth0, whoever it is for.
class Sniffer {
 public:
  Sniffer(const Segment& segment, const std::string& host);
  /// The IP protocol numbers (IPv6: next headers) of the frames from `source` to `group` that have
  /// arrived so far, when they are `least` or a long time has passed.
  [[nodiscard]] std::vector<int> protocols(const std::string& source, const std::string& group,
                                           std::size_t least = 0);
  /// All IP packets that have arrived so far.
  [[nodiscard]] const std::vector<std::string>& packets();

 private:
  Fd socket_;
  std::vector<std::string> packets_;  // all so far
};

}  // namespace gkmpd::test
