#include "agent/store/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "agent/store/store.h"

namespace gkmpd::store {
namespace {

/// What an operator can do about an SQLite result code.
const char* advice(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return "the file is damaged or is no state of this agent: move it away, and this host joins "
             "its groups as a newcomer";
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return "check that the disk is neither full nor failing, then start again";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "check that this user may write the file and its directory";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program has the file open: end it first";
    default:
      return "start again; if this stays, move the file away, and this host joins its groups as a "
             "newcomer";
  }
}

}  // namespace

void Database::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Database> Database::open(const std::string& path) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(std::unique_ptr<sqlite3, Closer>(raw), path);
  if (result != SQLITE_OK) return tl::unexpected<Error>(database.last_error(kOpenFailed));
  return database;
}

Result<void> Database::run(ErrorKind kind, const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::unexpected<Error>(last_error(kind));
  }
  return {};
}

Error Database::last_error(ErrorKind kind) const {
  // A null handle (no memory) is read by both calls as such.
  const int code = sqlite3_extended_errcode(handle());
  return {kind, path_ + ": " + sqlite3_errmsg(handle()) + " (" + std::to_string(code) + "); " +
                    advice(code)};
}

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(const Database& database, ErrorKind kind, const char* sql)
    : database_(&database), kind_(kind), failure_{kind, {}} {
  sqlite3_stmt* raw = nullptr;
  note(sqlite3_prepare_v2(database.handle(), sql, -1, &raw, nullptr));
  statement_.reset(raw);
}

void Statement::note(int result) {
  if (result == SQLITE_OK || failed_) return;
  failed_ = true;
  failure_ = database_->last_error(kind_);
}

Statement& Statement::bind(std::uint64_t number) {
  // SQLite's integers are signed: 64-bit numbers pass through as the same bits.
  if (!failed_) {
    note(sqlite3_bind_int64(statement_.get(), ++bound_, static_cast<sqlite3_int64>(number)));
  }
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  if (!failed_) {
    note(sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                             SQLITE_UTF8));
  }
  return *this;
}

Statement& Statement::bind(ByteView blob) {
  if (failed_) return *this;
  // A null pointer would be bound as NULL, not as an empty blob.
  note(blob.empty() ? sqlite3_bind_zeroblob(statement_.get(), ++bound_, 0)
                    : sqlite3_bind_blob64(statement_.get(), ++bound_, blob.data(), blob.size(),
                                          SQLITE_TRANSIENT));
  return *this;
}

Result<bool> Statement::step() {
  if (failed_) return tl::unexpected<Error>(failure_);
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  note(result);
  return tl::unexpected<Error>(failure_);
}

Result<void> Statement::run() {
  while (true) {
    auto row = step();
    if (!row) return pass_on(row);
    if (!*row) return {};
  }
}

std::uint64_t Statement::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string Statement::text(int column) const { return std::string(as_text(blob(column))); }

Bytes Statement::blob(int column) const {
  const auto* octets =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (octets == nullptr) return {};
  return {octets, octets + size};
}

Transaction::Transaction(Database& database, ErrorKind kind) : database_(&database), kind_(kind) {}

Transaction::~Transaction() {
  if (!open_) return;
  // A failure here leaves the transaction uncommitted, which is all that is promised.
  [[maybe_unused]] const auto undone = database_->run(kind_, "ROLLBACK");
}

Result<void> Transaction::begin() {
  auto begun = database_->run(kind_, "BEGIN IMMEDIATE");
  open_ = begun.has_value();
  return begun;
}

Result<void> Transaction::commit() {
  auto committed = database_->run(kind_, "COMMIT");
  if (committed) open_ = false;
  return committed;
}

}  // namespace gkmpd::store
