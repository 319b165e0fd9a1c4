# Part of scripts/lab: the segment. Few processes: starting one is dear in User-Mode Linux.

# address_of HOST FAMILY: 4, 6, or link for the IPv6 address that only its neighbours use.
address_of() {
  local i
  for i in "${!all_hosts[@]}"; do
    [[ ${all_hosts[i]} == "$1" ]] || continue
    case $2 in
      4) echo "10.9.0.$((i + 1))" ;;
      6) printf 'fd09::%x\n' "$((i + 1))" ;;
      link) printf 'fe80::%x\n' "$((i + 1))" ;;
    esac
  done
}

# inside HOST COMMAND...: the command in the host's network namespace.
inside() {
  nsenter --net="/run/netns/$prefix-$1" "${@:2}"
}

network_up() {
  local host
  {
    echo "netns add $prefix-wire"
    for host in "${all_hosts[@]}"; do echo "netns add $prefix-$host"; done
  } | ip -batch -
  # Without snooping every port gets every multicast frame: an outsider too, who is then kept out by
  # nothing but encryption.
  {
    echo "link set lo up"
    echo "link add name br0 type bridge mcast_snooping 0"
    echo "link set br0 up"
    for host in "${all_hosts[@]}"; do
      echo "link add name $host type veth peer name eth0 netns $prefix-$host"
      echo "link set dev $host master br0 up"
    done
  } | ip -netns "$prefix-wire" -batch -
  for host in "${all_hosts[@]}"; do
    {
      echo "link set lo up"
      # Of the kernel's own making, the link-local address would depend on chance and come late.
      echo "link set eth0 addrgenmode none"
      echo "link set eth0 up"
      echo "address add $(address_of "$host" 4)/24 brd + dev eth0"
      echo "address add $(address_of "$host" 6)/64 dev eth0 nodad"
      echo "address add $(address_of "$host" link)/64 dev eth0 nodad"
      # IPv6 needs none: the kernel routes ff00::/8 to every interface that is up, here to eth0 alone.
      echo "route add 239.0.0.0/8 dev eth0"
    } | ip -netns "$prefix-$host" -batch -
  done
}

network_down() {
  local host
  for host in "${all_hosts[@]}" wire; do
    [[ ! -e /run/netns/$prefix-$host ]] || echo "netns delete $prefix-$host"
  done | ip -batch -
}
