// esp-open: reads the kernel's ESP keys back and opens a captured segment with them. It shares
// nothing with the agent, so that the two cannot be wrong together.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/esp_open/segment.h"

namespace gkmpd::esp_open {
namespace {

using Json = nlohmann::ordered_json;

int complain(const std::string& what) {
  std::cerr << "esp-open: " << what << '\n';
  return 1;
}

std::string spi_text(std::uint32_t spi) {
  std::ostringstream text;
  text << "0x" << std::hex << std::setfill('0') << std::setw(8) << spi;
  return text.str();
}

/// Adds this namespace's SAs to `path`, which only its owner can read.
int save_keys(const std::string& path) {
  const auto keys = dump_kernel_keys();
  if (!keys) return complain(keys.error());
  umask(S_IRWXG | S_IRWXO);
  std::ofstream out(path, std::ios::app);
  write_keys(out, *keys);
  if (!out.flush()) return complain(path + ": cannot write");
  return 0;
}

/// The same without the keys, for people and scripts.
int list_sas() {
  const auto keys = dump_kernel_keys();
  if (!keys) return complain(keys.error());
  auto list = Json::array();
  for (const SaKey& key : *keys) {
    list.push_back({{"spi", spi_text(key.spi)},
                    {"source", key.source},
                    {"destination", key.destination},
                    {"algorithm", key.algorithm},
                    {"key_bits", key.key.size() * 8},
                    {"auth", key.auth},
                    {"icv_bits", key.icv_bits},
                    {"reqid", key.reqid},
                    {"replay_window", key.replay_window},
                    {"esn", key.esn},
                    {"mode", key.tunnel ? "tunnel" : "transport"}});
  }
  std::cout << list << '\n';
  return 0;
}

Json to_json(const Segment& segment, bool ends_early) {
  auto spis = Json::object();
  for (const auto& [spi, count] : segment.spis) {
    spis[spi_text(spi)] = {{"frames", count.frames},
                           {"opened", count.opened},
                           {"sources", count.sources},
                           {"first_sequence", count.first_sequence},
                           {"last_sequence", count.last_sequence}};
  }
  return {{"frames", segment.frames},
          {"capture_ends_early", ends_early},
          {"esp_frames", segment.esp_frames},
          {"opened", segment.opened},
          {"failed", segment.failed},
          {"failures", segment.failures},
          {"spis", spis},
          {"cleartext", segment.cleartext},
          {"messages", segment.messages},
          {"message_counts", segment.message_counts},
          {"message_repeats", segment.message_repeats},
          {"control_suites", segment.control_suites},
          {"control_after_esp", segment.control_after_esp},
          {"reporters", segment.reporters}};
}

int open_capture(const std::string& capture_path, const std::string& keys_path,
                 const GroupView& group) {
  std::ifstream keys_file(keys_path);
  if (!keys_file) return complain(keys_path + ": cannot read");
  const auto keys = read_keys(keys_file);
  if (!keys) return complain(keys.error());
  std::ifstream capture_file(capture_path, std::ios::binary);
  if (!capture_file) return complain(capture_path + ": cannot read");
  const Octets octets{std::istreambuf_iterator<char>(capture_file), {}};
  const auto capture = read_capture(octets);
  if (!capture) return complain(capture_path + ": " + capture.error());
  std::cout << to_json(look_at(*capture, group, *keys), capture->ends_early) << '\n';
  return 0;
}

}  // namespace
}  // namespace gkmpd::esp_open

int main(int argc, char** argv) {
  CLI::App app("Opens captured ESP of a multicast group with the keys that kernels hold.");
  app.require_subcommand(1);
  std::string out;
  auto* keys = app.add_subcommand("keys", "add this network namespace's ESP keys to a file");
  keys->add_option("--out", out, "file to add to; made readable by its owner alone")->required();

  auto* list = app.add_subcommand("list", "list this network namespace's SAs without their keys");

  std::string capture;
  std::string keys_path;
  gkmpd::esp_open::GroupView group;
  std::string gkmp_id;
  auto* open = app.add_subcommand("open", "open a capture and say what is in it");
  open->add_option("--keys", keys_path, "file of `keys`")->required();
  open->add_option("--group", group.data_address, "data address of the group")->required();
  open->add_option("--port", group.data_port, "data port of the group")->required();
  open->add_option("--control-port", group.control_port, "GKMP's port")->required();
  open->add_option("--gkmp-id", gkmp_id,
                   "id of the group in GKMP's header, 32 hexadecimal digits; without, messages of "
                   "all groups count");
  open->add_option("capture", capture, "file of tcpdump -w")->required();
  CLI11_PARSE(app, argc, argv);

  using namespace gkmpd::esp_open;
  if (*keys) return save_keys(out);
  if (*list) return list_sas();
  const auto address = plain_address(group.data_address);
  if (!address) return complain("--group is no address: " + group.data_address);
  group.data_address = *address;
  const bool right_size = gkmp_id.empty() || gkmp_id.size() == 2 * kGkmpIdSize;
  if (!right_size || !read_hex(gkmp_id, group.gkmp_id)) {
    return complain("--gkmp-id is not 32 hexadecimal digits");
  }
  return open_capture(capture, keys_path, group);
}
