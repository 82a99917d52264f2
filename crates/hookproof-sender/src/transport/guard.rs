//! Which addresses may be dialled.
//!
//! A sender dials whatever URL a customer types in, from inside the operator's network. So every address is judged after
//! the name was resolved, and exactly that address is dialled: no second lookup, no redirect, no proxy comes between.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::error::shown;

/// What may be dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    loopback: bool,
}

/// A URL that may be tried: HTTPS, or HTTP to the own machine where that is allowed.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) tls: bool,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// As it stands in the `Host` header.
    pub(crate) authority: String,
    /// Path and query, as they stand in the request line.
    pub(crate) path: String,
    url: String,
}

/// Why a URL or an address is not dialled. The message names the rule, for the person who typed the URL in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    pub(crate) fn header(name: &str, why: &str) -> Self {
        Self(format!("the header `{}` cannot be sent: {why}", shown(name)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Guard {
    /// Public addresses over HTTPS, nothing else.
    pub const fn public_only() -> Self {
        Self { loopback: false }
    }

    /// Also 127.0.0.0/8 and ::1, and those without TLS too: for receivers under test on the own machine.
    pub const fn with_loopback() -> Self {
        Self { loopback: true }
    }

    /// Reads a URL as a browser does, so that `http://0x7f.1/` is seen as the address that it is.
    ///
    /// ```
    /// use hookproof_sender::transport::Guard;
    /// assert!(Guard::public_only().target("https://hooks.example.com/in?x=1").is_ok());
    /// assert_eq!(Guard::public_only().target("https://0x7f.1/").unwrap_err().to_string(), "127.0.0.1 is not dialled: it is a loopback address");
    /// ```
    ///
    /// # Errors
    /// If it is no absolute HTTP URL, carries a user name or a password, is not HTTPS, or names an address that may not be dialled.
    pub fn target(&self, text: &str) -> Result<Target, Refusal> {
        let url = Url::parse(text.trim()).map_err(|error| Refusal(format!("`{}` is no URL: {error}", shown(text))))?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Refusal(format!("`{}:` URLs are not dialled: use https", shown(other)))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal(
                "a URL with a user name is not dialled: what stands before `@` is not the host".to_owned(),
            ));
        }
        let host = url.host().ok_or_else(|| Refusal("the URL names no host".to_owned()))?.to_owned();
        let on_this_machine = match &host {
            Host::Ipv4(address) => self.vet(IpAddr::V4(*address)).map(|()| address.is_loopback())?,
            Host::Ipv6(address) => self.vet(IpAddr::V6(*address)).map(|()| address.is_loopback())?,
            // Whatever it resolves to is judged again before it is dialled.
            Host::Domain(name) => is_localhost(name),
        };
        if on_this_machine && !self.loopback {
            return Err(Refusal(format!("`{}` is not dialled: it is this machine", shown(&host.to_string()))));
        }
        if !tls && !on_this_machine {
            return Err(Refusal(
                "the URL is not HTTPS: webhooks are sent in the clear to the own machine only".to_owned(),
            ));
        }
        let port = url.port_or_known_default().ok_or_else(|| Refusal("the URL has no port".to_owned()))?;
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut shown_url = url;
        shown_url.set_fragment(None);
        Ok(Target { tls, host, port, authority, path, url: shown_url.to_string() })
    }

    /// Judges one address.
    ///
    /// # Errors
    /// If it is not a public unicast address (or loopback, where that is allowed): the message says what it is.
    pub fn vet(&self, address: IpAddr) -> Result<(), Refusal> {
        let kind = match address {
            IpAddr::V4(address) => kind_of_v4(address),
            IpAddr::V6(address) => kind_of_v6(address),
        };
        match kind {
            None => Ok(()),
            Some(LOOPBACK) if self.loopback => Ok(()),
            Some(kind) => Err(Refusal(format!("{address} is not dialled: it is {kind}"))),
        }
    }
}

impl Target {
    /// The URL, without a fragment.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host and the port, as in the `Host` header.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Debug for Target {
    /// Without path and query: with some providers a token stands there.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({}://{}/…)", if self.tls { "https" } else { "http" }, self.authority)
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

const LOOPBACK: &str = "a loopback address";

/// What keeps an IPv4 address from being dialled, by the IANA registry of special-purpose addresses.
fn kind_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let inside = |network: [u8; 4], bits: u32| {
        u32::from(address) >> (32 - bits) == u32::from(Ipv4Addr::from(network)) >> (32 - bits)
    };
    let table: [([u8; 4], u32, &'static str); 16] = [
        ([127, 0, 0, 0], 8, LOOPBACK),
        ([0, 0, 0, 0], 8, "an address of this network"),
        ([10, 0, 0, 0], 8, "a private address"),
        ([172, 16, 0, 0], 12, "a private address"),
        ([192, 168, 0, 0], 16, "a private address"),
        ([100, 64, 0, 0], 10, "a carrier's shared address"),
        ([169, 254, 0, 0], 16, "a link-local address, where clouds keep their metadata"),
        ([192, 0, 0, 0], 24, "a protocol assignment"),
        ([192, 0, 2, 0], 24, "a documentation address"),
        ([198, 51, 100, 0], 24, "a documentation address"),
        ([203, 0, 113, 0], 24, "a documentation address"),
        ([192, 88, 99, 0], 24, "a 6to4 relay"),
        ([198, 18, 0, 0], 15, "a benchmarking address"),
        ([168, 63, 129, 16], 32, "a cloud's host address"),
        ([224, 0, 0, 0], 4, "a multicast address"),
        ([240, 0, 0, 0], 4, "a reserved address"),
    ];
    table.into_iter().find(|(network, bits, _)| inside(*network, *bits)).map(|(.., kind)| kind)
}

/// The same for IPv6. Only 2000::/3 is handed out; what lies outside it, mapped (::ffff:0:0/96), compatible (::/96) and
/// NAT64 (64:ff9b::/96) forms of IPv4 addresses among it, is refused as a whole, public or not: nobody types those in.
fn kind_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let inside = |network: [u16; 8], bits: u32| {
        u128::from(address) >> (128 - bits) == u128::from(Ipv6Addr::from(network)) >> (128 - bits)
    };
    let table: [([u16; 8], u32, &'static str); 13] = [
        ([0, 0, 0, 0, 0, 0, 0, 1], 128, LOOPBACK),
        ([0, 0, 0, 0, 0, 0, 0, 0], 128, "the unspecified address"),
        ([0, 0, 0, 0, 0, 0, 0, 0], 96, "an IPv4-compatible address"),
        ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "an IPv4-mapped address"),
        ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 32, "an address translated to IPv4 (NAT64)"),
        ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "a link-local address"),
        ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "a site-local address"),
        ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "a private address"),
        ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "a multicast address"),
        ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "a protocol assignment (Teredo, ORCHID, benchmarking)"),
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "a documentation address"),
        ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "an address translated to IPv4 (6to4)"),
        ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "a documentation address"),
    ];
    let listed = table.into_iter().find(|(network, bits, _)| inside(*network, *bits)).map(|(.., kind)| kind);
    let global = inside([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
    listed.or(if global { embedded_v4(address) } else { Some("a reserved address") })
}

/// ISATAP addresses carry an IPv4 address in their last 32 bits behind a fixed mark, under any prefix.
fn embedded_v4(address: Ipv6Addr) -> Option<&'static str> {
    let [.., a, b, _, _] = address.segments();
    matches!((a, b), (0x0000 | 0x0200, 0x5efe)).then_some("an address translated to IPv4 (ISATAP)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_dialled() {
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(Guard::public_only().vet(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn others_are_not_even_where_loopback_is_allowed() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "192.0.0.170",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "100::1",
            "2a00:1450::5efe:7f00:1",
            "2a00:1450::200:5efe:a00:1",
        ] {
            assert!(Guard::with_loopback().vet(address.parse().unwrap()).is_err(), "{address}");
        }
        for address in ["127.0.0.1", "127.255.255.254", "::1"] {
            assert!(Guard::public_only().vet(address.parse().unwrap()).is_err(), "{address}");
            assert!(Guard::with_loopback().vet(address.parse().unwrap()).is_ok(), "{address}");
        }
    }

    #[test]
    fn urls_are_read_as_browsers_read_them() {
        for url in [
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0x7f000001/",
            "https://127.1/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://0/",
            "https://localhost/",
            "https://localhost./",
            "https://a.localhost/",
            "https://LOCALHOST/",
            "https://１２７.0.0.1/",
            "https://127。0。0。1/",
            "https://user@example.com/",
            "https://example.com@127.0.0.1/",
            "https://127.0.0.1\\@example.com/",
            "https://example.com:443:80/",
            "https://[fe80::1%25eth0]/",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "//example.com",
            "example.com",
            "https://",
            "",
        ] {
            assert!(Guard::public_only().target(url).is_err(), "{url}");
        }
        let target = Guard::with_loopback().target("http://127.0.0.1:8000/a b?c=d#e").unwrap();
        assert_eq!(
            (target.authority(), target.path(), target.url()),
            ("127.0.0.1:8000", "/a%20b?c=d", "http://127.0.0.1:8000/a%20b?c=d")
        );
        assert_eq!(Guard::public_only().target("https://example.com:443/x").unwrap().authority(), "example.com");
    }
}
