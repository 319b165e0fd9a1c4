// Preloaded into User-Mode Linux by scripts/kernel.
//
// UML 6.1 keeps a guest process's vector registers in a buffer whose size was fixed when UML was
// built, for CPUs up to AVX-512. Linux takes a process's extended state through PTRACE_SETREGSET
// only whole: on a CPU that has more (AMX: 11 KiB), the short buffer is refused with EFAULT and UML
// dies with its first process. This ptrace() lengthens the request: what UML holds goes over the
// first part, the rest stays as the kernel has it (UML's guests cannot get leave to use AMX).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long (*PtraceFunction)(int request, pid_t pid, void* address, void* data);

// The XSAVE header stands after the legacy area; its first word has a bit for each component that
// is not in its initial state. Components 0-9 are those that UML's buffer holds; AMX is 17 and 18.
enum { kHeaderOffset = 512, kHeaderBytes = 64, kStateMaxBytes = 64 * 1024 };
static const uint64_t kLegacyComponents = 0x3ff;

static unsigned char state[kStateMaxBytes];  // UML asks from one thread only

static long whole_state(PtraceFunction next, int request, pid_t pid, size_t* length) {
  struct iovec whole = {state, *length};
  const long result = next(request, pid, (void*)(uintptr_t)NT_X86_XSTATE, &whole);
  *length = whole.iov_len;
  return result;
}

static long get_state(PtraceFunction next, pid_t pid, struct iovec* wanted) {
  size_t length = sizeof state;
  const long result = whole_state(next, PTRACE_GETREGSET, pid, &length);
  if (result != 0) return result;
  if (length > wanted->iov_len) {
    uint64_t components;
    memcpy(&components, state + kHeaderOffset, sizeof components);
    components &= kLegacyComponents;
    memcpy(state + kHeaderOffset, &components, sizeof components);
    length = wanted->iov_len;
  }
  memcpy(wanted->iov_base, state, length);
  wanted->iov_len = length;
  return 0;
}

static long set_state(PtraceFunction next, pid_t pid, const struct iovec* given) {
  size_t length = sizeof state;
  const long result = whole_state(next, PTRACE_GETREGSET, pid, &length);
  if (result != 0) return result;
  memcpy(state, given->iov_base, given->iov_len < length ? given->iov_len : length);
  return whole_state(next, PTRACE_SETREGSET, pid, &length);
}

long ptrace(enum __ptrace_request request, ...) {
  static PtraceFunction next;
  if (next == NULL) next = (PtraceFunction)(uintptr_t)dlsym(RTLD_NEXT, "ptrace");

  va_list arguments;
  va_start(arguments, request);
  const pid_t pid = va_arg(arguments, pid_t);
  void* address = va_arg(arguments, void*);
  void* data = va_arg(arguments, void*);
  va_end(arguments);

  const int is_state = (uintptr_t)address == NT_X86_XSTATE;
  struct iovec* vector = data;
  if (is_state && request == PTRACE_GETREGSET && vector->iov_len >= kHeaderOffset + kHeaderBytes) {
    return get_state(next, pid, vector);
  }
  if (is_state && request == PTRACE_SETREGSET && vector->iov_len >= kHeaderOffset + kHeaderBytes) {
    return set_state(next, pid, vector);
  }
  return next(request, pid, address, data);
}
