//! This machine's addresses, and which of them others reach it by: what the greeting shows, and what is announced on
//! the network.
//!
//! What the system tells is asked for once, by [`Network::of_this_machine`]; all else is worked out from that.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// One address of one of this machine's network interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As the system calls it: `eth0`, `wlan0`, `docker0`.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Whether there is a link: a cable, a radio network.
    pub is_running: bool,
    /// Whether it leads to one other machine alone (IFF_POINTOPOINT).
    pub is_point_to_point: bool,
}

/// Whom an interface leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine alone, with its containers and virtual machines.
    Machine,
    /// The members of a virtual private network.
    Tunnel,
    /// The network that this machine is in.
    Network,
}

/// What this machine's network looks like from inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Every address of every interface.
    pub interfaces: Vec<Interface>,
    /// The addresses that it would have in conversations with the world: those of the interface of the default route.
    pub default_route: Vec<IpAddr>,
}

impl Network {
    /// Asks the system. What it does not tell is left out.
    pub fn of_this_machine() -> Network {
        let found = if_addrs::get_if_addrs().unwrap_or_default();
        Network {
            interfaces: found.iter().map(Interface::from).collect(),
            default_route: [address_towards(FAR_AWAY_IPV4), address_towards(FAR_AWAY_IPV6)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// The addresses by which other machines reach a listener bound to `bound`, the likeliest first. Members of a
    /// virtual private network are others where nobody else is. Where there are addresses of IPv4, those of IPv6 are
    /// left out: nobody types them, most machines have several, and those change from day to day (RFC 8981).
    pub fn reachable_by(&self, bound: IpAddr) -> Vec<IpAddr> {
        if !bound.is_unspecified() {
            return match bound.to_canonical().is_loopback() {
                true => Vec::new(),
                false => vec![bound],
            };
        }
        for reach in [Reach::Network, Reach::Tunnel] {
            let interfaces =
                self.interfaces.iter().filter(|interface| interface.is_running && interface.reach() == reach);
            let addresses = interfaces.map(|interface| interface.address);
            let (mut ipv4, mut ipv6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.partition(IpAddr::is_ipv4);
            if bound.is_ipv4() {
                ipv6.clear();
            }
            let found = if ipv4.is_empty() { &mut ipv6 } else { &mut ipv4 };
            found.sort_by_key(|address| (!self.default_route.contains(address), !is_private(*address)));
            if !found.is_empty() {
                return std::mem::take(found);
            }
        }
        Vec::new()
    }

    /// The host that others most likely reach a listener by that is bound to `bound`, else `localhost`. Written as in
    /// a URL (RFC 3986: IPv6 in brackets).
    pub fn best_host(&self, bound: IpAddr) -> String {
        self.reachable_by(bound).first().map_or_else(|| "localhost".to_owned(), |&address| url_host(address))
    }
}

impl Interface {
    /// Whom it leads to, by what the makers of virtual networks call their interfaces.
    pub fn reach(&self) -> Reach {
        let begins_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| self.name.starts_with(prefix));
        if !is_routed(self.address) || begins_with(WITHIN_THE_MACHINE) || is_bridge_of_docker(&self.name) {
            Reach::Machine
        } else if self.is_point_to_point || begins_with(TUNNELS) {
            Reach::Tunnel
        } else {
            Reach::Network
        }
    }
}

impl From<&if_addrs::Interface> for Interface {
    fn from(found: &if_addrs::Interface) -> Interface {
        Interface {
            name: found.name.clone(),
            address: found.ip(),
            is_running: found.is_oper_up(),
            is_point_to_point: found.is_p2p,
        }
    }
}

/// Interfaces to containers, virtual machines and, on a Mac (`awdl`, `llw`, `anpi`), to devices beside it.
const WITHIN_THE_MACHINE: &[&str] = &[
    "docker",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "vEthernet",
    "lxc",
    "lxdbr",
    "incusbr",
    "podman",
    "cni",
    "cali",
    "flannel",
    "cilium",
    "kube",
    "bridge1",
    "awdl",
    "llw",
    "anpi",
];

/// Interfaces of virtual private networks.
const TUNNELS: &[&str] =
    &["tun", "tap", "utun", "wg", "tailscale", "zt", "nebula", "ppp", "ipsec", "vti", "gre", "sit"];

/// Docker names a network's bridge by the beginning of its number; a router's `br-lan` is a real network.
fn is_bridge_of_docker(name: &str) -> bool {
    name.strip_prefix("br-")
        .is_some_and(|number| number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether others can reach a machine by this address without naming an interface.
fn is_routed(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(is_link_local || address.is_loopback() || address.is_unspecified())
}

fn is_private(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_private())
}

/// The address as the host of a URL.
pub fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Addresses that nobody has (RFC 5737, RFC 3849): the way to them is that to everybody.
const FAR_AWAY_IPV4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
const FAR_AWAY_IPV6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);

/// The address that this machine would speak to that one from, if there is a way to it. To connect a socket of UDP
/// sends nothing: the system only chooses.
fn address_towards(far_away: SocketAddr) -> Option<IpAddr> {
    let socket = Socket::new(Domain::for_address(far_away), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    socket.connect(&far_away.into()).ok()?;
    Some(socket.local_addr().ok()?.as_socket()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address in a test")
    }

    fn network(interfaces: &[(&str, &str)], default_route: &[&str]) -> Network {
        let interface = |&(name, address): &(&str, &str)| Interface {
            name: name.to_owned(),
            address: ip(address),
            is_running: true,
            is_point_to_point: false,
        };
        Network {
            interfaces: interfaces.iter().map(interface).collect(),
            default_route: default_route.iter().copied().map(ip).collect(),
        }
    }

    /// A laptop with much on it, of which only `wlan0` leads to the others in the room.
    fn laptop() -> Network {
        let interfaces = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("docker0", "172.17.0.1"),
            ("br-3f2a9c0d1e5b", "172.18.0.1"),
            ("veth12ab", "169.254.7.7"),
            ("virbr0", "192.168.122.1"),
            ("wg0", "10.8.0.2"),
            ("tailscale0", "100.101.102.103"),
            ("eth0", "169.254.3.3"),
            ("wlan0", "fe80::1"),
            ("wlan0", "2001:db8::20"),
            ("wlan0", "192.168.1.20"),
        ];
        network(&interfaces, &[])
    }

    #[test]
    fn others_reach_the_address_in_the_real_network() {
        assert_eq!(laptop().reachable_by(ip("::")), [ip("192.168.1.20")]);
        assert_eq!(laptop().best_host(ip("0.0.0.0")), "192.168.1.20");
    }

    #[test]
    fn what_the_default_route_takes_comes_first_and_then_what_is_private() {
        let interfaces = [("eth0", "203.0.113.5"), ("eth1", "10.0.0.4"), ("wlan0", "192.168.1.20")];
        let found = |default_route: &[&str]| network(&interfaces, default_route).reachable_by(ip("::"));
        assert_eq!(found(&[]), [ip("10.0.0.4"), ip("192.168.1.20"), ip("203.0.113.5")]);
        assert_eq!(found(&["192.168.1.20"]), [ip("192.168.1.20"), ip("10.0.0.4"), ip("203.0.113.5")]);
        assert_eq!(found(&["203.0.113.5"])[0], ip("203.0.113.5"));
    }

    #[test]
    fn a_tunnel_that_takes_all_is_not_the_network() {
        let mut captured = laptop();
        captured.default_route = vec![ip("10.8.0.2")];
        assert_eq!(captured.reachable_by(ip("::")), [ip("192.168.1.20")]);
    }

    #[test]
    fn where_there_is_a_tunnel_alone_its_members_are_the_others() {
        let interfaces = [("lo", "127.0.0.1"), ("docker0", "172.17.0.1"), ("wg0", "10.8.0.2")];
        assert_eq!(network(&interfaces, &[]).reachable_by(ip("::")), [ip("10.8.0.2")]);
        let mut dial_up = network(&[("wwan0", "100.64.0.9")], &[]);
        dial_up.interfaces[0].is_point_to_point = true;
        assert_eq!(dial_up.interfaces[0].reach(), Reach::Tunnel);
        assert_eq!(dial_up.best_host(ip("0.0.0.0")), "100.64.0.9");
    }

    #[test]
    fn with_nothing_but_itself_and_containers_it_is_localhost() {
        let alone = network(&[("lo", "127.0.0.1"), ("docker0", "172.17.0.1"), ("virbr0", "192.168.122.1")], &[]);
        assert_eq!(alone.best_host(ip("0.0.0.0")), "localhost");
        assert_eq!(Network::default().best_host(ip("::")), "localhost");
        let mut unplugged = network(&[("eth0", "192.168.1.20")], &[]);
        unplugged.interfaces[0].is_running = false;
        assert_eq!(unplugged.best_host(ip("::")), "localhost");
    }

    #[test]
    fn a_router_s_bridge_is_a_real_network() {
        let router = network(&[("br-lan", "192.168.1.1"), ("br0", "192.168.2.1")], &[]);
        assert_eq!(router.reachable_by(ip("::")), [ip("192.168.1.1"), ip("192.168.2.1")]);
    }

    #[test]
    fn ipv6_addresses_are_for_where_there_is_no_other() {
        let interfaces = [("eth0", "2001:db8::20"), ("eth0", "fe80::1"), ("eth0", "2001:db8::21")];
        let new_world = network(&interfaces, &["2001:db8::21"]);
        assert_eq!(new_world.reachable_by(ip("::")), [ip("2001:db8::21"), ip("2001:db8::20")]);
        assert_eq!(new_world.best_host(ip("::")), "[2001:db8::21]");
        assert_eq!(new_world.best_host(ip("0.0.0.0")), "localhost");
    }

    #[test]
    fn a_certain_address_is_its_own_best_host() {
        assert_eq!(laptop().best_host(ip("192.168.1.20")), "192.168.1.20");
        assert_eq!(laptop().best_host(ip("2001:db8::7")), "[2001:db8::7]");
        assert_eq!(laptop().best_host(ip("127.0.0.1")), "localhost");
        assert_eq!(laptop().best_host(ip("::1")), "localhost");
    }

    #[test]
    fn the_system_tells_at_least_of_this_machine() {
        let found = Network::of_this_machine();
        assert!(found.interfaces.iter().any(|interface| interface.address.is_loopback()), "{found:?}");
        let is_own = |address: &IpAddr| found.interfaces.iter().any(|interface| interface.address == *address);
        assert!(found.default_route.iter().all(is_own), "{found:?}");
    }
}
