//! Where users may have messages sent: to the internet, and to no machine that only we can reach.
//!
//! What a name means is asked once, and connected to is only what was found to be allowed. So a name that means something else a
//! moment later gains nothing. Addresses that are numbers never go to a resolver, and are looked at before.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Ports on which servers of the internet are asked.
const PORTS: [u16; 2] = [443, 8443];

/// Addresses of IPv4 that are nobody's on the internet, or that machines of a cloud ask about themselves.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The part of IPv6 that is given out at all.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Within it, what is for protocols, examples, and carrying IPv4 somewhere.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
/// By which a gateway reaches IPv4.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is not one of the internet, or not in a network that the operator permits.
    #[error("the address leads into a network that is not permitted (NOTIFIER_ALLOW_NETWORKS)")]
    Network,
    /// It is one of the internet, and not asked by https on its ports.
    #[error("the address must begin with https:// and have the port 443 or 8443")]
    Door,
}

/// Finds the addresses of a name.
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    fn addresses(&self, name: String) -> Looking;
}

/// Addresses that are being looked for.
pub type Looking = std::pin::Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// What the system knows.
struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: String) -> Looking {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Who is asked what names mean.
#[derive(Clone)]
pub struct Names(pub Arc<dyn Lookup>);

impl Default for Names {
    fn default() -> Self {
        Self(Arc::new(SystemLookup))
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

/// Which addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Those of the internet, and of networks that the operator permits: by https, on its ports.
    Internet,
    /// Only those of networks that the operator permits: by anything, on any port.
    Permitted,
}

/// What may be connected to.
#[derive(Clone)]
pub struct Guard {
    permitted: Arc<[IpNet]>,
    names: Names,
}

impl Guard {
    /// Permits these networks beside the internet.
    pub fn new(permitted: &[IpNet], names: Names) -> Self {
        Self { permitted: permitted.into(), names }
    }

    /// By which door an address is reached.
    ///
    /// # Errors
    /// When it is a number that is forbidden. Names are looked at by the [`Resolve`] of the door.
    pub fn door(&self, url: &Url) -> Result<Door, Forbidden> {
        let is_public =
            url.scheme() == "https" && url.port_or_known_default().is_some_and(|port| PORTS.contains(&port));
        let door = if is_public { Door::Internet } else { Door::Permitted };
        // `Url` has read the decimal, octal and shortened forms of numbers by now.
        let number = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        match number {
            Some(ip) if !self.allows(door, ip) => Err(why(door, ip)),
            Some(_) | None => Ok(door),
        }
    }

    /// Whether an address is connected to by a door.
    pub fn allows(&self, door: Door, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let is_permitted = self.permitted.iter().any(|network| network.contains(&ip));
        is_permitted || door == Door::Internet && is_public(ip)
    }

    /// Finds only such addresses of names as are connected to by a door.
    pub fn resolver(&self, door: Door) -> Arc<dyn Resolve> {
        Arc::new(Resolver { guard: self.clone(), door })
    }
}

fn why(door: Door, ip: IpAddr) -> Forbidden {
    if door == Door::Permitted && is_public(ip.to_canonical()) { Forbidden::Door } else { Forbidden::Network }
}

struct Resolver {
    guard: Guard,
    door: Door,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, door) = (self.guard.clone(), self.door);
        Box::pin(async move {
            let found = guard.names.0.addresses(name.as_str().to_owned()).await?;
            let allowed: Vec<SocketAddr> =
                found.iter().filter(|ip| guard.allows(door, **ip)).map(|ip| SocketAddr::new(*ip, 0)).collect();
            match (found.first(), allowed.is_empty()) {
                (Some(ip), true) => Err(why(door, *ip).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is one of the internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.into_iter().any(|net| within_v4(ip, net)),
        IpAddr::V6(ip) if within_v6(ip, NAT64) => {
            let [.., a, b, c, d] = ip.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public(ip.into()),
            None => within_v6(ip, PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(|net| within_v6(ip, net)),
        },
    }
}

fn within_v4(ip: Ipv4Addr, (net, prefix): (Ipv4Addr, u8)) -> bool {
    Ipv4Net::new(net, prefix).is_ok_and(|net| net.contains(&ip))
}

fn within_v6(ip: Ipv6Addr, (net, prefix): (Ipv6Addr, u8)) -> bool {
    Ipv6Net::new(net, prefix).is_ok_and(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(permitted: &[&str]) -> Guard {
        let permitted: Vec<IpNet> = permitted.iter().map(|net| net.parse().unwrap()).collect();
        Guard::new(&permitted, Names::default())
    }

    fn door(guard: &Guard, url: &str) -> Result<Door, Forbidden> {
        guard.door(&Url::parse(url).unwrap())
    }

    #[test]
    fn numbers_that_lead_inside_are_forbidden_in_every_spelling() {
        let none = guard(&[]);
        for host in [
            "127.0.0.1",
            "127.1",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "0.0.0.0",
            "0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "169.254.0.1",
            "2852039166",
            "0xa9fea9fe",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "１２７.0.0.1",
            "127。0。0。1",
            "[::]",
            "[::1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:0:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::127.0.0.1]",
            "[2002:7f00:1::]",
            "[2002:a9fe:a9fe::1]",
            "[2001::1]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[100::1]",
            "[5f00::1]",
            "[4000::1]",
        ] {
            assert_eq!(door(&none, &format!("https://{host}/hook")), Err(Forbidden::Network), "{host}");
        }
    }

    #[test]
    fn the_internet_is_reached_by_https_on_its_ports() {
        let none = guard(&[]);
        for url in
            ["https://1.1.1.1/", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/", "https://[64:ff9b::1.1.1.1]/"]
        {
            assert_eq!(door(&none, url), Ok(Door::Internet), "{url}");
        }
        for url in ["http://1.1.1.1/", "https://1.1.1.1:22/", "https://[2606:4700::1111]:5432/", "http://1.1.1.1:443/"]
        {
            assert_eq!(door(&none, url), Err(Forbidden::Door), "{url}");
        }
        assert_eq!(door(&none, "http://example.org/"), Ok(Door::Permitted), "its addresses are looked at then");
    }

    #[test]
    fn a_permitted_network_is_reached_by_anything() {
        let some = guard(&["192.168.1.0/24", "127.0.0.1/32"]);
        for url in
            ["http://192.168.1.7:9000/", "https://127.0.0.1:5000/", "http://[::ffff:127.0.0.1]/", "https://1.1.1.1/"]
        {
            assert!(door(&some, url).is_ok(), "{url}");
        }
        for url in ["http://192.168.2.7/", "http://127.0.0.2/", "http://[::1]/", "https://10.0.0.1/"] {
            assert_eq!(door(&some, url), Err(Forbidden::Network), "{url}");
        }
        assert_eq!(door(&some, "http://1.1.1.1/"), Err(Forbidden::Door));
    }

    proptest! {
        #[test]
        fn what_is_forbidden_is_so_however_it_is_wrapped(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            let wrapped = [IpAddr::V6(ip.to_ipv6_mapped()), format!("64:ff9b::{ip}").parse().unwrap()];
            prop_assert!(wrapped.into_iter().all(|outer| is_public(outer) == is_public(ip.into())));
            let [a, b, c, d] = ip.octets();
            let tunnels = [format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"), format!("::{ip}"), format!("64:ff9b:1::{ip}")];
            prop_assert!(!tunnels.iter().any(|text| is_public(text.parse().unwrap())));
        }

        #[test]
        fn no_spelling_of_a_number_passes_that_the_number_does_not(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            let [a, b, c, d] = ip.octets();
            for host in [format!("{bits}"), format!("{bits:#x}"), format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"), format!("{a}.{}", bits & 0xff_ffff)] {
                let passes = door(&guard(&[]), &format!("https://{host}/")).is_ok();
                prop_assert_eq!(passes, is_public(ip.into()), "{}", host);
            }
        }
    }
}
