// The two directions of every value that items and objects are made of (docs/PROTOCOL.md,
// "Values"). Each `get` takes only what `put` would have written.
#pragma once

#include "agent/wire/codec.h"
#include "agent/wire/messages.h"

namespace gkmpd::wire {

void put(Writer& out, bool value);
void get(Reader& in, bool& value);

void put(Writer& out, Request value);
void get(Reader& in, Request& value);
void put(Writer& out, JoinInquiry value);
void get(Reader& in, JoinInquiry& value);
void put(Writer& out, StatusInquiry value);
void get(Reader& in, StatusInquiry& value);
void put(Writer& out, Suite value);
void get(Reader& in, Suite& value);
void put(Writer& out, Cause value);
void get(Reader& in, Cause& value);
void put(Writer& out, Creation value);
void get(Reader& in, Creation& value);

/// Seconds since 1970; past the year 9999 is refused, so that sums of times cannot overflow.
void put(Writer& out, WallTime value);
void get(Reader& in, WallTime& value);

void put(Writer& out, const EpochTuple& value);
void get(Reader& in, EpochTuple& value);
void put(Writer& out, const IpAddress& value);
void get(Reader& in, IpAddress& value);
void put(Writer& out, const SocketAddress& value);
void get(Reader& in, SocketAddress& value);

/// An error's name.
void put(Writer& out, const std::string& value);
void get(Reader& in, std::string& value);

// Lists go to the end of what they stand in.

/// Ascending by issuer, each once.
void put(Writer& out, const std::vector<CrlNumber>& value);
void get(Reader& in, std::vector<CrlNumber>& value);
/// Ascending, each once.
void put(Writer& out, const std::vector<IpAddress>& value);
void get(Reader& in, std::vector<IpAddress>& value);
/// At least one certificate.
void put(Writer& out, const std::vector<Bytes>& value);
void get(Reader& in, std::vector<Bytes>& value);

}  // namespace gkmpd::wire
