// Orders to rekey one group that no epoch answers yet. An order is answered by the first epoch that
// is begun after it came, so those that wait together are answered by one.
#pragma once

namespace gkmpd::protocol {

class RekeyOrders {
 public:
  /// One more was taken.
  void take() { waiting_ = true; }
  /// An epoch is being made, which will answer all that wait.
  void begun() {
    begun_ |= waiting_;
    waiting_ = false;
  }
  /// It came to nothing: the orders still stand.
  void failed() {
    waiting_ |= begun_;
    begun_ = false;
  }
  /// It stands: what came meanwhile waits for the next one.
  void done() { begun_ = false; }

  [[nodiscard]] bool waiting() const { return waiting_; }
  [[nodiscard]] bool standing() const { return waiting_ || begun_; }

 private:
  bool waiting_ = false;
  bool begun_ = false;
};

}  // namespace gkmpd::protocol
