#include "tests/support/mnl_doubles.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { kMaxDatagrams = 8192, kMaxSent = 64, kMaxGroups = 64, kMaxOptions = 64, kFd = 12345 };

struct datagram {
  uint8_t* octets;
  size_t size;
  size_t announced;
  uint32_t sender;
  int error;       // of looking ahead
  int late_error;  // of taking
};

static struct datagram queue[kMaxDatagrams];
static size_t queue_begin;
static size_t queue_end;

static struct {
  uint8_t* octets;
  size_t size;
} sent[kMaxSent];
static size_t sent_count;

static int open_error;
static int bind_error;
static int failing_option;
static int option_error;
static int send_error;
static size_t send_limit;
static int sockets;
static int groups[kMaxGroups];
static int options[kMaxOptions];

static int fail_once(int* error) {
  errno = *error;
  *error = 0;
  return -1;
}

static void push(const void* octets, size_t size, const struct datagram* rest) {
  if (queue_end == kMaxDatagrams) abort();
  struct datagram* next = &queue[queue_end++];
  *next = *rest;
  next->size = size;
  next->octets = malloc(size + 1);
  if (next->octets == NULL) abort();
  if (size > 0) memcpy(next->octets, octets, size);
}

void mnl_doubles_reset(void) {
  for (size_t i = 0; i < queue_end; ++i) free(queue[i].octets);
  for (size_t i = 0; i < sent_count; ++i) free(sent[i].octets);
  memset(queue, 0, sizeof queue);
  memset(sent, 0, sizeof sent);
  memset(groups, 0, sizeof groups);
  memset(options, 0, sizeof options);
  queue_begin = queue_end = sent_count = send_limit = 0;
  open_error = bind_error = failing_option = option_error = send_error = 0;
}

void mnl_doubles_fail_open(int error) { open_error = error; }
void mnl_doubles_fail_bind(int error) { bind_error = error; }
void mnl_doubles_fail_option(int option, int error) {
  failing_option = option;
  option_error = error;
}
void mnl_doubles_fail_send(int error) { send_error = error; }
void mnl_doubles_shorten_send(size_t taken) { send_limit = taken; }

void mnl_doubles_queue(const void* octets, size_t size, uint32_t sender) {
  const struct datagram rest = {.announced = size, .sender = sender};
  push(octets, size, &rest);
}
void mnl_doubles_queue_announced(const void* octets, size_t size, size_t announced) {
  const struct datagram rest = {.announced = announced};
  push(octets, size, &rest);
}
void mnl_doubles_queue_error(int error) {
  const struct datagram rest = {.error = error};
  push("", 0, &rest);
}
void mnl_doubles_queue_late_error(int error) {
  const struct datagram rest = {.announced = 20, .late_error = error};
  push("", 0, &rest);
}

size_t mnl_doubles_queued(void) { return queue_end - queue_begin; }
size_t mnl_doubles_sent_count(void) { return sent_count; }
const uint8_t* mnl_doubles_sent(size_t index, size_t* size) {
  if (index >= sent_count) abort();
  *size = sent[index].size;
  return sent[index].octets;
}
int mnl_doubles_open_sockets(void) { return sockets; }
int mnl_doubles_joined(int group) { return groups[group]; }
int mnl_doubles_option_set(int option) { return options[option]; }

// What the linker puts in place of the calls. The handle is never looked into.
struct mnl_socket* __wrap_mnl_socket_open2(int bus, int flags);
int __wrap_mnl_socket_close(struct mnl_socket* handle);
int __wrap_mnl_socket_bind(struct mnl_socket* handle, unsigned int member, pid_t pid);
int __wrap_mnl_socket_setsockopt(const struct mnl_socket* handle, int type, void* value,
                                 socklen_t size);
int __wrap_mnl_socket_get_fd(const struct mnl_socket* handle);
unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket* handle);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket* handle, const void* octets, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket* handle, void* room, size_t size);
ssize_t __wrap_recvfrom(int fd, void* room, size_t size, int flags, struct sockaddr* sender,
                        socklen_t* sender_size);
int __wrap_setsockopt(int fd, int level, int option, const void* value, socklen_t size);

static int handle_storage;

struct mnl_socket* __wrap_mnl_socket_open2(int bus, int flags) {
  (void)bus;
  (void)flags;
  if (open_error != 0) {
    (void)fail_once(&open_error);
    return NULL;
  }
  ++sockets;
  return (struct mnl_socket*)&handle_storage;
}

int __wrap_mnl_socket_close(struct mnl_socket* handle) {
  (void)handle;
  --sockets;
  return 0;
}

int __wrap_mnl_socket_bind(struct mnl_socket* handle, unsigned int member, pid_t pid) {
  (void)handle;
  (void)member;
  (void)pid;
  return bind_error != 0 ? fail_once(&bind_error) : 0;
}

int __wrap_mnl_socket_setsockopt(const struct mnl_socket* handle, int type, void* value,
                                 socklen_t size) {
  (void)handle;
  if (option_error != 0 && type == failing_option) return fail_once(&option_error);
  int number = 0;
  if (size != sizeof number) abort();
  memcpy(&number, value, sizeof number);
  if (type == NETLINK_ADD_MEMBERSHIP)
    groups[number] = 1;
  else
    options[type] = number;
  return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket* handle) {
  (void)handle;
  return kFd;
}

unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket* handle) {
  (void)handle;
  return MNL_DOUBLES_PORT;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket* handle, const void* octets, size_t size) {
  (void)handle;
  if (send_error != 0) return fail_once(&send_error);
  if (sent_count == kMaxSent) abort();
  sent[sent_count].octets = malloc(size + 1);
  if (sent[sent_count].octets == NULL) abort();
  memcpy(sent[sent_count].octets, octets, size);
  sent[sent_count++].size = size;
  const size_t taken = send_limit != 0 && send_limit < size ? send_limit : size;
  send_limit = 0;
  return (ssize_t)taken;
}

ssize_t __wrap_recvfrom(int fd, void* room, size_t size, int flags, struct sockaddr* sender,
                        socklen_t* sender_size) {
  (void)room;
  (void)size;
  if (fd != kFd || (flags & MSG_PEEK) == 0) abort();
  if (queue_begin == queue_end) {
    errno = EAGAIN;
    return -1;
  }
  struct datagram* next = &queue[queue_begin];
  if (next->error != 0) {
    ++queue_begin;
    return fail_once(&next->error);
  }
  struct sockaddr_nl from = {.nl_family = AF_NETLINK, .nl_pid = next->sender};
  memcpy(sender, &from, sizeof from);
  *sender_size = sizeof from;
  return (ssize_t)next->announced;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket* handle, void* room, size_t size) {
  (void)handle;
  if (queue_begin == queue_end) {
    errno = EAGAIN;
    return -1;
  }
  struct datagram* next = &queue[queue_begin++];
  if (next->late_error != 0) return fail_once(&next->late_error);
  if (next->size > size) {
    errno = ENOSPC;  // as libmnl tells of MSG_TRUNC
    return -1;
  }
  memcpy(room, next->octets, next->size);
  return (ssize_t)next->size;
}

int __wrap_setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  (void)value;
  (void)size;
  if (fd != kFd || level != SOL_SOCKET) abort();
  // As without CAP_NET_ADMIN: only the plain forms are allowed.
  if (option == SO_RCVBUFFORCE || option == SO_SNDBUFFORCE) {
    errno = EPERM;
    return -1;
  }
  return 0;
}
