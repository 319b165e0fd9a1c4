#include "tests/vectors/wire_text.h"

#include "agent/wire/items.h"
#include "tests/vectors/vector_text.h"

namespace gkmpd::wire::samples {
namespace {

using test::put_field;

struct Field {
  std::size_t octets;
  std::string_view what;
};

void put_fields(std::string& text, Reader& in, std::initializer_list<Field> fields) {
  for (const Field& field : fields) put_field(text, in.octets(field.octets), field.what);
}

void put_header(std::string& text, ByteView octets) {
  Reader in(octets);
  put_fields(text, in,
             {{2, "magic"},
              {1, "version"},
              {1, "suite"},
              {1, "type"},
              {1, "role"},
              {1, "flags"},
              {1, "reserved"},
              {8, "exchange id"},
              {16, "group id"},
              {4, "message number"},
              {1, "fragment index"},
              {1, "fragment count"},
              {2, "reserved"}});
}

void put_items(std::string& text, ByteView body) {
  Reader in(body);
  while (!in.at_end()) {
    const ByteView tag = in.octets(2);
    const ByteView length = in.octets(2);
    const auto number = Reader(tag).number<std::uint16_t>();
    put_field(text, tag, "item: " + std::string(item_name(number & 0x7fff)));
    put_field(text, length, "length");
    const ByteView value = in.octets(Reader(length).number<std::uint16_t>());
    if (!value.empty()) put_field(text, value, "value");
  }
}

void put_statement(std::string& text, Reader& in) {
  put_fields(text, in,
             {{1, "version"},
              {1, "suite"},
              {16, "group id"},
              {4, "token version"},
              {4, "term"},
              {1, "rank"},
              {4, "epoch"},
              {32, "controller"},
              {32, "controller's key"},
              {32, "token hash"},
              {16, "previous epoch id"},
              {1, "cause"},
              {1, "creation"},
              {16, "nonce"},
              {16, "GTEK id"},
              {16, "GKEK id"},
              {32, "commitment"},
              {32, "sender table hash"},
              {32, "exclusion hash"},
              {32, "tree parts hash"},
              {4, "activation delay, ms"},
              {4, "deactivation delay, ms"},
              {8, "not before"},
              {8, "not after"}});
  while (!in.at_end()) put_fields(text, in, {{32, "CRL issuer"}, {8, "CRL number"}});
}

void put_sender_table(std::string& text, Reader& in) {
  put_fields(text, in, {{4, "number"}, {2, "entries"}});
  while (!in.at_end()) {
    put_fields(text, in, {{32, "host"}, {2, "first id"}, {2, "ids in the run"}});
    const ByteView count = in.octets(1);
    put_field(text, count, "sources");
    for (unsigned i = 0; i < count[0]; ++i) {
      const ByteView family = in.octets(1);
      put_field(text, family, "family");
      put_field(text, in.octets(family[0] == 4 ? 4 : 16), "address");
    }
  }
}

void put_exclusion_set(std::string& text, Reader& in) {
  put_fields(text, in, {{2, "hosts"}});
  while (!in.at_end()) put_fields(text, in, {{32, "host"}});
}

void put_text(std::string& text, Reader& in, std::string_view what) {
  const ByteView size = in.octets(1);
  put_field(text, size, std::string(what) + ", length");
  const ByteView octets = in.octets(size[0]);
  if (!octets.empty()) put_field(text, octets, what);
}

void put_report(std::string& text, Reader& in) {
  put_fields(text, in, {{1, "version"}, {1, "state of the group"}});
  put_text(text, in, "why it failed");
  const ByteView epoch = in.octets(1);
  put_field(text, epoch, "has an epoch");
  if (epoch[0] == 1) {
    put_fields(text, in,
               {{4, "token version"},
                {4, "term"},
                {1, "rank"},
                {4, "epoch"},
                {16, "epoch id"},
                {8, "not after"}});
  }
  put_fields(text, in, {{1, "installed"}, {1, "sending"}});
  put_text(text, in, "install error");
  put_fields(text, in, {{1, "rekey ordered"}});
  put_text(text, in, "rekey error");
  put_fields(text, in, {{2, "listed"}, {2, "keyed"}, {2, "failed"}, {2, "first"}});
  while (!in.at_end()) {
    put_text(text, in, "member");
    put_fields(text, in, {{1, "its state"}});
    put_text(text, in, "why it failed");
  }
}

VectorFile object_file(std::string_view name, Bytes octets,
                       void (*put_object)(std::string&, Reader&)) {
  VectorFile file{std::string(name) + ".txt", {}, std::move(octets)};
  Reader in(file.octets);
  put_object(file.text, in);
  return file;
}

}  // namespace

std::vector<VectorFile> vector_files() {
  std::vector<VectorFile> files;
  for (const MessageSample& sample : messages()) {
    const auto header = encode_header(sample.header);
    const Bytes body = encode_body(sample.message);
    VectorFile& file = files.emplace_back();
    file.name = std::string(sample.name) + ".txt";
    file.octets = to_bytes(header);
    append(file.octets, body);
    put_header(file.text, header);
    put_items(file.text, body);
  }
  files.push_back(object_file("statement", encode(statement()), put_statement));
  files.push_back(object_file("statement-of-a-rekey", encode(rekey_statement()), put_statement));
  files.push_back(object_file("sender-table", encode(sender_table()), put_sender_table));
  files.push_back(object_file("exclusion-set", encode(exclusion_set()), put_exclusion_set));
  files.push_back(object_file("group-report", encode(group_report()), put_report));
  return files;
}

}  // namespace gkmpd::wire::samples
