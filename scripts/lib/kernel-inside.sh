#!/bin/bash
# Runs in the kernel that scripts/kernel started: makes the place fit, runs the command of the job
# directory, leaves its exit code there. In a guest kernel this is process 1 and ends the guest.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
readonly job=$1
source "$job/settings"

# What must be there for gkmpd and its tests, and what only some cases want (a kernel may lack it).
needed_modules=(esp4 esp6 xfrm_user gcm seqiv echainiv authenc authencesn cbc hmac chacha20poly1305
  sha256_generic sha512_generic veth bridge)
wanted_modules=(af_packet ghash-generic ccm ctr cmac crypto_null sch_netem sch_tbf dummy tun nf_tables xfrm_interface)

# own_directory DIR: a fresh directory in memory on DIR, in which what must stay visible still is.
own_directory() {
  local scratch=$job/own path
  mkdir -p "$scratch"
  mount -n -t tmpfs -o mode=755 tmpfs "$scratch" || return
  for path in "${visible[@]}"; do
    [[ $path == "$1"/* ]] || continue
    mkdir -p "$scratch${path#"$1"}"
    mount -n --rbind "$path" "$scratch${path#"$1"}" || return
  done
  mount -n --move "$scratch" "$1"
}

# UML puts a fresh /dev on its root by itself; the host's directories below it come back this way.
show_again_below_dev() {
  local path
  for path in "${visible[@]}"; do
    [[ $path == /dev/* && ! -d $path ]] || continue
    mkdir -p "$path"
    mount -n -t hostfs -o "$path" none "$path" || return
  done
}

prepare() {
  mount -n -t proc proc /proc || return
  mount -n -t sysfs sysfs /sys 2>/dev/null
  if [[ $kind == uml ]]; then
    show_again_below_dev || return
    modules=/usr/lib/uml/modules
  fi
  own_directory "$(readlink -f /run)" || return
  mkdir -p -m 1777 /run/tmp /run/lock
  export TMPDIR=/run/tmp
  if [[ $kind != direct ]]; then
    mkdir -p /lib/modules && mount -n --bind "$modules" /lib/modules || return
    modprobe -a "${needed_modules[@]}" || return
    modprobe -qa "${wanted_modules[@]}"
    echo gkmpd-test >/proc/sys/kernel/hostname
  fi
  ip link set lo up
}

# end_guest: writes what is in memory back and switches the machine off.
end_guest() {
  sync
  echo o >/proc/sysrq-trigger
  sleep 60
}

# raw DEVICE: a serial line that changes nothing it carries; comes back when all that was written
# before is out. Other devices are so by themselves.
raw() {
  [[ $1 != /dev/ttyS* ]] || stty -F "$1" raw -echo
}

# run_in_guest OUT ERR: runs the command with its outputs copied to two devices. They pass
# through pipes, so that the command sees no terminal, as it sees none under ctest.
run_in_guest() {
  local code tty copiers=() tries
  for tty in "$1" "$2"; do raw "$tty" || return; done
  mkfifo /run/out /run/err
  cat /run/out >"$1" &
  copiers+=($!)
  cat /run/err >"$2" &
  copiers+=($!)
  bash "$job/command" </dev/null >/run/out 2>/run/err
  code=$?
  # What the command left running holds the pipes open: it gets two seconds.
  for ((tries = 0; tries < 20; ++tries)); do
    kill -0 "${copiers[@]}" 2>/dev/null || break
    sleep 0.1
  done
  for tty in "$1" "$2"; do raw "$tty"; done
  return "$code"
}

case $kind in
  direct)
    prepare && { bash "$job/command" </dev/null; echo $? >"$job/exit"; } ;;
  uml)
    prepare && { run_in_guest /dev/ttyS0 /dev/ttyS1; echo $? >"$job/exit"; }
    end_guest ;;
  qemu)
    prepare && { run_in_guest /dev/vport0p2 /dev/vport0p3; echo $? >"$job/exit"; }
    end_guest ;;
esac
