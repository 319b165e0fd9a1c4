#include "tests/kernel/independent_reader.h"

#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <netlink/xfrm/lifetime.h>
#include <netlink/xfrm/sa.h>
#include <netlink/xfrm/selector.h>
#include <netlink/xfrm/sp.h>
#include <netlink/xfrm/template.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

namespace gkmpd::test {
namespace {

std::string format(const char* pattern, unsigned long long value) {
  char text[64];
  (void)std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string hex(int value) { return format("0x%08llx", static_cast<unsigned>(value)); }

std::string text_of(nl_addr* address) {
  char text[128];
  // libnl adds a prefix length of its own to some addresses.
  const std::string all = nl_addr2str(address, text, sizeof text);
  return all.substr(0, all.find('/'));
}

std::string text_of(xfrmnl_sel* selector) {
  std::string text = text_of(xfrmnl_sel_get_saddr(selector)) + "/" +
                     std::to_string(xfrmnl_sel_get_prefixlen_s(selector)) + " > " +
                     text_of(xfrmnl_sel_get_daddr(selector)) + "/" +
                     std::to_string(xfrmnl_sel_get_prefixlen_d(selector)) + " proto " +
                     std::to_string(xfrmnl_sel_get_proto(selector));
  if (xfrmnl_sel_get_dportmask(selector) != 0)
    text += " port " + std::to_string(xfrmnl_sel_get_dport(selector));
  if (xfrmnl_sel_get_sportmask(selector) != 0)
    text += " from " + std::to_string(xfrmnl_sel_get_sport(selector)) + " mask " +
            format("%llx", static_cast<unsigned long long>(xfrmnl_sel_get_sportmask(selector)));
  if (xfrmnl_sel_get_ifindex(selector) != 0)
    text += " dev " + std::to_string(xfrmnl_sel_get_ifindex(selector));
  return text;
}

std::string hex_key(const char* key, unsigned bits) {
  std::string text;
  for (unsigned i = 0; i < bits / 8; ++i)
    text += format("%02llx", static_cast<unsigned char>(key[i]));
  return text;
}

std::string aead_of(xfrmnl_sa* sa) {
  std::array<char, 512> name{};
  std::array<char, 512> key{};
  unsigned key_bits = 0;
  unsigned icv_bits = 0;
  if (xfrmnl_sa_get_aead_params(sa, name.data(), &key_bits, &icv_bits, key.data()) != 0)
    return "none";
  return std::string(name.data()) + " " + hex_key(key.data(), key_bits) + " icv " +
         std::to_string(icv_bits);
}

std::string crypt_of(xfrmnl_sa* sa) {
  std::array<char, 512> name{};
  std::array<char, 512> key{};
  unsigned key_bits = 0;
  if (xfrmnl_sa_get_crypto_params(sa, name.data(), &key_bits, key.data()) != 0) return "none";
  return std::string(name.data()) + " " + hex_key(key.data(), key_bits);
}

std::string auth_of(xfrmnl_sa* sa) {
  std::array<char, 512> name{};
  std::array<char, 512> key{};
  unsigned key_bits = 0;
  unsigned trunc_bits = 0;
  if (xfrmnl_sa_get_auth_params(sa, name.data(), &key_bits, &trunc_bits, key.data()) != 0)
    return "none";
  return std::string(name.data()) + " " + hex_key(key.data(), key_bits) + " trunc " +
         std::to_string(trunc_bits);
}

/// An SA has an AEAD, or a cipher and a MAC; all that it has is told.
std::string algorithms_of(xfrmnl_sa* sa) {
  std::string text;
  for (const auto& [label, told] :
       {std::pair{" aead ", aead_of(sa)}, {" crypt ", crypt_of(sa)}, {" auth ", auth_of(sa)}})
    if (told != "none") text += label + told;
  return text;
}

std::string window_of(xfrmnl_sa* sa) {
  std::array<unsigned, 512> bitmap{};
  unsigned oseq = 0;
  unsigned seq = 0;
  unsigned oseq_high = 0;
  unsigned seq_high = 0;
  unsigned window = 0;
  unsigned bitmap_length = 0;
  if (xfrmnl_sa_get_replay_state_esn(sa, &oseq, &seq, &oseq_high, &seq_high, &window,
                                     &bitmap_length, bitmap.data()) != 0)
    return "none, old form " + std::to_string(xfrmnl_sa_get_replay_window(sa));
  return std::to_string(window);
}

std::string text_of(xfrmnl_sa* sa) {
  return std::string(xfrmnl_sa_get_proto(sa) == 50 ? "esp " : "other ") +
         text_of(xfrmnl_sa_get_saddr(sa)) + " > " + text_of(xfrmnl_sa_get_daddr(sa)) + " spi " +
         hex(xfrmnl_sa_get_spi(sa)) + " reqid " + hex(xfrmnl_sa_get_reqid(sa)) + " mode " +
         std::to_string(xfrmnl_sa_get_mode(sa)) + " flags " +
         std::to_string(xfrmnl_sa_get_flags(sa)) + " sel " + text_of(xfrmnl_sa_get_sel(sa)) +
         algorithms_of(sa) + " window " + window_of(sa) + " hard " +
         std::to_string(xfrmnl_ltime_cfg_get_hard_addexpires(xfrmnl_sa_get_lifetime_cfg(sa)));
}

std::string text_of(xfrmnl_user_tmpl* tmpl) {
  return " tmpl " + text_of(xfrmnl_user_tmpl_get_saddr(tmpl)) + " > " +
         text_of(xfrmnl_user_tmpl_get_daddr(tmpl)) + " proto " +
         std::to_string(xfrmnl_user_tmpl_get_proto(tmpl)) + " spi " +
         hex(xfrmnl_user_tmpl_get_spi(tmpl)) + " reqid " + hex(xfrmnl_user_tmpl_get_reqid(tmpl)) +
         " mode " + std::to_string(xfrmnl_user_tmpl_get_mode(tmpl)) + " optional " +
         std::to_string(xfrmnl_user_tmpl_get_optional(tmpl)) + " algos " +
         hex(xfrmnl_user_tmpl_get_aalgos(tmpl)) + hex(xfrmnl_user_tmpl_get_ealgos(tmpl)) +
         hex(xfrmnl_user_tmpl_get_calgos(tmpl));
}

std::string text_of(xfrmnl_sp* policy) {
  std::string text = std::string(xfrmnl_sp_get_dir(policy) == 0 ? "in " : "out ") +
                     text_of(xfrmnl_sp_get_sel(policy)) +
                     (xfrmnl_sp_get_action(policy) == 0 ? " allow" : " block") + " priority " +
                     std::to_string(xfrmnl_sp_get_priority(policy)) + " index " +
                     hex(xfrmnl_sp_get_index(policy));
  for (int i = 0; i < xfrmnl_sp_get_nusertemplates(policy); ++i)
    text += text_of(xfrmnl_sp_usertemplate_n(policy, i));
  return text;
}

template <typename Object>
std::set<std::string> read_all(const Segment& segment, const std::string& host,
                               int (*allocate)(nl_sock*, nl_cache**)) {
  const Inside inside(segment.host(host));
  nl_sock* socket = nl_socket_alloc();
  nl_cache* cache = nullptr;
  if (nl_connect(socket, NETLINK_XFRM) != 0 || allocate(socket, &cache) != 0) std::abort();
  std::set<std::string> lines;
  for (nl_object* object = nl_cache_get_first(cache); object != nullptr;
       object = nl_cache_get_next(object))
    lines.insert(text_of(reinterpret_cast<Object*>(object)));
  nl_cache_free(cache);
  nl_socket_free(socket);
  return lines;
}

}  // namespace

std::set<std::string> read_sas(const Segment& segment, const std::string& host) {
  return read_all<xfrmnl_sa>(segment, host, xfrmnl_sa_alloc_cache);
}

std::set<std::string> read_policies(const Segment& segment, const std::string& host) {
  return read_all<xfrmnl_sp>(segment, host, xfrmnl_sp_alloc_cache);
}

}  // namespace gkmpd::test
