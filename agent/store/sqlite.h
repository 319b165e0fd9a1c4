// The little of SQLite that the store uses, with errors as values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gkmpd::store {

/// An open database. Movable; statements must not outlive it.
class Database {
 public:
  /// Opens an existing file for reading and writing. `store.open-failed`.
  [[nodiscard]] static Result<Database> open(const std::string& path);

  /// Runs SQL without parameters or results; several statements if need be.
  [[nodiscard]] Result<void> run(ErrorKind kind, const char* sql);

  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The error of the last call on this database, as `kind`, with what to do about it.
  [[nodiscard]] Error last_error(ErrorKind kind) const;

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  Database(std::unique_ptr<sqlite3, Closer> handle, std::string path)
      : handle_(std::move(handle)), path_(std::move(path)) {}

  std::unique_ptr<sqlite3, Closer> handle_;
  std::string path_;
};

/// One prepared statement. A failure to prepare or bind sticks and comes out of the next step(), so
/// that calls can be chained and checked once. All its errors are of the kind given first.
class Statement {
 public:
  Statement(const Database& database, ErrorKind kind, const char* sql);

  /// Binds the next parameter.
  Statement& bind(std::uint64_t number);
  Statement& bind(std::string_view text);
  Statement& bind(ByteView blob);

  /// True if there is a row to read, false at the end.
  [[nodiscard]] Result<bool> step();
  /// Steps to the end, for statements without rows.
  [[nodiscard]] Result<void> run();

  /// Columns of the present row, from 0 on.
  [[nodiscard]] std::uint64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] Bytes blob(int column) const;

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  void note(int result);

  const Database* database_;
  ErrorKind kind_;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bound_ = 0;
  bool failed_ = false;
  Error failure_;
};

/// All or nothing: what was written since is undone unless commit() returned success.
class Transaction {
 public:
  /// Failures to begin and commit are of kind `kind`.
  Transaction(Database& database, ErrorKind kind);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> commit();

 private:
  Database* database_;
  ErrorKind kind_;
  bool open_ = false;
};

}  // namespace gkmpd::store
