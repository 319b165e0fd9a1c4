// A command's text that is taken says the same when it is written anew.
#include <cstdlib>

#include "agent/identity/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd::identity;
  const auto text = parse_command(gkmpd::as_text({data, size}));
  if (text) {
    if (text->counter == 0 || !is_valid_name(text->group)) std::abort();
    const auto again = parse_command(command_text(*text));
    if (!again || !(*again == *text)) std::abort();
  } else {
    // Errors are shown to people and logs: one printable line.
    for (const char c : text.error().detail) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  return 0;
}
