//! `meta/image/ROLE`: what a frontend decides at its first start and keeps.

use std::path::Path;

use common_base::{Result, bail, ensure, fs::FileSystem};
use fe_catalog::model::Frontend;
use fe_engine::cluster::frontends::role_name;

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

/// Writes down, for people and scripts, which cluster this is and what this frontend is in it.
pub fn note(fs: &dyn FileSystem, meta_dir: &Path, cluster_id: u64, token: &str, frontend: &Frontend) -> Result<()> {
    let dir = meta_dir.join("image");
    let kept = host_type(fs, meta_dir, None)?;
    let write = |name: &str, text: String| {
        let file = dir.join(name);
        let same = fs.exists(&file)? && fs.read(&file)? == text.as_bytes();
        if same { Ok(()) } else { fs.write_atomic(&file, text.as_bytes()) }
    };
    write("ROLE", format!("role={}\nhostType={}\nname={}\n", role_name(frontend.role), kept.text(), frontend.name))?;
    write("VERSION", format!("clusterId={cluster_id}\ntoken={token}\n"))
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
