//! The directories that queries may read and write. Links do not lead out of them: what counts is where a path really is.

use std::path::{Path, PathBuf};

use common_base::{Result, bail, err, fs::{SharedFs, parent_of}};

/// What `files_allowed_path` allows.
#[derive(Debug)]
pub struct FileAccess {
    fs: SharedFs,
    dirs: Vec<PathBuf>,
}

impl FileAccess {
    /// Access to these directories.
    pub fn new(fs: SharedFs, dirs: Vec<String>) -> Self {
        Self { fs, dirs: dirs.into_iter().map(PathBuf::from).collect() }
    }

    /// The local path of `file:///dir/x` or `/dir/x`.
    pub fn local(uri: &str) -> Result<String> {
        let path = uri.trim().strip_prefix("file://").unwrap_or(uri.trim());
        if let Some((scheme, _)) = path.split_once("://") {
            bail!(NotSupported, "path '{uri}': files of '{scheme}' are not supported, only local ones (file:///…)");
        }
        if !path.starts_with('/') {
            bail!(InvalidArgument, "path '{uri}' is not absolute: file:///dir/name is");
        }
        // More than one slash at the front is one.
        Ok(format!("/{}", path.trim_start_matches('/')))
    }

    /// Fails unless the path, or what exists of it, is in an allowed directory.
    pub fn check(&self, path: &Path) -> Result<()> {
        let mut known = path;
        while !self.fs.exists(known)? && known != Path::new("/") {
            known = parent_of(known);
        }
        let real = self.fs.canonical(known)?;
        let allowed = self.dirs.iter().any(|dir| self.fs.canonical(dir).is_ok_and(|dir| real.starts_with(dir)));
        if allowed {
            return Ok(());
        }
        Err(err!(
            AccessDeniedPrivilege,
            "Access denied: path '{}' is outside the directories that queries may use on this backend (files_allowed_path in be.conf: {})",
            path.display(),
            if self.dirs.is_empty() { "none".to_owned() } else { self.dirs.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", ") }
        ))
    }
}

#[cfg(test)]
mod tests {
    use common_base::fs::LocalFs;

    use super::*;

    #[test]
    fn links_do_not_lead_out() {
        let root = tempfile::tempdir().unwrap();
        let (inside, outside) = (root.path().join("in"), root.path().join("out"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        let access = FileAccess::new(LocalFs::shared(), vec![inside.to_string_lossy().into_owned()]);
        access.check(&inside.join("a/b.csv")).unwrap();
        access.check(&inside).unwrap();
        for path in [inside.join("link/secret"), inside.join("link/new"), outside.join("secret"), root.path().join("in2"), root.path().to_owned()] {
            assert!(access.check(&path).is_err(), "{}", path.display());
        }
        assert!(FileAccess::new(LocalFs::shared(), Vec::new()).check(&inside).is_err());
    }

    #[test]
    fn local_paths() {
        assert_eq!(FileAccess::local("file:///a/*.csv").unwrap(), "/a/*.csv");
        assert_eq!(FileAccess::local("/a/b").unwrap(), "/a/b");
        for bad in ["s3://b/x", "a/b", ""] {
            assert!(FileAccess::local(bad).is_err(), "{bad}");
        }
    }
}
