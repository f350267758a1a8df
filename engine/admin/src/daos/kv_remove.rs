//! `daos kv rm`.

use serde_json::json;
use types::{Condition, Scope, Status};
use wire::fault::Failure;

use super::kv::Remove;
use super::store::Store;
use crate::output::Report;

#[derive(Debug)]
pub(super) struct Prepared {
    scope: Scope,
    condition: Condition,
    name: String,
}

pub(super) fn prepare(remove: &Remove) -> Result<Prepared, Failure> {
    let address = remove.key.address()?;
    let name = format!("dkey `{}`, akey `{}` of object {}", address.dkey, address.akey, address.object);
    let scope = match (remove.all_akeys, remove.length) {
        (true, _) => Scope::Dkey(address.object, address.dkey),
        (false, None) => Scope::Akey(address),
        (false, Some(length)) => Scope::Range { address, offset: remove.offset, length },
    };
    let condition = if remove.if_present { Condition::Present } else { Condition::Always };
    Ok(Prepared { scope, condition, name })
}

pub(super) async fn run(store: &impl Store, remove: Prepared) -> Result<Report, Failure> {
    let Prepared { scope, condition, name } = remove;
    let epoch = store.punch(scope, condition).await.map_err(|failure| match failure.status {
        Status::Nonexistent if failure.resolution.is_empty() => {
            Failure { message: format!("{name} has no value"), ..failure }
                .with_resolution("`daos kv list` shows the keys there are")
        }
        _ => failure,
    })?;
    Ok(Report::new(format!("Removed at epoch {epoch}\n"), json!({"epoch": epoch.to_string()})))
}
