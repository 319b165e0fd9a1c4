# Part of scripts/kernel: Debian's cloud kernel under qemu, in software emulation.
#
# The cloud kernel knows no file system that qemu could share, but it has FUSE: the guest's root is
# this machine's, served by sftp-server over a virtio port and mounted by sshfs. An initramfs of
# busybox and sshfs does that and goes on with kernel-inside.sh.

readonly sftp_server=/usr/lib/openssh/sftp-server

# cloud_kernel: prints a directory with Debian's newest cloud kernel that apt offers, fetched and
# unpacked there, not installed.
cloud_kernel() {
  local meta package directory scratch
  for meta in linux-image-6.12-cloud-amd64 linux-image-cloud-amd64; do
    package=$(apt-cache depends --important "$meta" 2>/dev/null |
      awk '/Depends: linux-image-/ { print $2; exit }')
    [[ $package ]] && break
  done
  if [[ ! $package ]]; then
    say "apt offers no cloud kernel: apt-get update, and look at apt-cache policy linux-image-cloud-amd64"
    return 1
  fi
  directory=$tree/build/cloud-kernel/$package
  if [[ ! -d $directory ]]; then
    say "fetching $package"
    mkdir -p "${directory%/*}"
    scratch=$(mktemp -d "${directory%/*}/fetch.XXXXXX") || return
    (cd "$scratch" && apt-get -q download "$package" >fetch.log 2>&1 && dpkg -x ./*.deb . &&
      rm ./*.deb && depmod -b . "${package#linux-image-}") || {
      say "could not fetch $package: $(tail -n 1 "$scratch/fetch.log")"
      rm -rf -- "$scratch"
      return 1
    }
    mv -T -- "$scratch" "$directory" 2>/dev/null || rm -rf -- "$scratch"
  fi
  echo "$directory"
}

# make_initramfs FILE KERNEL: busybox, sshfs with its libraries, the modules that these two need of
# that kernel, and an init that changes over to our root.
make_initramfs() {
  local root=$job/initramfs file
  local options=passive,allow_other,default_permissions,kernel_cache,dcache_timeout=600
  options+=,entry_timeout=600,attr_timeout=600
  # Newer versions refuse absolute links, which a root is full of, unless told.
  if sshfs --help 2>&1 | grep -q no_contain_symlinks; then options+=,no_contain_symlinks; fi
  mkdir -p "$root"/{bin,dev,proc,sys,newroot}
  cp -- "$(command -v busybox)" "$root/bin/busybox" || return
  for file in $(command -v sshfs) $(ldd "$(command -v sshfs)" | grep -o '/[^ ]*'); do
    mkdir -p "$root${file%/*}"
    cp -L -- "$file" "$root$file" || return
  done
  : >"$root/modules"
  # Lines of "insmod FILE" in the order of loading; for what is built in, "builtin NAME".
  modprobe --dirname "$2" --set-version "${2##*/linux-image-}" --show-depends --all \
    virtio_pci virtio_console fuse | while read -r word file _; do
    [[ $word == insmod ]] || continue
    case $file in
      *.xz) xz -dc -- "$file" >"$root/${file##*/}" ;;
      *) cp -- "$file" "$root/${file##*/}" ;;
    esac
    echo "/${file##*/}" >>"$root/modules"
  done
  cat >"$root/init" <<TEXT
#!/bin/busybox sh
export PATH=/bin:/usr/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
while read module; do insmod \$module; done </modules
until [ -e /dev/vport0p3 ]; do sleep 0.1; done
sshfs here:/ /newroot -f -o $options \
  <>/dev/vport0p1 >&0 &
until grep -q " /newroot " /proc/mounts; do kill -0 \$! || exit; sleep 0.1; done
mount -t devtmpfs dev /newroot/dev
exec chroot /newroot $job/inside $job
TEXT
  chmod +x "$root/init"
  (cd "$root" && busybox find . | busybox cpio -o -H newc 2>/dev/null) >"$1"
}

start_qemu() {
  local kernel path
  need qemu-system-x86_64 qemu-system-x86
  need busybox busybox-static
  need sshfs sshfs
  need modprobe kmod
  need ip iproute2
  [[ -x $sftp_server ]] || fail "$sftp_server is missing: apt-get install openssh-sftp-server"
  [[ -d /lib/modules || $(id -u) == 0 ]] || fail "as root, once: mkdir /lib/modules"
  for path in "$tree" "$cwd"; do
    [[ $path != /dev/* ]] || fail "with --qemu, what lies below /dev is not to be seen: $path"
  done
  kernel=$(cloud_kernel) || exit 125
  printf 'modules=%q\n' "$kernel/lib/modules" >>"$job/settings"
  make_initramfs "$job/initramfs.cpio" "$kernel" || fail "the initramfs could not be made"

  mkfifo "$job/out" "$job/err" "$job/fs.in" "$job/fs.out"
  cat "$job/out" &
  copiers+=($!)
  cat "$job/err" >&2 &
  copiers+=($!)
  setsid bash -c '"$1" <"$2/fs.out" >"$2/fs.in" & shift 2; exec "$@"' \
    qemu "$sftp_server" "$job" \
    qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "$memory" \
    -nodefaults -display none -no-reboot \
    -kernel "$kernel"/boot/vmlinuz-* -initrd "$job/initramfs.cpio" \
    -append "console=ttyS0 quiet panic=-1" \
    -serial "file:$job/log" -device virtio-serial \
    -chardev "pipe,id=fs,path=$job/fs" -device virtserialport,chardev=fs,nr=1 \
    -chardev "file,id=out,path=$job/out" -device virtserialport,chardev=out,nr=2 \
    -chardev "file,id=err,path=$job/err" -device virtserialport,chardev=err,nr=3 \
    </dev/null >"$job/qemu-log" 2>&1 &
  runner=$!
}
