//! Applying ops. Each refuses (with the error the user sees) before it changes anything, so a refused op leaves no trace.

mod alter;
mod admin;
mod database;
mod node;
mod recycle;
mod replica;
mod table;
mod temporary;
#[cfg(test)]
mod tests;
mod txn;

use std::sync::Arc;

use common_base::{Result, bail};

use crate::{Op, Reply, op::IndexBuild, state::{CatalogState, FIRST_ID}};

impl CatalogState {
    /// Applies one op.
    pub fn apply(&mut self, op: Op) -> Result<Reply> {
        match op {
            Op::Initialize { cluster_id, token, frontend, root, created_ms } => {
                if self.cluster_id != 0 {
                    bail!(AlreadyExists, "the cluster is already initialized");
                }
                self.cluster_id = cluster_id;
                self.token = token;
                self.created_ms = created_ms;
                self.next_id = FIRST_ID;
                self.frontends.insert(frontend.id, frontend.into());
                self.users.insert((root.name.clone(), root.host.clone()), root.into());
                Ok(Reply::Done)
            }
            Op::ReserveIds { count } => {
                let first = self.next_id.max(FIRST_ID);
                self.next_id = first + count;
                Ok(Reply::Id(first))
            }
            Op::CreateDatabase(db) => self.create_database(db),
            Op::DropDatabase { db, force, recycle_ms } => self.drop_database(db, force, recycle_ms),
            Op::RenameDatabase { db, name } => self.rename_database(db, name),
            Op::AlterDatabaseProperties { db, properties } => self.alter_database_properties(db, properties),
            Op::CreateTable(table) => self.create_table(&table),
            Op::CreateTemporaryTable { session, frontend, table } => self.create_temporary_table(session, frontend, &table),
            Op::DropTable { table, recycle_ms } => self.drop_table(table, recycle_ms),
            Op::RenameTable { table, name } => self.rename_table(table, name),
            Op::RenameColumn { table, from, to, generated, partition_exprs, now_ms } => {
                self.rename_column(table, &from, &to, generated, partition_exprs, now_ms)
            }
            Op::RenamePartition { table, from, to } => self.rename_partition(table, &from, &to),
            Op::ReplaceView(view) => self.replace_view(&view),
            Op::AlterTableProperties { table, properties } => self.alter_table_properties(table, properties),
            Op::SetDefaultBuckets { table, buckets } => self.set_default_buckets(table, buckets),
            Op::AlterTableComment { table, comment } => self.alter_table_comment(table, comment),
            Op::SwapTables { a, b } => self.swap_tables(a, b),
            Op::TakeNumbers { table, count } => self.take_numbers(table, count),
            Op::RaiseNumbers { table, next } => self.raise_numbers(table, next),
            Op::AddPartitions { table, partitions } => self.add_partitions(table, partitions),
            Op::DropPartitions { table, partitions, recycle_ms } => self.drop_partitions(table, &partitions, recycle_ms),
            Op::Recover { id } => self.recover(id),
            Op::EraseRecycled { ids } => self.erase_recycled(&ids),
            Op::ReplacePartitions { table, pairs, now_ms } => self.replace_partitions(table, pairs, now_ms),
            Op::SwapPartitions { table, leave, enter, now_ms } => self.swap_partitions(table, &leave, &enter, now_ms),
            Op::AddFrontend(frontend) => self.add_frontend(frontend),
            Op::DropFrontend { node } => self.drop_frontend(node),
            Op::UpdateFrontend(frontend) => self.update_frontend(frontend),
            Op::BecomeCluster { cluster_id, token } => {
                (self.cluster_id, self.token) = (cluster_id, token);
                Ok(Reply::Done)
            }
            Op::AddBackend(backend) => self.add_backend(backend),
            Op::DropBackend { node } => self.drop_backend(node),
            Op::UpdateBackend(backend) => self.update_backend(backend),
            Op::BeginTxn(txn) => self.begin_txn(txn),
            Op::PrepareTxn { txn, written, counters, timeout_ms, now_ms } => self.prepare_txn(txn, written, counters, timeout_ms, now_ms),
            Op::CommitTxn { txn, written, counters, now_ms } => self.commit_txn(txn, written, counters, now_ms),
            Op::MakeVisible { txn, published, now_ms } => self.make_visible(txn, &published, now_ms),
            Op::RaiseReplicas { replicas } => self.raise(&replicas),
            Op::MarkReplicas { replicas } => self.mark_replicas(&replicas),
            Op::AddReplicas { replicas } => self.add_replicas(replicas),
            Op::DropReplicas { replicas } => self.drop_replicas(&replicas),
            Op::DeclareReplicas { replicas } => self.declare_replicas(&replicas),
            Op::PutColocateBuckets { db, group, buckets } => {
                match buckets {
                    Some(buckets) => self.colocate_buckets.insert((db, group), Arc::new(buckets)),
                    None => self.colocate_buckets.remove(&(db, group)),
                };
                Ok(Reply::Done)
            }
            Op::ModifyPartitions { table, partitions, replication_num, medium, cooldown_ms, properties } => {
                self.modify_partitions(table, &partitions, replication_num, medium.as_deref(), cooldown_ms, properties)
            }
            Op::AbortTxn { txn, reason, now_ms } => self.abort_txn(txn, reason, now_ms),
            Op::ForgetTxns { txns } => self.forget_txns(&txns),
            Op::ChangeColumns { table, base_version, columns, sort_key, indexes_ddl, properties, next_column_uid, job } => {
                self.change_columns(table, alter::ColumnChange { base_version, columns, sort_key, indexes_ddl, properties, next_column_uid, job })
            }
            Op::BeginAlter { job, base_version, index, tablets } => self.begin_alters(base_version, vec![IndexBuild { job: *job, index: *index, tablets }]),
            Op::BeginAlters { base_version, builds } => self.begin_alters(base_version, builds),
            Op::OptimizePartitions { table, pairs, distribution, job, now_ms } => self.optimize_partitions(table, &pairs, distribution, job, now_ms),
            Op::StartConversion { job } => self.start_conversion(job),
            Op::FinishAlter { job, converted, lost, now_ms } => self.finish_alter(job, &converted, &lost, now_ms),
            Op::CancelAlter { job, reason, now_ms } => self.cancel_alter(job, reason, now_ms),
            Op::NoteAlter { job, message } => self.note_alter(job, message),
            Op::ForgetAlterGarbage { job } => self.forget_alter_garbage(job),
            Op::ForgetAlterJobs { jobs } => self.forget_alter_jobs(&jobs),
            Op::DropIndex { table, index } => self.drop_index(table, index),
            Op::RenameIndex { table, index, name } => self.rename_index(table, index, name),
            Op::UpdateStatistics { table, statistics } => {
                // The table may be gone by now; then there is nothing to know.
                if self.tables.contains_key(&table) {
                    self.statistics.insert(table, statistics);
                }
                Ok(Reply::Done)
            }
            Op::SetGlobalVariable { name, value } => {
                self.variables.insert(name, value);
                Ok(Reply::Done)
            }
            Op::CreateUser(user) => self.create_user(user),
            Op::DropUser { name, host } => self.drop_user(&name, &host),
            Op::SetPassword { name, host, password_hash } => self.set_password(&name, &host, password_hash),
            Op::CreateRole(role) => self.create_role(role),
            Op::SetRoleComment { name, comment } => self.set_role_comment(&name, comment),
            Op::DropRole { name } => self.drop_role(&name),
            Op::GrantRoles { grantee, roles } => self.grant_roles(&grantee, roles),
            Op::RevokeRoles { grantee, roles } => self.revoke_roles(&grantee, &roles),
            Op::Grant { grantee, grants } => self.grant(&grantee, grants),
            Op::Revoke { grantee, grants } => self.revoke(&grantee, &grants),
            Op::SetDefaultRoles { name, host, roles } => self.set_default_roles(&name, &host, roles),
            Op::SetUserProperties { name, properties } => self.set_user_properties(&name, properties),
            Op::SetFrontendConfig { name, value } => {
                self.frontend_config.insert(name, value);
                Ok(Reply::Done)
            }
            Op::PutResourceGroup { group, replace } => self.put_resource_group(group, replace),
            Op::DropResourceGroup { name } => self.drop_resource_group(&name),
            Op::PutNamedObject { kind, name, properties } => {
                match properties {
                    Some(properties) => self.named_objects.insert((kind, name), properties),
                    None => self.named_objects.remove(&(kind, name)),
                };
                Ok(Reply::Done)
            }
            Op::CreateTask(task) => self.create_task(task),
            Op::DropTask { name } => self.drop_task(&name),
            Op::PutTaskRun(run) => self.put_task_run(run),
            Op::PutAnalyzeStatus(status) => self.put_analyze_status(status),
            Op::PutAnalyzeJob(job) => {
                self.analyze_jobs.insert(job.id, job.into());
                Ok(Reply::Done)
            }
            Op::PutCollected { table, entries } => self.put_collected(table, entries),
            Op::DropCollected { table, kind, names } => self.drop_collected(table, kind, names.as_deref()),
            Op::DropAnalyzeJob { id } => {
                self.analyze_jobs.remove(&id);
                Ok(Reply::Done)
            }
            Op::PutBlacklistedSql { id, pattern } => {
                self.sql_blacklist.insert(id, pattern);
                Ok(Reply::Done)
            }
            Op::DropBlacklistedSql { id } => {
                self.sql_blacklist.remove(&id);
                Ok(Reply::Done)
            }
        }
    }
}
