# The Debian 12 packages that gkmpd needs, by purpose. Sourced by the other scripts:
#
#   ensure_packages build test kernel
#
# installs what these purposes need and is not there yet; where all is there, it touches nothing.

# Compilers and libraries of both builds (g++, and clang-19 with the sanitizers).
packages_build=(
  cmake ninja-build pkg-config g++ libc6-dev
  clang-19 libclang-rt-19-dev
  libcli11-dev libexpected-dev libfmt-dev libmnl-dev libnl-3-dev libnl-route-3-dev
  libnl-xfrm-3-dev libsqlite3-dev libssl-dev libsystemd-dev libtomlplusplus-dev nlohmann-json3-dev
  libbenchmark-dev libcmocka-dev libgmock-dev libgtest-dev
)
# What the tests run beside the programs of the build.
packages_test=(clang-format-19 clang-tidy-19 git openssl python3 python3-cryptography)
# scripts/kernel, and what tests and labs use inside of the kernel.
packages_kernel=(
  iproute2 iputils-ping kmod procps tcpdump user-mode-linux
  libstrongswan-standard-plugins strongswan-charon strongswan-swanctl
)
# scripts/kernel --qemu beyond that. The kernel itself is fetched, not installed.
packages_qemu=(busybox-static openssh-sftp-server qemu-system-x86 sshfs xz-utils)
# scripts/lab and scripts/demo.
packages_demo=(jq openssl)
# scripts/bench beyond the programs that it builds.
packages_bench=(jq)

# package_missing NAME: true unless the package is installed and configured.
package_missing() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) != installed ]]
}

ensure_packages() {
  local purpose package list missing=()
  for purpose in "$@"; do
    list="packages_$purpose[@]"
    for package in "${!list}"; do
      if package_missing "$package"; then missing+=("$package"); fi
    done
  done
  ((${#missing[@]})) || return 0
  if [[ $(id -u) != 0 ]]; then
    echo "packages are missing; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  apt_quietly update &&
    apt_quietly install --no-install-recommends "${missing[@]}"
}

# apt_quietly ARGUMENT...: apt-get that asks nothing and speaks only if it fails.
apt_quietly() {
  local log code
  log=$(mktemp) || return
  DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" </dev/null >"$log" 2>&1
  code=$?
  if ((code != 0)); then
    echo "apt-get $1 failed:" >&2
    tail -n 30 -- "$log" >&2
  fi
  rm -f -- "$log"
  return "$code"
}
