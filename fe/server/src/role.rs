//! `meta/image/ROLE`: what a frontend decides at its first start and keeps.

use std::path::Path;

use common_base::{Result, bail, ensure, fs::FileSystem};

/// How the cluster names this frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostType {
    Ip,
    /// By its host name (FQDN).
    Name,
}

impl HostType {
    fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_uppercase().as_str() {
            "IP" => Ok(Self::Ip),
            "FQDN" => Ok(Self::Name),
            _ => bail!(InvalidArgument, "--host_type: '{text}' is neither IP nor FQDN"),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Ip => "IP",
            Self::Name => "FQDN",
        }
    }
}

/// The type this frontend was first started with; at its first start what was asked for, by default an address.
pub fn host_type(fs: &dyn FileSystem, meta_dir: &Path, asked: Option<&str>) -> Result<HostType> {
    let asked = asked.map(HostType::parse).transpose()?;
    let dir = meta_dir.join("image");
    let file = dir.join("ROLE");
    if fs.exists(&file)? {
        let text = String::from_utf8_lossy(&fs.read(&file)?).into_owned();
        let kept = text.lines().find_map(|l| l.strip_prefix("hostType=")).map_or(Ok(HostType::Ip), HostType::parse)?;
        ensure!(asked.is_none_or(|a| a == kept), InvalidArgument, "--host_type {}: this frontend was first started with {}", asked.map_or("", HostType::text), kept.text());
        return Ok(kept);
    }
    let kept = asked.unwrap_or(HostType::Ip);
    fs.mkdir_all(&dir)?;
    fs.write_atomic(&file, format!("role=FOLLOWER\nhostType={}\n", kept.text()).as_bytes())?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common_base::fs::MemFs;

    #[test]
    fn the_first_start_decides() {
        let (fs, dir) = (MemFs::new(), Path::new("/meta"));
        let check = |asked: Option<&str>| host_type(&fs, dir, asked).map_err(|e| e.message().to_owned());
        assert!(check(Some("NAME")).is_err());
        assert_eq!(check(Some("fqdn")), Ok(HostType::Name));
        assert_eq!(check(None), Ok(HostType::Name));
        assert_eq!(check(Some("IP")), Err("--host_type IP: this frontend was first started with FQDN".to_owned()));
    }
}
