// Stand-ins for the calls between our netlink sockets and the kernel, for programs linked with
// -Wl,--wrap=CALL for each of them. No kernel is reached; what is received is scripted.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MNL_DOUBLES_PORT = 4242 };

// Forgets scripts, failures and what was sent. Sockets opened before must be closed.
void mnl_doubles_reset(void);

// The next opening, binding or setting of a netlink option fails with that errno.
void mnl_doubles_fail_open(int error);
void mnl_doubles_fail_bind(int error);
void mnl_doubles_fail_option(int option, int error);
// The next send fails with that errno, or takes only so many octets.
void mnl_doubles_fail_send(int error);
void mnl_doubles_shorten_send(size_t taken);

// The next datagram to be received, from the port `sender` (the kernel's is 0).
void mnl_doubles_queue(const void* octets, size_t size, uint32_t sender);
// The same, but looking ahead says that it has `announced` octets.
void mnl_doubles_queue_announced(const void* octets, size_t size, size_t announced);
// Receiving fails once with that errno.
void mnl_doubles_queue_error(int error);
// Looking ahead succeeds and then taking the datagram fails with that errno.
void mnl_doubles_queue_late_error(int error);

size_t mnl_doubles_queued(void);
size_t mnl_doubles_sent_count(void);
const uint8_t* mnl_doubles_sent(size_t index, size_t* size);
// Sockets that were opened and not closed.
int mnl_doubles_open_sockets(void);
// True if that multicast group was joined or that netlink option switched on.
int mnl_doubles_joined(int group);
int mnl_doubles_option_set(int option);

#ifdef __cplusplus
}
#endif
