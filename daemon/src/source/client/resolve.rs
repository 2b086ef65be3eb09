//! Names to addresses: a partner's name that leads to this machine, its links or a cloud's metadata is refused, because
//! what answers there trusts whoever asks from here (security T9).
//!
//! An address that the configuration writes out is never looked up, and `localhost` says what it means; so both stay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name that leads where no partner is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} leads to {address}, which is {what}")]
pub struct Forbidden {
    pub name: String,
    pub address: IpAddr,
    what: &'static str,
}

/// The system's resolver, and what is done with its answers.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(allowed(&name, found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// The addresses, if none of them is forbidden: a name that leads both ways is a trick, not a partner.
pub(crate) fn allowed(name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    if is_localhost(name) {
        return Ok(found);
    }
    let bad = found.iter().find_map(|at| Some((at.ip(), forbidden(at.ip())?)));
    match bad {
        Some((address, what)) => Err(Forbidden { name: name.to_owned(), address, what }),
        None => Ok(found),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What an address is that no partner has.
fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address {
        _ if address.is_loopback() => Some("this machine"),
        _ if address.octets()[0] == 0 => Some("no address"),
        // Metadata of most clouds is among them.
        _ if address.is_link_local() => Some("link-local"),
        _ if address.is_multicast() => Some("multicast"),
        _ if address.is_broadcast() => Some("broadcast"),
        _ => METADATA.contains(&address).then_some("a cloud's metadata"),
    }
}

/// Metadata of clouds outside of the link-local addresses: Alibaba, Oracle, Azure.
const METADATA: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same with an address of IPv6: Google, Oracle, Akamai, Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address {
        _ if address.is_loopback() => Some("this machine"),
        _ if address.is_unspecified() => Some("no address"),
        _ if address.is_unicast_link_local() => Some("link-local"),
        _ if address.segments()[0] & 0xffc0 == 0xfec0 => Some("site-local"),
        _ if address.is_multicast() => Some("multicast"),
        // Amazon keeps metadata, credentials and more of its own there.
        _ if address.segments()[..2] == [0xfd00, 0xec2] => Some("a cloud's metadata"),
        _ if METADATA_V6.contains(&address) => Some("a cloud's metadata"),
        _ => inner(address).into_iter().find_map(forbidden_v4),
    }
}

/// The IPv4 addresses that an address of IPv6 may carry.
fn inner(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let octets = address.octets();
    let octet = |place| octets.get(place).copied().unwrap_or_default();
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(octet));
    let last = at([12, 13, 14, 15]);
    match address.segments() {
        // Compatible, mapped, translated, behind NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![last],
        // 6to4 (RFC 3056).
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // NAT64 of somebody's own (RFC 8215): how long its prefix is does not show. What begins with 0 is a part of that.
        [0x64, 0xff9b, 1, ..] => [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12]]
            .map(at)
            .into_iter()
            .filter(|inner| inner.octets()[0] != 0)
            .chain([last])
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_name_leads_to_a_partner_or_nowhere() {
        for (name, addresses, allowed, why) in [
            ("p.example", &["203.0.113.7", "2001:db8::7"][..], true, "a partner"),
            ("p.example", &["10.1.2.3", "192.168.4.5"], true, "one in our own network"),
            ("p.example", &["fd12:3456::1"], true, "one in our own network"),
            ("p.example", &["203.0.113.7", "127.0.0.1"], false, "both ways"),
            ("p.example", &["127.8.8.8"], false, "loopback"),
            ("p.example", &["::1"], false, "loopback"),
            ("p.example", &["0.0.0.0"], false, "this machine, to Linux"),
            ("p.example", &["::"], false, "the same"),
            ("p.example", &["169.254.169.254"], false, "metadata"),
            ("p.example", &["100.100.100.200"], false, "metadata"),
            ("p.example", &["fd00:ec2::254"], false, "metadata"),
            ("p.example", &["fd00:ec2::23"], false, "credentials of a cloud"),
            ("p.example", &["168.63.129.16"], false, "metadata"),
            ("p.example", &["168.63.129.17"], true, "its neighbour"),
            ("p.example", &["192.0.0.192"], false, "metadata"),
            ("p.example", &["fd20:ce::254"], false, "metadata"),
            ("p.example", &["fd20:ce::255"], true, "its neighbour"),
            ("p.example", &["fd00:c1::a9fe:a9fe"], false, "metadata"),
            ("p.example", &["fd00:a9fe:a9fe::1"], false, "metadata"),
            ("p.example", &["fd00:42::42"], false, "metadata"),
            ("p.example", &["fe80::1"], false, "link-local"),
            ("p.example", &["febf::1"], false, "link-local"),
            ("p.example", &["224.0.0.1"], false, "multicast"),
            ("p.example", &["ff02::1"], false, "multicast"),
            ("p.example", &["255.255.255.255"], false, "broadcast"),
            ("p.example", &["::ffff:127.0.0.1"], false, "mapped"),
            ("p.example", &["::ffff:169.254.169.254"], false, "mapped"),
            ("p.example", &["64:ff9b::a9fe:a9fe"], false, "behind NAT64"),
            ("p.example", &["64:ff9b::cb00:7107"], true, "a partner behind NAT64"),
            ("p.example", &["64:ff9b:1::a9fe:a9fe"], false, "behind one of our own"),
            ("p.example", &["64:ff9b:1:a9fe:a9:fe00::"], false, "the same, in its longest form"),
            ("p.example", &["64:ff9b:1:2::7f00:1"], false, "the same, in a part of it"),
            ("p.example", &["64:ff9b:1::cb00:7107"], true, "a partner behind it"),
            ("p.example", &["2002:a9fe:a9fe::1"], false, "6to4"),
            ("p.example", &["2002:cb00:7107::1"], true, "a partner with 6to4"),
            ("p.example", &["::ffff:0:127.0.0.1"], false, "translated"),
            ("p.example", &["::ffff:0:203.0.113.7"], true, "a partner, translated"),
            ("p.example", &["::ffff:168.63.129.16"], false, "metadata, mapped"),
            ("p.example", &["::127.0.0.1"], false, "compatible"),
            ("p.example", &["fec0::1"], false, "site-local"),
            ("p.example", &["feff::1"], false, "site-local"),
            ("localhost", &["127.0.0.1", "::1"], true, "it says so itself"),
            ("LOCALHOST.", &["127.0.0.1"], true, "the same"),
            ("db.localhost", &["127.0.0.1"], true, "RFC 6761"),
            ("notlocalhost", &["127.0.0.1"], false, "another name"),
        ] {
            let found: Vec<_> = addresses
                .iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
                .collect();
            assert_eq!(super::allowed(name, found).is_ok(), allowed, "{name} {addresses:?}: {why}");
        }
    }
}
