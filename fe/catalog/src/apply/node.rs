//! Frontends, backends and users.

use std::sync::Arc;

use common_base::{Result, bail, ids::NodeId};

use crate::{Reply, model::{Backend, Frontend, User}, state::CatalogState};

impl CatalogState {
    pub(super) fn add_frontend(&mut self, mut frontend: Frontend) -> Result<Reply> {
        let same = |f: &&Arc<Frontend>| f.host == frontend.host && f.edit_log_port == frontend.edit_log_port;
        if self.frontends.values().any(|f| same(&f)) {
            bail!(User, "frontend already exists {}:{}", frontend.host, frontend.edit_log_port);
        }
        let newest = self.frontends.keys().map(|id| id.0).max().unwrap_or(0).max(self.last_frontend);
        if frontend.id.0 == 0 {
            frontend.id = NodeId(newest + 1);
        }
        let id = frontend.id;
        self.last_frontend = newest.max(id.0);
        self.frontends.insert(id, frontend.into());
        Ok(Reply::Id(id.0))
    }

    pub(super) fn update_frontend(&mut self, frontend: Frontend) -> Result<Reply> {
        if !self.frontends.contains_key(&frontend.id) {
            bail!(User, "frontend {} does not exist", frontend.id);
        }
        self.frontends.insert(frontend.id, frontend.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_frontend(&mut self, node: NodeId) -> Result<Reply> {
        if self.frontends.remove(&node).is_none() {
            bail!(User, "frontend {node} does not exist");
        }
        self.last_frontend = self.last_frontend.max(node.0);
        Ok(Reply::Done)
    }

    pub(super) fn add_backend(&mut self, backend: Backend) -> Result<Reply> {
        if self.backends.values().any(|b| b.host == backend.host && b.heartbeat_port == backend.heartbeat_port) {
            bail!(User, "Backend already exists with same host {} and port {}", backend.host, backend.heartbeat_port);
        }
        self.backends.insert(backend.id, backend.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_backend(&mut self, node: NodeId) -> Result<Reply> {
        if self.backends.remove(&node).is_none() {
            bail!(User, "backend {node} does not exist");
        }
        Ok(Reply::Done)
    }

    pub(super) fn update_backend(&mut self, backend: Backend) -> Result<Reply> {
        if !self.backends.contains_key(&backend.id) {
            bail!(User, "backend {} does not exist", backend.id);
        }
        self.backends.insert(backend.id, backend.into());
        Ok(Reply::Done)
    }

    pub(super) fn create_user(&mut self, user: User) -> Result<Reply> {
        let key = (user.name.clone(), user.host.clone());
        if self.users.contains_key(&key) {
            bail!(User, "Operation CREATE USER failed for '{}'@'{}' : user already exists", user.name, user.host);
        }
        self.users.insert(key, user.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_user(&mut self, name: &str, host: &str) -> Result<Reply> {
        if name == "root" {
            bail!(User, "root user cannot be dropped");
        }
        if self.users.remove(&(name.to_owned(), host.to_owned())).is_none() {
            bail!(User, "Operation DROP USER failed for '{name}'@'{host}' : user not exists");
        }
        Ok(Reply::Done)
    }

    pub(super) fn set_password(&mut self, name: &str, host: &str, password_hash: Vec<u8>) -> Result<Reply> {
        let key = (name.to_owned(), host.to_owned());
        let Some(user) = self.users.get(&key) else { bail!(User, "user '{name}'@'{host}' does not exist") };
        let user = User { password_hash, ..User::clone(user) };
        self.users.insert(key, user.into());
        Ok(Reply::Done)
    }
}
