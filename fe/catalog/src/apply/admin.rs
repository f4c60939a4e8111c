//! Roles, grants, settings, resource groups, tasks, statistics jobs.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::TableId};

use crate::{
    Reply,
    model::{Collected, CollectedKind, DefaultRoles, Grant, Grantee, ResourceGroup, Role, Task, TaskRun, User},
    state::CatalogState,
};

/// Runs and statistics jobs kept; older ones are forgotten.
const HISTORY_MAX: usize = 2000;

impl CatalogState {
    pub(super) fn create_role(&mut self, role: Role) -> Result<Reply> {
        if self.roles.contains_key(&role.name) {
            bail!(User, "Operation CREATE ROLE failed for {} : role already exists", role.name);
        }
        self.roles.insert(role.name.clone(), role.into());
        Ok(Reply::Done)
    }

    pub(super) fn set_role_comment(&mut self, name: &str, comment: String) -> Result<Reply> {
        let Some(role) = self.roles.get(name) else { bail!(User, "Operation ALTER ROLE failed for {name} : role not exists") };
        let role = Role { comment, ..Role::clone(role) };
        self.roles.insert(name.to_owned(), role.into());
        Ok(Reply::Done)
    }

    /// Drops a role and takes it from everybody.
    pub(super) fn drop_role(&mut self, name: &str) -> Result<Reply> {
        if self.roles.remove(name).is_none() {
            bail!(User, "Operation DROP ROLE failed for {name} : role not exists");
        }
        let holders: Vec<Arc<Role>> = self.roles.values().filter(|r| r.roles.iter().any(|n| n == name)).cloned().collect();
        for holder in holders {
            let mut holder = Role::clone(&holder);
            holder.roles.retain(|n| n != name);
            self.roles.insert(holder.name.clone(), holder.into());
        }
        let users: Vec<Arc<User>> = self.users.values().filter(|u| u.roles.iter().any(|n| n == name)).cloned().collect();
        for user in users {
            let mut user = User::clone(&user);
            user.roles.retain(|n| n != name);
            if let DefaultRoles::List(list) = &mut user.default_roles {
                list.retain(|n| n != name);
            }
            self.put_user(user);
        }
        Ok(Reply::Done)
    }

    pub(super) fn put_user(&mut self, user: User) {
        self.users.insert((user.name.clone(), user.host.clone()), user.into());
    }

    /// Changes roles and grants of a grantee in place.
    fn change_grantee(&mut self, grantee: &Grantee, change: impl FnOnce(&mut Vec<String>, &mut Vec<Grant>) -> Result<()>) -> Result<Reply> {
        match grantee {
            Grantee::User { name, host } => {
                let key = (name.clone(), host.clone());
                let user = self.users.get(&key).ok_or_else(|| err!(User, "cannot find user '{name}'@'{host}'!"))?;
                let mut user = User::clone(user);
                change(&mut user.roles, &mut user.grants)?;
                self.put_user(user);
            }
            Grantee::Role(name) => {
                let role = match self.roles.get(name) {
                    Some(role) => role.clone(),
                    // The one built-in role that can be given something.
                    None if name == "public" => Arc::new(Role { name: name.clone(), ..Role::default() }),
                    None => bail!(User, "cannot find role {name}!"),
                };
                let mut role = Role::clone(&role);
                change(&mut role.roles, &mut role.grants)?;
                self.roles.insert(name.clone(), role.into());
            }
            Grantee::ExternalGroup(name) => {
                let mut roles = self.group_roles.get(name).cloned().unwrap_or_default();
                change(&mut roles, &mut Vec::new())?;
                if roles.is_empty() {
                    self.group_roles.remove(name);
                } else {
                    self.group_roles.insert(name.clone(), roles);
                }
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn grant_roles(&mut self, grantee: &Grantee, given: Vec<String>) -> Result<Reply> {
        self.change_grantee(grantee, |roles, _| {
            for role in given {
                if !roles.contains(&role) {
                    roles.push(role);
                }
            }
            if roles.len() > 64 {
                bail!(User, "the number of roles exceeds the limit of 64");
            }
            Ok(())
        })
    }

    pub(super) fn revoke_roles(&mut self, grantee: &Grantee, taken: &[String]) -> Result<Reply> {
        self.change_grantee(grantee, |roles, _| {
            roles.retain(|r| !taken.contains(r));
            Ok(())
        })?;
        if let Grantee::User { name, host } = grantee {
            if let Some(user) = self.users.get(&(name.clone(), host.clone())) {
                let mut user = User::clone(user);
                if let DefaultRoles::List(list) = &mut user.default_roles {
                    list.retain(|r| !taken.contains(r));
                }
                self.put_user(user);
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn grant(&mut self, grantee: &Grantee, given: Vec<Grant>) -> Result<Reply> {
        self.change_grantee(grantee, |_, grants| {
            for new in given {
                match grants.iter_mut().find(|g| g.object == new.object && g.grant_option == new.grant_option) {
                    Some(known) => {
                        known.privileges.extend(new.privileges);
                        known.privileges.sort();
                        known.privileges.dedup();
                    }
                    None => grants.push(new),
                }
            }
            Ok(())
        })
    }

    pub(super) fn revoke(&mut self, grantee: &Grantee, taken: &[Grant]) -> Result<Reply> {
        self.change_grantee(grantee, |_, grants| {
            for gone in taken {
                for known in grants.iter_mut().filter(|g| g.object == gone.object) {
                    known.privileges.retain(|p| !gone.privileges.contains(p));
                }
            }
            grants.retain(|g| !g.privileges.is_empty());
            Ok(())
        })
    }

    pub(super) fn set_default_roles(&mut self, name: &str, host: &str, default_roles: DefaultRoles) -> Result<Reply> {
        let key = (name.to_owned(), host.to_owned());
        let Some(user) = self.users.get(&key) else { bail!(User, "cannot find user '{name}'@'{host}'!") };
        let user = User { default_roles, ..User::clone(user) };
        self.put_user(user);
        Ok(Reply::Done)
    }

    pub(super) fn set_user_properties(&mut self, name: &str, properties: Vec<(String, String)>) -> Result<Reply> {
        let users: Vec<Arc<User>> = self.users.values().filter(|u| u.name == name).cloned().collect();
        if users.is_empty() {
            bail!(User, "Unknown user: {name}");
        }
        for user in users {
            let mut user = User::clone(&user);
            for (key, value) in &properties {
                user.properties.retain(|(k, _)| k != key);
                user.properties.push((key.clone(), value.clone()));
            }
            self.put_user(user);
        }
        Ok(Reply::Done)
    }

    pub(super) fn put_resource_group(&mut self, group: ResourceGroup, replace: bool) -> Result<Reply> {
        if !replace && self.resource_groups.contains_key(&group.name) {
            bail!(User, "ResourceGroup({}) already exists", group.name);
        }
        self.resource_groups.insert(group.name.clone(), group.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_resource_group(&mut self, name: &str) -> Result<Reply> {
        if self.resource_groups.remove(name).is_none() {
            bail!(User, "RESOURCE_GROUP({name}) does not exist");
        }
        Ok(Reply::Done)
    }

    pub(super) fn create_task(&mut self, task: Task) -> Result<Reply> {
        if self.tasks.contains_key(&task.name) {
            bail!(User, "Task {} already exists", task.name);
        }
        self.tasks.insert(task.name.clone(), task.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_task(&mut self, name: &str) -> Result<Reply> {
        if self.tasks.remove(name).is_none() {
            bail!(User, "Task {name} is not exist");
        }
        Ok(Reply::Done)
    }

    pub(super) fn put_task_run(&mut self, run: TaskRun) -> Result<Reply> {
        self.task_runs.insert(run.id, run.into());
        while self.task_runs.len() > HISTORY_MAX {
            if let Some((oldest, _)) = self.task_runs.get_min().cloned() {
                self.task_runs.remove(&oldest);
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn put_collected(&mut self, table: TableId, entries: Vec<Collected>) -> Result<Reply> {
        // The table may be gone by now.
        if !self.tables.contains_key(&table) {
            return Ok(Reply::Done);
        }
        let mut all = self.collected.get(&table).map(|all| (**all).clone()).unwrap_or_default();
        all.retain(|old| !entries.iter().any(|new| new.kind == old.kind && new.name == old.name));
        all.extend(entries);
        self.collected.insert(table, all.into());
        Ok(Reply::Done)
    }

    pub(super) fn drop_collected(&mut self, table: TableId, kind: CollectedKind, names: Option<&[String]>) -> Result<Reply> {
        let mut all = self.collected.remove(&table).map(|all| (*all).clone()).unwrap_or_default();
        all.retain(|entry| entry.kind != kind || names.is_some_and(|names| !names.contains(&entry.name)));
        if !all.is_empty() {
            self.collected.insert(table, all.into());
        }
        Ok(Reply::Done)
    }

    pub(super) fn put_analyze_status(&mut self, status: crate::model::AnalyzeStatus) -> Result<Reply> {
        self.analyze_statuses.insert(status.id, status.into());
        while self.analyze_statuses.len() > HISTORY_MAX {
            if let Some((oldest, _)) = self.analyze_statuses.get_min().cloned() {
                self.analyze_statuses.remove(&oldest);
            }
        }
        Ok(Reply::Done)
    }
}
