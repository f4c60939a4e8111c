//! Which of the machine's addresses this process goes by (`priority_networks`).

use std::net::Ipv4Addr;

use crate::{Result, bail, config::ConfigValue, err, net::Net};

/// `priority_networks`: networks, separated by commas or semicolons.
pub struct Networks(pub Vec<String>);

impl ConfigValue for Networks {
    const TYPE_NAME: &'static str = "String[]";
    fn parse(text: &str) -> Result<Self> {
        let networks = Vec::<String>::parse(text)?;
        networks.iter().try_for_each(|n| parse_network(n).map(drop))?;
        Ok(Self(networks))
    }
}

/// The first local IPv4 address in one of the networks (`10.1.0.0/16`, or a bare address); without networks the first that is not
/// loopback, else loopback.
pub fn choose(net: &dyn Net, networks: &[String]) -> Result<String> {
    pick(&net.local_addresses(), networks)
}

/// What the kernel says.
pub(crate) fn of_machine() -> Vec<Ipv4Addr> {
    local_addresses(&std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default())
}

fn pick(addresses: &[Ipv4Addr], networks: &[String]) -> Result<String> {
    if networks.is_empty() {
        let found = addresses.iter().find(|a| !a.is_loopback()).copied();
        return Ok(found.unwrap_or(Ipv4Addr::LOCALHOST).to_string());
    }
    for network in networks {
        let (base, bits) = parse_network(network)?;
        let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        let inside = |a: &&Ipv4Addr| u32::from(**a) & mask == u32::from(base) & mask;
        if let Some(found) = addresses.iter().find(inside) {
            return Ok(found.to_string());
        }
    }
    bail!(InvalidArgument, "priority_networks: no address of this machine is in {}", networks.join(", "))
}

fn parse_network(text: &str) -> Result<(Ipv4Addr, u32)> {
    let bad = || err!(InvalidArgument, "'{text}' is not a network (example: 10.10.0.0/16)");
    let (base, bits) = text.split_once('/').unwrap_or((text, "32"));
    let bits: u32 = bits.parse().map_err(|_| bad())?;
    if bits > 32 {
        return Err(bad());
    }
    Ok((base.parse().map_err(|_| bad())?, bits))
}

/// Addresses the kernel's routing table lists as `/32 host LOCAL`, in order, each once.
fn local_addresses(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in table.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim().parse().ok();
        } else if line.contains("/32 host LOCAL") {
            if let Some(address) = last.filter(|a| !found.contains(a)) {
                found.push(address);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Main:\n  |-- 10.1.2.3\n     /32 host LOCAL\n  |-- 10.1.2.255\n     /32 link BROADCAST\n  |-- 127.0.0.1\n     /32 host LOCAL\n";

    #[test]
    fn addresses_are_chosen_by_network() {
        let all = local_addresses(TABLE);
        assert_eq!(all, [Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::LOCALHOST]);
        assert_eq!(pick(&all, &[]).unwrap(), "10.1.2.3");
        assert_eq!(pick(&all, &["127.0.0.0/8".to_owned()]).unwrap(), "127.0.0.1");
        assert!(pick(&all, &["192.168.0.0/16".to_owned()]).is_err());
        assert!(pick(&all, &["nonsense/99".to_owned()]).is_err());
    }
}
