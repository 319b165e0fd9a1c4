# Part of scripts/kernel: the running kernel.

# True if we are root and this kernel can do ESP. Asked by doing: in a network namespace that is
# gone afterwards, an AES-GCM SA and a veth pair are made.
direct_can() {
  [[ $(id -u) == 0 ]] || return 1
  unshare --net sh -ec '
    ip xfrm state add src 192.0.2.1 dst 239.0.0.1 proto esp spi 0x100 mode transport \
      aead "rfc4106(gcm(aes))" 0x0000000000000000000000000000000000000000 128
    ip link add gkmpd-probe0 type veth peer name gkmpd-probe1' >/dev/null 2>&1
}

# In namespaces of its own the command can break nothing of the machine's network, and its
# left-over processes end with it.
start_direct() {
  need unshare util-linux
  need ip iproute2
  direct_can || fail "this kernel cannot do what is needed (ESP with AES-GCM, veth), or we are not root"
  : >"$job/log"
  setsid \
    unshare --net --mount --propagation=private --pid --fork --kill-child \
    "$job/inside" "$job" </dev/null &
  runner=$!
}
